//! Tables as text formats can hold them, in the words that are read back.
//!
//! Time zones are written as UTC: a named one is a table of rules that nobody has to bring along, and the moment is the same.
//! For CSV, vectors become text.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType as Arrow, Schema, SchemaRef};

/// UTC as an offset.
const UTC: &str = "+00:00";

/// How a format changes a table.
pub(crate) struct Plain {
    schema: SchemaRef,
    keeps_lists: bool,
}

impl Plain {
    /// For tables of `schema`; JSON keeps lists.
    pub(crate) fn new(schema: &Schema, keeps_lists: bool) -> Self {
        let fields = schema.fields().iter().map(|field| {
            let plain = plain_type(field.data_type(), keeps_lists);
            Arc::new(field.as_ref().clone().with_data_type(plain))
        });
        let fields: Vec<_> = fields.collect();
        let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
        Self { schema: Arc::new(schema), keeps_lists }
    }

    /// No rows.
    pub(crate) fn empty(&self) -> RecordBatch {
        RecordBatch::new_empty(Arc::clone(&self.schema))
    }

    /// `batch` as the format can hold it.
    pub(crate) fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().map(|column| {
            match plain_type(column.data_type(), self.keeps_lists) {
                same if same == *column.data_type() => Ok(Arc::clone(column)),
                Arrow::Utf8 => text(column),
                // Another zone for the same moments.
                other => cast(column, &other),
            }
        });
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<_, _>>()?)
    }
}

fn plain_type(arrow: &Arrow, keeps_lists: bool) -> Arrow {
    match arrow {
        Arrow::Timestamp(unit, Some(_)) => Arrow::Timestamp(*unit, Some(UTC.into())),
        nested if nested.is_nested() && !keeps_lists => Arrow::Utf8,
        other => other.clone(),
    }
}

/// Each value in one cell: `[1.5, 2.0]`.
fn text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let cell = |row| column.is_valid(row).then(|| formatter.value(row).try_to_string()).transpose();
    let cells: Result<StringArray, ArrowError> = (0..column.len()).map(cell).collect();
    Ok(Arc::new(cells?))
}
