//! Derived features: expressions over the values just read and the values that came with the request.

use aggregate::expr;
use model::{
    column::{Column, ColumnRef},
    columns::Columns,
    packed_row::{self, Cell},
    status::Status,
    value::{DataType, ValueRef},
};

use super::ReadPlan;
use crate::Error;

/// The values that came with a request: one row for all vectors, or one for each.
struct Given<'a> {
    rows: Vec<Vec<Cell<'a>>>,
    /// Values of a row.
    width: usize,
}

impl ReadPlan {
    /// Fills the derived columns, which come behind the stored ones.
    ///
    /// # Errors
    /// [`Error::Invalid`] when request values are missing or wrong.
    pub(super) fn derive(
        &self,
        columns: &mut Columns,
        request_rows: &[&[u8]],
    ) -> Result<(), Error> {
        if self.derived_count() == 0 && request_rows.is_empty() && self.request_fields().is_empty()
        {
            return Ok(());
        }
        let rows = columns.rows();
        let given = self.given(request_rows, rows)?;
        for (index, place) in self.derived_places() {
            let known: Vec<_> = columns.iter().take(place).collect();
            let derived = self.derived(index, (&known, &given), rows)?;
            columns.put_column(place, derived.view())?;
        }
        Ok(())
    }

    /// Appends the derived columns to the stored ones of `rows` vectors.
    ///
    /// # Errors
    /// [`Error::Invalid`] when request values are missing or wrong.
    pub(crate) fn derive_onto(
        &self,
        columns: &mut Vec<Column>,
        request_rows: &[&[u8]],
        rows: usize,
    ) -> Result<(), Error> {
        let given = self.given(request_rows, rows)?;
        for (index, _) in self.derived_places() {
            let known: Vec<_> = columns.iter().map(Column::view).collect();
            let derived = self.derived(index, (&known, &given), rows)?;
            columns.push(derived);
        }
        Ok(())
    }

    /// Number and column of each derived feature.
    fn derived_places(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let stored = self.service().features.len();
        (0..self.derived_count()).map(move |index| (index, stored + index))
    }

    /// One derived column, from those before it.
    fn derived(
        &self,
        index: usize,
        (known, given): (&[ColumnRef<'_>], &Given<'_>),
        rows: usize,
    ) -> Result<Column, Error> {
        let service = self.service();
        let missing = || Error::Internal(format!("there is no derived feature {index}"));
        let derived = service.derived.get(index).ok_or_else(missing)?;
        let used = derived.expr.inputs();
        let (stored, mut out) = (service.features.len(), Column::new(derived.data_type, rows));
        let mut values = Vec::new();
        for row in 0..rows {
            values.clear();
            values.resize(known.len() + given.width, None);
            let mut is_partial = false;
            for input in &used {
                let Some(place) = values.get_mut(*input) else { continue };
                let column = match input.checked_sub(stored) {
                    None => *input,
                    Some(field) if field < given.width => {
                        *place = given.value(row, field);
                        continue;
                    }
                    Some(_) => *input - given.width,
                };
                let Some(column) = known.get(column) else { continue };
                let (status, value) = column.get(row)?;
                *place = value;
                is_partial |= status == Status::Partial;
            }
            let status = if is_partial { Status::Partial } else { Status::Present };
            match expr::evaluate(&derived.expr, &values) {
                Ok(Some(value)) => out.push(status, value),
                Ok(None) => out.push_empty(Status::Null),
                Err(_) => out.push_empty(Status::Error),
            }
        }
        Ok(out)
    }

    /// Reads the request's values.
    fn given<'a>(&self, request_rows: &[&'a [u8]], rows: usize) -> Result<Given<'a>, Error> {
        self.check_request_rows(request_rows, rows)?;
        let fields = self.request_fields();
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type).collect();
        let mut given = Given { rows: Vec::with_capacity(request_rows.len()), width: types.len() };
        for row in request_rows {
            let cells = packed_row::read_row(row, &types)?;
            let missing = cells.iter().position(|cell| matches!(cell, Cell::Absent));
            if let Some(field) = missing.and_then(|missing| fields.get(missing)) {
                let (name, data_type) = (field.name.as_str(), field.data_type.to_string());
                return Err(Error::Invalid(model::Error::mismatch(
                    format!("request value {name}"),
                    data_type,
                    "nothing: give a value or null",
                )));
            }
            given.rows.push(cells);
        }
        Ok(given)
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

impl<'a> Given<'a> {
    /// The value of `field` for vector `row`.
    fn value(&self, row: usize, field: usize) -> Option<ValueRef<'a>> {
        let cells = self.rows.get(row).or(self.rows.first())?;
        cells.get(field).and_then(|cell| cell.value())
    }
}
