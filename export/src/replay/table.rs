//! Tables of files as typed cells: which column gives which field, and how its values become the field's.
//!
//! A column of the field's own type is read in place, one of another Arrow type is converted as a whole where every value can be,
//! and text is read as people write values.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_schema::{DataType as Arrow, Schema};
use model::packed_row::Cell;
use model::text;
use model::value::{DataType, Floats, Value, ValueRef};

use crate::{Error, arrow_type};

/// A column that is wanted of a file.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) name: String,
    pub(super) data_type: DataType,
    /// A file without it is refused.
    pub(super) is_required: bool,
}

/// Some columns of a batch as cells.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Option<Source>>,
}

#[derive(Debug)]
struct Source {
    data_type: DataType,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// Of the type that values of the field are written as.
    Array(ArrayRef),
    /// Read one by one; what is wrong with those that cannot be.
    Each(Vec<Result<Option<Value>, String>>),
}

impl Table {
    /// Binds the columns of `batch`, of the file `path`, to `wishes` by name.
    ///
    /// # Errors
    /// [`Error::File`] names a column that is missing, or whose type no value of the field can be made of.
    pub(super) fn bind(path: &Path, batch: &RecordBatch, wishes: &[Wish]) -> Result<Self, Error> {
        let bind = |wish: &Wish| match batch.column_by_name(&wish.name) {
            Some(array) => source(path, array, wish).map(Some),
            None if !wish.is_required => Ok(None),
            None => Err(missing(path, &batch.schema(), wish, wishes)),
        };
        Ok(Self { columns: wishes.iter().map(bind).collect::<Result<_, _>>()? })
    }

    /// The cells of a row, into `cells`, which is cleared first.
    ///
    /// # Errors
    /// What is wrong with a value, for whoever made the file.
    pub(super) fn row<'a>(&'a self, row: usize, cells: &mut Vec<Cell<'a>>) -> Result<(), String> {
        cells.clear();
        for source in &self.columns {
            cells.push(match source {
                None => Cell::Absent,
                Some(source) => source.cell(row)?.map_or(Cell::Null, Cell::Value),
            });
        }
        Ok(())
    }
}

fn missing(path: &Path, schema: &Schema, wish: &Wish, wishes: &[Wish]) -> Error {
    let there: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let needed: Vec<_> =
        wishes.iter().filter(|wish| wish.is_required).map(|wish| wish.name.as_str()).collect();
    let (name, there, needed) = (&wish.name, there.join(", "), needed.join(", "));
    Error::file(path, format!("the file has no column {name}; it has {there}; needed are {needed}"))
}

fn source(path: &Path, array: &ArrayRef, wish: &Wish) -> Result<Source, Error> {
    let (given, data_type) = (array.data_type(), wish.data_type);
    let values = match (given, data_type) {
        (given, _) if *given == arrow_type(data_type) => Values::Array(array.clone()),
        (Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View, of) if of != DataType::String => {
            Values::Each(of_text(&cast(path, array, wish, &Arrow::Utf8)?, wish))
        }
        (Arrow::Float16 | Arrow::Float32 | Arrow::Float64, DataType::Decimal(_)) => {
            Values::Each(of_floats(&cast(path, array, wish, &Arrow::Float64)?, wish))
        }
        (Arrow::Float16 | Arrow::Float32 | Arrow::Float64, DataType::I64 | DataType::Timestamp)
        | (Arrow::Boolean, _) => return Err(refused(path, array, wish)),
        _ => Values::Array(cast(path, array, wish, &arrow_type(data_type))?),
    };
    Ok(Source { data_type, values })
}

fn cast(path: &Path, array: &ArrayRef, wish: &Wish, to: &Arrow) -> Result<ArrayRef, Error> {
    if !can_cast_types(array.data_type(), to) {
        return Err(refused(path, array, wish));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| {
        let (name, data_type) = (&wish.name, wish.data_type);
        Error::file(path, format!("column {name} ({}) as {data_type}: {error}", array.data_type()))
    })
}

fn refused(path: &Path, array: &ArrayRef, wish: &Wish) -> Error {
    let (given, name, data_type) = (array.data_type(), &wish.name, wish.data_type);
    let wanted = arrow_type(data_type);
    let what = format!("column {name} is {given}; {data_type} is made of {wanted}, or of text");
    Error::file(path, what)
}

fn of_text(array: &ArrayRef, wish: &Wish) -> Vec<Result<Option<Value>, String>> {
    let read = |text: Option<&str>| match text {
        None | Some("") => Ok(None),
        Some(text) => text::parse_value(&wish.name, text, wish.data_type)
            .map(Some)
            .map_err(|error| error.to_string()),
    };
    array.as_string::<i32>().iter().map(read).collect()
}

/// Floats as decimals: the exact binary value, rounded once, half to even.
fn of_floats(array: &ArrayRef, wish: &Wish) -> Vec<Result<Option<Value>, String>> {
    // An f64 has at most 1074 decimal places, of which those behind the 70th round no tie that fits into 18.
    let read = |float: Option<f64>| match float {
        None => Ok(None),
        Some(float) => text::parse_value(&wish.name, &format!("{float:.80}"), wish.data_type)
            .map(Some)
            .map_err(|error| error.to_string()),
    };
    array.as_primitive::<Float64Type>().iter().map(read).collect()
}

impl Source {
    #[inline]
    fn cell(&self, row: usize) -> Result<Option<ValueRef<'_>>, String> {
        let array = match &self.values {
            Values::Array(array) => array,
            Values::Each(values) => {
                return match values.get(row) {
                    Some(Ok(value)) => Ok(value.as_ref().map(Value::borrow)),
                    Some(Err(reason)) => Err(reason.clone()),
                    None => Ok(None),
                };
            }
        };
        if array.is_null(row) {
            return Ok(None);
        }
        Ok(Some(match self.data_type {
            DataType::Bool => ValueRef::Bool(array.as_boolean().value(row)),
            DataType::I64 => ValueRef::I64(array.as_primitive::<Int64Type>().value(row)),
            DataType::F32 => ValueRef::F32(array.as_primitive::<Float32Type>().value(row)),
            DataType::F64 => ValueRef::F64(array.as_primitive::<Float64Type>().value(row)),
            DataType::String => ValueRef::String(array.as_string::<i32>().value(row)),
            DataType::Bytes => ValueRef::Bytes(array.as_binary::<i32>().value(row)),
            DataType::Timestamp => {
                ValueRef::Timestamp(array.as_primitive::<TimestampMillisecondType>().value(row))
            }
            DataType::Decimal(scale) => {
                let wide = array.as_primitive::<Decimal128Type>().value(row);
                let narrow = i64::try_from(wide);
                ValueRef::Decimal(narrow.map_err(|_| format!("{wide} is beyond 64 bits"))?, scale)
            }
            DataType::Vector(count) => {
                let list = array.as_fixed_size_list();
                let count = usize::try_from(count).unwrap_or(0);
                let start = usize::try_from(list.value_offset(row)).unwrap_or(0);
                let floats = list.values().as_primitive::<Float32Type>().values();
                ValueRef::Vector(Floats::Native(
                    floats.get(start..start + count).unwrap_or_default(),
                ))
            }
        }))
    }
}
