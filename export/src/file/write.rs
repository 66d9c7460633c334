//! Writes a table to a file that is there whole or not at all.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_json::writer::{LineDelimited, Writer as JsonWriter, WriterBuilder as JsonBuilder};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::FileFormat;
use super::disk::Unfinished;
use super::plain::Plain;
use crate::Error;

/// Rows of a Parquet row group, the unit that readers skip and share out among threads.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Encoded bytes of one, so that wide tables do not gather in memory.
const ROW_GROUP_BYTES: usize = 128 << 20;
/// Columns of features hardly get smaller at higher levels, which cost half as much again.
const ZSTD_LEVEL: i32 = 1;

/// A table on its way to a file. Dropped unfinished, it leaves nothing behind.
pub struct TableWriter {
    sink: Sink,
    schema: SchemaRef,
    path: PathBuf,
    rows: u64,
}

/// A file that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileWritten {
    /// Rows in it.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// CRC-64/NVME of its bytes.
    pub checksum: u64,
}

enum Sink {
    Arrow(FileWriter<Unfinished>),
    Parquet(Box<ArrowWriter<Unfinished>>),
    Csv(arrow_csv::Writer<Unfinished>, Plain),
    Jsonl(JsonWriter<Unfinished, LineDelimited>, Plain),
}

impl TableWriter {
    /// Begins a file at `path`, for tables of `schema`. Its directory must be there; a file of this name stays until
    /// [`TableWriter::finish`].
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Usage`] when the format has no such type.
    pub fn create(path: &Path, format: FileFormat, schema: SchemaRef) -> Result<Self, Error> {
        Self::create_unsearched(path, format, schema, usize::MAX)
    }

    /// As [`TableWriter::create`]; nobody looks for rows by floats and decimals from column `from` on: Parquet has no least and greatest
    /// of them.
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub(crate) fn create_unsearched(
        path: &Path,
        format: FileFormat,
        schema: SchemaRef,
        from: usize,
    ) -> Result<Self, Error> {
        let file = Unfinished::create(path)?;
        let sink = match format {
            FileFormat::Arrow => {
                let options = IpcWriteOptions::default()
                    .try_with_compression(Some(CompressionType::ZSTD))
                    .map_err(|error| failed(path, error))?;
                let writer = FileWriter::try_new_with_options(file, &schema, options);
                Sink::Arrow(writer.map_err(|error| failed(path, error))?)
            }
            FileFormat::Parquet => {
                let level = ZstdLevel::try_new(ZSTD_LEVEL);
                let level = level.map_err(|error| parquet_failed(path, error))?;
                let mut properties = WriterProperties::builder();
                for (place, field) in schema.fields().iter().enumerate() {
                    if !is_measured(field) {
                        continue;
                    }
                    let column = ColumnPath::from(field.name().as_str());
                    // Floats seldom repeat: a dictionary of them is made and thrown away.
                    properties = properties.set_column_dictionary_enabled(column.clone(), false);
                    if place >= from {
                        // For least and greatest each value is compared twice.
                        properties = properties
                            .set_column_statistics_enabled(column, EnabledStatistics::None);
                    }
                }
                let properties = properties
                    .set_compression(Compression::ZSTD(level))
                    .set_statistics_enabled(EnabledStatistics::Chunk)
                    .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                    .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
                    .set_created_by(concat!("larder ", env!("CARGO_PKG_VERSION")).to_owned())
                    .build();
                let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties));
                Sink::Parquet(Box::new(writer.map_err(|error| parquet_failed(path, error))?))
            }
            FileFormat::Csv => {
                let plain = Plain::new(&schema, false);
                let mut writer = arrow_csv::Writer::new(file);
                // The header is there even when no row follows.
                writer.write(&plain.empty()).map_err(|error| failed(path, error))?;
                Sink::Csv(writer, plain)
            }
            FileFormat::Jsonl => {
                let writer = JsonBuilder::new().with_explicit_nulls(true).build(file);
                Sink::Jsonl(writer, Plain::new(&schema, true))
            }
        };
        Ok(Self { sink, schema, path: path.to_owned(), rows: 0 })
    }

    /// What the tables look like that it takes.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows taken so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes written so far, some of which may still wait in memory.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.sink {
            Sink::Arrow(writer) => writer.get_ref().bytes(),
            Sink::Parquet(writer) => writer.bytes_written() as u64,
            // What CSV's writer has gathered cannot be seen.
            Sink::Csv(..) => 0,
            Sink::Jsonl(writer, _) => writer.get_ref().bytes(),
        }
    }

    /// Appends the rows of `batch`, which has the file's schema.
    ///
    /// # Errors
    /// [`Error::Io`]; the file is to be given up then.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let path = &self.path;
        match &mut self.sink {
            Sink::Arrow(writer) => writer.write(batch).map_err(|error| failed(path, error)),
            Sink::Parquet(writer) => {
                writer.write(batch).map_err(|error| parquet_failed(path, error))
            }
            Sink::Csv(writer, plain) => plain
                .batch(batch)
                .and_then(|batch| writer.write(&batch))
                .map_err(|error| failed(path, error)),
            Sink::Jsonl(writer, plain) => plain
                .batch(batch)
                .and_then(|batch| writer.write(&batch))
                .map_err(|error| failed(path, error)),
        }?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Ends the file and gives it its name; it survives a power loss once this returns.
    ///
    /// # Errors
    /// [`Error::Io`]; a file that had the name is still there then.
    pub fn finish(self) -> Result<FileWritten, Error> {
        let path = self.path.clone();
        self.finish_as(|_| path)
    }

    /// As [`TableWriter::finish`], under a name that what was written makes, in the same directory.
    ///
    /// # Errors
    /// As [`TableWriter::finish`].
    pub fn finish_as(
        self,
        name: impl FnOnce(&FileWritten) -> PathBuf,
    ) -> Result<FileWritten, Error> {
        let path = &self.path;
        let mut file = match self.sink {
            Sink::Arrow(writer) => writer.into_inner().map_err(|error| failed(path, error))?,
            Sink::Parquet(writer) => {
                writer.into_inner().map_err(|error| parquet_failed(path, error))?
            }
            Sink::Csv(writer, _) => writer.into_inner(),
            Sink::Jsonl(mut writer, _) => {
                writer.finish().map_err(|error| failed(path, error))?;
                writer.into_inner()
            }
        };
        let written =
            FileWritten { rows: self.rows, bytes: file.bytes(), checksum: file.checksum() };
        file.rename(name(&written));
        file.finish()?;
        Ok(written)
    }
}

/// True for floats and decimals.
fn is_measured(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Float64 | DataType::Decimal128(..))
}

fn failed(path: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::io("write it", path, source),
        other => Error::Arrow(other),
    }
}

/// The package wraps what the system says in layers.
fn parquet_failed(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(source) => Error::io("write it", path, *source),
            Err(cause) => Error::file(path, format!("cannot write it: {cause}")),
        },
        other => Error::file(path, format!("cannot write it: {other}")),
    }
}
