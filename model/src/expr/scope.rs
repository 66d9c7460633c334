//! The names an expression may use, and the input each one stands for.

use std::collections::BTreeMap;

use crate::{definition::Field, limits::FLOAT_FIELD_SCALE, nearest, value::DataType};

/// Names of inputs. Inputs are numbered in the order they are declared.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    inputs: Vec<Input>,
    /// Several inputs under one name make that name ambiguous.
    names: BTreeMap<String, Vec<usize>>,
}

/// One input.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// The type an expression sees.
    pub(super) data_type: DataType,
    /// True for a float field of a stream, which is computed with as a decimal.
    pub(super) is_float_field: bool,
    /// The name that is never ambiguous.
    full_name: String,
}

impl Scope {
    /// A scope without names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The fields of a stream, in order. Float fields are decimals of [`FLOAT_FIELD_SCALE`]: so they are stored.
    #[must_use]
    pub fn of_stream(fields: &[Field]) -> Self {
        let mut scope = Self::new();
        for field in fields {
            let is_float_field = matches!(field.data_type, DataType::F32 | DataType::F64);
            let data_type =
                if is_float_field { DataType::Decimal(FLOAT_FIELD_SCALE) } else { field.data_type };
            scope.push(&[field.name.as_str()], data_type, is_float_field);
        }
        scope
    }

    /// Adds the next input under all of `names`, the last of which is unique. An `f32` is seen as `f64`.
    pub fn declare(&mut self, names: &[&str], data_type: DataType) {
        let data_type = if data_type == DataType::F32 { DataType::F64 } else { data_type };
        self.push(names, data_type, false);
    }

    fn push(&mut self, names: &[&str], data_type: DataType, is_float_field: bool) {
        let index = self.inputs.len();
        let full_name = names.last().copied().unwrap_or_default().to_owned();
        for name in names {
            self.names.entry((*name).to_owned()).or_default().push(index);
        }
        self.inputs.push(Input { data_type, is_float_field, full_name });
    }

    /// The input that `name` stands for, and its index.
    ///
    /// # Errors
    /// A message that lists the names there are.
    pub(super) fn resolve(&self, name: &str) -> Result<(usize, &Input), String> {
        let found = self.names.get(name).map_or(&[][..], Vec::as_slice);
        match found {
            [index] => match self.inputs.get(*index) {
                Some(Input { data_type: DataType::Vector(_), .. }) => {
                    Err(format!("{name} is a vector, which an expression cannot use"))
                }
                Some(input) => Ok((*index, input)),
                None => Err(format!("{name} has no input")),
            },
            [] => {
                let names = || self.names.keys().map(String::as_str);
                let hint = nearest::hint(name, names());
                Err(format!(
                    "nothing is called {name}{hint}; there are: {}",
                    nearest::list(names())
                ))
            }
            several => {
                let full = |index: &usize| self.inputs.get(*index).map(|i| i.full_name.as_str());
                let full = several.iter().filter_map(full);
                Err(format!("{name} is ambiguous; write one of {}", nearest::list(full)))
            }
        }
    }
}
