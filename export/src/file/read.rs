//! Tables of a file, batch by batch: Arrow and Parquet as they are, CSV and JSON lines with types that every value has.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{FileFormat, infer};
use crate::Error;

/// Rows of a batch, where the file does not say.
pub(super) const BATCH_ROWS: usize = 1 << 14;
/// What an Arrow file of the *file* format begins with; the *stream* format has no mark.
const ARROW_FILE: &[u8] = b"ARROW1";

pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, Error>>>;

/// See the module.
pub struct TableReader {
    schema: SchemaRef,
    batches: Batches,
    bytes: u64,
    rows: Option<u64>,
}

impl TableReader {
    /// Opens the file at `path`, of the format that its extension says if none is given.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::File`] when it is not of this format.
    pub fn open(path: &Path, format: Option<FileFormat>) -> Result<Self, Error> {
        Self::open_with_text(path, format, &[])
    }

    /// As [`TableReader::open`]; columns of CSV and JSON lines called `text` are read as they are written, as `Utf8`: whoever
    /// knows their types reads them exactly.
    ///
    /// # Errors
    /// As [`TableReader::open`].
    pub fn open_with_text(
        path: &Path,
        format: Option<FileFormat>,
        text: &[&str],
    ) -> Result<Self, Error> {
        let format = format.map_or_else(|| FileFormat::of_path(path), Ok)?;
        let mut file = open_file(path)?;
        let io = |error| Error::io("read it", path, error);
        let bytes = file.metadata().map_err(io)?.len();
        let (schema, batches, rows): (SchemaRef, Batches, _) = match format {
            FileFormat::Arrow => {
                let mut mark = [0; ARROW_FILE.len()];
                let is_file = file.read_exact(&mut mark).is_ok() && mark == ARROW_FILE;
                file.rewind().map_err(io)?;
                let (schema, batches) = arrow(path, file, is_file)?;
                (schema, batches, None)
            }
            FileFormat::Parquet => parquet(path, file)?,
            FileFormat::Csv | FileFormat::Jsonl => {
                drop(file);
                let (schema, batches) = infer::open(path, format, text)?;
                (schema, batches, None)
            }
        };
        Ok(Self { schema, batches, bytes, rows })
    }

    /// A table that is in memory: batches of `schema`.
    pub(crate) fn of_batches(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        Self { schema, batches: Box::new(batches.into_iter().map(Ok)), bytes: 0, rows: Some(rows) }
    }

    /// Its columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows in it, if it says so beforehand.
    #[must_use]
    pub fn rows(&self) -> Option<u64> {
        self.rows
    }
}

impl Iterator for TableReader {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

/// Opens a user's file.
///
/// # Errors
/// [`Error::Io`].
#[expect(clippy::disallowed_methods, reason = "a user's file is no file of a database")]
pub fn open_file(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|error| Error::io("read it", path, error))
}

fn wrong(path: &Path, format: &str, error: &dyn std::fmt::Display) -> Error {
    Error::file(path, format!("cannot read it as {format}: {error}"))
}

fn arrow(path: &Path, file: File, is_file: bool) -> Result<(SchemaRef, Batches), Error> {
    let (input, owned) = (BufReader::with_capacity(1 << 18, file), path.to_owned());
    let failed = move |error: &dyn std::fmt::Display| wrong(&owned, "Arrow", error);
    if is_file {
        let reader = FileReader::try_new(input, None).map_err(|error| failed(&error))?;
        let schema = reader.schema();
        return Ok((schema, Box::new(reader.map(move |batch| batch.map_err(|e| failed(&e))))));
    }
    let reader = StreamReader::try_new(input, None).map_err(|error| failed(&error))?;
    let schema = reader.schema();
    Ok((schema, Box::new(reader.map(move |batch| batch.map_err(|e| failed(&e))))))
}

fn parquet(path: &Path, file: File) -> Result<(SchemaRef, Batches, Option<u64>), Error> {
    let owned: PathBuf = path.to_owned();
    let failed = move |error: &dyn std::fmt::Display| wrong(&owned, "Parquet", error);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&e))?;
    let schema = Arc::clone(builder.schema());
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).ok();
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|e| failed(&e))?;
    Ok((schema, Box::new(reader.map(move |batch| batch.map_err(|e| failed(&e)))), rows))
}
