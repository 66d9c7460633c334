//! Columns as a file, for programs that have no Arrow of their own.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use model::column::Column;

use super::{FileFormat, FileWritten, TableWriter};
use crate::{Error, array_of, arrow_type};

/// Writes tables of named columns, one after the other, to a file at `path` whose extension says its format.
///
/// # Errors
/// As [`TableWriter`]; [`Error::Usage`] without a table.
pub fn write_columns(
    path: &Path,
    tables: impl IntoIterator<Item = Vec<(String, Column)>>,
) -> Result<FileWritten, Error> {
    let mut writer = None;
    for table in tables {
        let fields = table
            .iter()
            .map(|(name, column)| Field::new(name, arrow_type(column.data_type()), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let arrays = table.iter().map(|(_, column)| Ok(array_of(column)?.0));
        let batch = RecordBatch::try_new(schema.clone(), arrays.collect::<Result<_, Error>>()?)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(TableWriter::create(path, FileFormat::of_path(path)?, schema)?),
        };
        writer.write(&batch)?;
    }
    writer.ok_or_else(|| Error::Usage("a file needs at least one table".to_owned()))?.finish()
}
