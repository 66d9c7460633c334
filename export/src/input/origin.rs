//! What a row was made of, kept until it is known to be applied.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::LineDelimitedWriter;

use crate::file::Plain;

/// A record as it was in its file.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The text.
    Text(String),
    /// A row of a table.
    Row(Arc<RecordBatch>, usize),
}

impl Origin {
    /// One line: the text as it stands in the file, or the row as a JSON object.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Row(batch, row) => {
                let row = batch.slice(*row, 1);
                let mut writer = LineDelimitedWriter::new(Vec::new());
                let written = Plain::new(&row.schema(), true)
                    .batch(&row)
                    .and_then(|row| writer.write(&row))
                    .and_then(|()| writer.finish());
                // What JSON has no way to write leaves an object without it.
                let bytes = written.map_or_else(|_| b"{}".to_vec(), |()| writer.into_inner());
                String::from_utf8_lossy(&bytes).trim_end().to_owned()
            }
        }
    }
}
