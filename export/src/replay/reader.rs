//! Tables of a file, batch by batch.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_csv::reader::Format;
use arrow_ipc::reader::FileReader;
use arrow_json::reader::infer_json_schema_from_seekable;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::{Error, file::FileFormat};

/// Rows of a batch, where the file does not say.
const BATCH_ROWS: usize = 1 << 16;
/// Records that types of text files are inferred from: all of them.
const INFERRED: Option<usize> = None;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// See the module.
pub(super) struct TableReader {
    schema: SchemaRef,
    batches: Batches,
    name: Arc<Path>,
}

impl TableReader {
    /// Opens the file at `path`, of the format that its extension says.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::File`].
    #[expect(clippy::disallowed_methods, reason = "a user's file is no file of a database")]
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let wrong =
            |error: &dyn std::fmt::Display| Error::file(path, format!("cannot read it: {error}"));
        let format = FileFormat::of_path(path)?;
        let mut file = File::open(path).map_err(|error| Error::io("read it", path, error))?;
        let (schema, batches): (SchemaRef, Batches) = match format {
            FileFormat::Arrow => {
                let reader = FileReader::try_new_buffered(file, None).map_err(|e| wrong(&e))?;
                (reader.schema(), Box::new(reader))
            }
            FileFormat::Parquet => {
                let builder =
                    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| wrong(&e))?;
                let schema = builder.schema().clone();
                let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|e| wrong(&e))?;
                (schema, Box::new(reader))
            }
            FileFormat::Csv => {
                let format = Format::default().with_header(true);
                let (schema, _) =
                    format.infer_schema(BufReader::new(&file), INFERRED).map_err(|e| wrong(&e))?;
                file.rewind().map_err(|error| Error::io("read it", path, error))?;
                let schema: SchemaRef = Arc::new(schema);
                let builder = arrow_csv::ReaderBuilder::new(schema.clone()).with_header(true);
                let reader =
                    builder.with_batch_size(BATCH_ROWS).build(file).map_err(|e| wrong(&e))?;
                (schema, Box::new(reader))
            }
            FileFormat::Jsonl => {
                let mut input = BufReader::new(file);
                let (schema, _) =
                    infer_json_schema_from_seekable(&mut input, INFERRED).map_err(|e| wrong(&e))?;
                let schema: SchemaRef = Arc::new(schema);
                let builder = arrow_json::ReaderBuilder::new(schema.clone());
                let reader =
                    builder.with_batch_size(BATCH_ROWS).build(input).map_err(|e| wrong(&e))?;
                (schema, Box::new(reader))
            }
        };
        Ok(Self { schema, batches, name: path.into() })
    }

    /// Its columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Iterator for TableReader {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batches.next()?;
        Some(batch.map_err(|error| Error::file(&self.name, format!("cannot read it: {error}"))))
    }
}
