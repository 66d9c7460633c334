//! Files of rows and events: records with line numbers, from `.jsonl` and `.csv` files or standard input.
//!
//! A record that cannot be read is a problem of its line, not of the file: it is counted, shown and can be kept.

mod bind;
mod csv;
mod jsonl;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

pub(crate) use bind::{Binding, Skipped};

use crate::error::CliError;

/// One record of a file.
#[derive(Debug)]
pub(crate) struct Record {
    /// First line of it, from 1.
    pub(crate) line: u64,
    /// The text as it stands in the file, for `--rejected`.
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

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum InputFormat {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

/// An open input.
pub(crate) struct Input {
    records: Box<dyn Iterator<Item = Result<Record, CliError>>>,
    /// Columns of a CSV file.
    pub(crate) header: Option<Vec<String>>,
    /// The header line as it stands in the file.
    pub(crate) header_raw: Option<String>,
    /// Bytes of the file; `None` for standard input.
    pub(crate) bytes: Option<u64>,
}

impl Input {
    /// Opens `path`, or standard input for `-`. The format follows from the name; `-` needs one.
    pub(crate) fn open(path: &Path, format: Option<InputFormat>) -> Result<Self, CliError> {
        let format = format.or_else(|| format_of(path)).ok_or_else(|| {
            CliError::usage(format!(
                "{}: cannot tell the format from the name: use .jsonl or .csv, or say --input-format",
                path.display()
            ))
        })?;
        if path.as_os_str() == "-" {
            return Self::from_reader(Box::new(std::io::stdin()), format, None);
        }
        let file = open_file(path)?;
        let bytes = file.metadata().ok().map(|metadata| metadata.len());
        Self::from_reader(Box::new(file), format, bytes)
            .map_err(|error| error.context(&path.display().to_string()))
    }

    /// Records that are given as JSON objects.
    pub(crate) fn of_json(objects: &[String]) -> Result<Self, CliError> {
        // A line each: an object that was written over several lines is one record all the same.
        let lines: Vec<_> =
            objects.iter().map(|object| object.replace(['\n', '\r'], " ")).collect();
        let text = std::io::Cursor::new(lines.join("\n"));
        Self::from_reader(Box::new(text), InputFormat::Jsonl, None)
    }

    fn from_reader(
        reader: Box<dyn Read>,
        format: InputFormat,
        bytes: Option<u64>,
    ) -> Result<Self, CliError> {
        let lines: Box<dyn BufRead> = Box::new(BufReader::with_capacity(1 << 18, reader));
        match format {
            InputFormat::Jsonl => Ok(Self {
                records: Box::new(jsonl::records(lines)),
                header: None,
                header_raw: None,
                bytes,
            }),
            InputFormat::Csv => {
                let (header, header_raw, records) = csv::records(lines)?;
                let records = Box::new(records);
                Ok(Self { records, header: Some(header), header_raw: Some(header_raw), bytes })
            }
        }
    }
}

impl Iterator for Input {
    type Item = Result<Record, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.records.next()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a user's input file is read as it is; it is no file of a database"
)]
pub(crate) fn open_file(path: &Path) -> Result<std::fs::File, CliError> {
    std::fs::File::open(path).map_err(|error| {
        CliError::failed(format!("{}: cannot read the file: {error}", path.display()))
    })
}

fn format_of(path: &Path) -> Option<InputFormat> {
    match path.extension()?.to_str()? {
        "jsonl" | "ndjson" => Some(InputFormat::Jsonl),
        "csv" => Some(InputFormat::Csv),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str, format: InputFormat) -> Vec<(u64, Result<String, String>)> {
        let input = Input::from_reader(Box::new(text.as_bytes()), format, None).expect("opens");
        input
            .map(|record| {
                let record = record.expect("no i/o error");
                (record.line, record.content.map(|content| format!("{content:?}")))
            })
            .collect()
    }

    #[test]
    fn json_lines_keep_their_numbers_and_bad_lines_stay_in_place() {
        let records = read("{\"a\":0.10}\n\n[1]\n{\"a\":\n", InputFormat::Jsonl);
        assert_eq!(records.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4]);
        assert!(records[0].1.as_ref().is_ok_and(|text| text.contains("0.10")), "{records:?}");
        assert!(records[1].1.as_ref().is_err_and(|why| why.contains("object")), "{records:?}");
        assert!(records[2].1.is_err());
    }

    #[test]
    fn csv_cells_may_hold_quotes_and_newlines() {
        let records = read("a,b\n\"x, \"\"y\"\"\nz\",1\nonly\n,2\n", InputFormat::Csv);
        assert_eq!(records.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 5]);
        assert_eq!(records[0].1, Ok("Csv([\"x, \\\"y\\\"\\nz\", \"1\"])".to_owned()));
        assert!(records[1].1.as_ref().is_err_and(|why| why.contains("1 cell")), "{records:?}");
    }

    #[test]
    fn the_format_follows_the_name_or_is_asked_for() {
        let error = Input::open(Path::new("events.parquet"), None).err().expect("unknown");
        assert!(error.to_string().contains("--input-format"), "{error}");
        let error = Input::open(Path::new("/nowhere/x.csv"), None).err().expect("missing");
        assert!(error.to_string().contains("/nowhere/x.csv: cannot read"), "{error}");
    }
}
