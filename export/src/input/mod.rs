//! Files of rows and events as typed values, record by record: Arrow, Parquet, CSV and JSON lines, one way for all.
//!
//! A record that cannot be read is a problem of its line or row, not of the file: it is counted, shown and can be kept.

mod bind;
pub(crate) mod columns;
pub(crate) mod csv;
pub(crate) mod jsonl;
mod number;
mod numbers;
mod origin;
mod rows;
pub(crate) mod text;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

pub use bind::{Mapping, Wanted};
pub use origin::Origin;
pub use rows::Rows;

use crate::Error;
use crate::file::{FileFormat, TableReader, open_file};
use bind::Binding;

/// One record of a text file.
#[derive(Debug)]
pub(crate) struct Record {
    /// First line of it, from 1.
    pub(crate) line: u64,
    /// The text as it stands in the file.
    pub(crate) raw: String,
    /// What could be read.
    pub(crate) content: Result<Content, String>,
}

/// The fields of a record.
#[derive(Debug)]
pub(crate) enum Content {
    /// Cells in the order of the header; an empty cell is null.
    Csv(Vec<String>),
    /// An object.
    Json(serde_json::Map<String, serde_json::Value>),
}

/// The records of a text file.
pub(crate) type Records = Box<dyn Iterator<Item = Result<Record, Error>>>;

/// An open file, or standard input.
pub struct Input {
    source: Source,
    path: PathBuf,
    /// Names of its columns, where it says them beforehand.
    header: Option<Vec<String>>,
    header_raw: Option<String>,
    size: Option<Size>,
}

enum Source {
    Text(Records),
    Table(TableReader),
}

/// How much there is to read, in what [`Rows::done`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Bytes of a text file.
    Bytes(u64),
    /// Rows of a table.
    Rows(u64),
}

impl Input {
    /// Opens `path`, or standard input for `-`. The format follows from the name; `-` needs one.
    ///
    /// # Errors
    /// [`Error::Usage`] when the format is not known, [`Error::Io`], [`Error::File`].
    pub fn open(path: &Path, format: Option<FileFormat>) -> Result<Self, Error> {
        let is_stdin = path.as_os_str() == "-";
        let format = format.map_or_else(|| FileFormat::of_path(path), Ok);
        let format = format
            .map_err(|error| Error::Usage(format!("{error}; or say it with --input-format")))?;
        if matches!(format, FileFormat::Arrow | FileFormat::Parquet) {
            if is_stdin {
                let what =
                    "standard input is read as jsonl or csv; write arrow and parquet to a file";
                return Err(Error::Usage(what.to_owned()));
            }
            return Ok(Self::of_table(path, TableReader::open(path, Some(format))?));
        }
        if is_stdin {
            return Self::of_text(path, Box::new(std::io::stdin()), format, None);
        }
        let file = open_file(path)?;
        let bytes = file.metadata().ok().map(|metadata| metadata.len());
        Self::of_text(path, Box::new(file), format, bytes)
    }

    /// Rows of a table, called `name` in messages.
    pub(crate) fn of_table(name: &Path, reader: TableReader) -> Self {
        let schema = reader.schema();
        let header = schema.fields().iter().map(|field| field.name().clone()).collect();
        let size = reader.rows().map(Size::Rows);
        let (path, source) = (name.to_owned(), Source::Table(reader));
        Self { source, path, header: Some(header), header_raw: None, size }
    }

    /// Names of its columns; none of a file whose records name their own fields.
    pub(crate) fn header(&self) -> Option<&[String]> {
        self.header.as_deref()
    }

    /// Its name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Records that are given as JSON objects, on the command line as `name`.
    ///
    /// # Errors
    /// None: what is no object is a record that cannot be read.
    pub fn of_json(name: &str, objects: &[String]) -> Result<Self, Error> {
        // A line each: an object that was written over several lines is one record all the same.
        let lines: Vec<_> =
            objects.iter().map(|object| object.replace(['\n', '\r'], " ")).collect();
        let text = std::io::Cursor::new(lines.join("\n"));
        Self::of_text(Path::new(name), Box::new(text), FileFormat::Jsonl, None)
    }

    fn of_text(
        path: &Path,
        reader: Box<dyn Read>,
        format: FileFormat,
        bytes: Option<u64>,
    ) -> Result<Self, Error> {
        let lines = Box::new(BufReader::with_capacity(1 << 18, reader));
        let (header, records) = records(path, lines, format)?;
        let (header, header_raw) = header.unzip();
        let (source, path) = (Source::Text(records), path.to_owned());
        Ok(Self { source, path, header, header_raw, size: bytes.map(Size::Bytes) })
    }

    /// Binds its columns to what is wanted of them.
    ///
    /// # Errors
    /// [`Error::File`] names a column that is missing, or of another type, and what is accepted; [`Error::Usage`] a name in
    /// `mapping` that there is not.
    pub fn bind(self, wanted: Wanted, mapping: &Mapping) -> Result<Rows, Error> {
        let binding = Binding::new(&self.path, wanted, mapping, self.header.as_deref())?;
        Rows::new(self, binding)
    }

    /// The header line as it stands in a CSV file.
    #[must_use]
    pub fn header_raw(&self) -> Option<&str> {
        self.header_raw.as_deref()
    }

    /// How much there is to read; `None` when nobody knows.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        self.size
    }
}

/// Columns of a CSV file, and its first line as it stands there.
type Header = (Vec<String>, String);

/// What a text file begins with, and its records.
pub(crate) fn records(
    path: &Path,
    lines: Box<dyn BufRead>,
    format: FileFormat,
) -> Result<(Option<Header>, Records), Error> {
    if format == FileFormat::Csv {
        let (header, header_raw, records) = csv::records(path, lines)?;
        return Ok((Some((header, header_raw)), Box::new(records)));
    }
    Ok((None, Box::new(jsonl::records(path, lines))))
}
