//! Derived features: expressions over the values just read and the values that came with the request.

use aggregate::expr;
use model::{
    column::Column,
    packed_row::{self, Cell},
    status::Status,
    value::{DataType, ValueRef},
};

use super::ReadPlan;
use crate::Error;

impl ReadPlan {
    /// Fills the derived columns of `rows` vectors, which are empty and come behind the stored ones.
    ///
    /// # Errors
    /// [`Error::Invalid`] when request values are missing or wrong.
    pub(crate) fn derive(
        &self,
        columns: &mut [Column],
        request_rows: &[&[u8]],
        rows: usize,
    ) -> Result<(), Error> {
        let service = self.service();
        self.check_request_rows(request_rows, rows)?;
        let types: Vec<DataType> = service.request.iter().map(|field| field.data_type).collect();
        let mut requests = Vec::with_capacity(request_rows.len());
        for row in request_rows {
            let cells = packed_row::read_row(row, &types)?;
            let missing = cells.iter().position(|cell| matches!(cell, Cell::Absent));
            if let Some(field) = missing.and_then(|missing| service.request.get(missing)) {
                let (name, data_type) = (field.name.as_str(), field.data_type.to_string());
                return Err(Error::Invalid(model::Error::mismatch(
                    format!("request value {name}"),
                    data_type,
                    "nothing: give a value or null",
                )));
            }
            requests.push(cells);
        }
        for (place, derived) in (service.features.len()..).zip(&service.derived) {
            let used = derived.expr.inputs();
            let Some((known, [out, ..])) = columns.split_at_mut_checked(place) else { continue };
            for row in 0..rows {
                // One row of request values for all vectors, or one for each.
                let request = requests.get(row).or(requests.first());
                let request = request.map(Vec::as_slice).unwrap_or_default();
                let inputs =
                    Inputs::gather(known, service.features.len(), request, types.len(), row)?;
                let given =
                    if inputs.any_partial(&used) { Status::Partial } else { Status::Present };
                match expr::evaluate(&derived.expr, &inputs.values) {
                    Ok(Some(value)) => out.push(given, value),
                    Ok(None) => out.push_empty(Status::Null),
                    Err(_) => out.push_empty(Status::Error),
                }
            }
        }
        Ok(())
    }

    /// Request values: nothing when none are declared, else one row for all vectors or one for each.
    fn check_request_rows(&self, given: &[&[u8]], rows: usize) -> Result<(), Error> {
        let fields = self.request_fields();
        let names = || {
            let names: Vec<_> = fields
                .iter()
                .map(|field| format!("{} ({})", field.name, field.data_type))
                .collect();
            names.join(", ")
        };
        let problem = match given.len() {
            0 if !fields.is_empty() => format!("the service needs {}", names()),
            count if count > 0 && fields.is_empty() => "the service takes none".to_owned(),
            count if count > 1 && count != rows => {
                format!("one row for all vectors or {rows}, one for each")
            }
            _ => return Ok(()),
        };
        let given = format!("{} rows", given.len());
        Err(Error::Invalid(model::Error::invalid("request values", given, problem)))
    }
}

/// The inputs of one evaluation: stored values, then the request's, then derived ones so far.
struct Inputs<'a> {
    values: Vec<Option<ValueRef<'a>>>,
    partial: Vec<bool>,
}

impl<'a> Inputs<'a> {
    fn gather(
        columns: &'a [Column],
        stored: usize,
        request: &[Cell<'a>],
        request_count: usize,
        row: usize,
    ) -> Result<Self, Error> {
        let count = columns.len() + request_count;
        let mut inputs =
            Self { values: Vec::with_capacity(count), partial: Vec::with_capacity(count) };
        for (index, column) in columns.iter().enumerate() {
            if index == stored {
                inputs.request(request, request_count);
            }
            let (status, value) = column.get(row)?;
            inputs.values.push(value);
            inputs.partial.push(status == Status::Partial);
        }
        if columns.len() <= stored {
            inputs.request(request, request_count);
        }
        Ok(inputs)
    }

    fn request(&mut self, request: &[Cell<'a>], count: usize) {
        for field in 0..count {
            self.values.push(request.get(field).and_then(|cell| cell.value()));
            self.partial.push(false);
        }
    }

    fn any_partial(&self, used: &[usize]) -> bool {
        used.iter().any(|input| self.partial.get(*input) == Some(&true))
    }
}
