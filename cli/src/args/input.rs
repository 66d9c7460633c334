//! Arguments of the commands that read a file of rows or events.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use export::file::FileFormat;

use super::Server;
use crate::{output::Format, trigger};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl From<InputFormat> for FileFormat {
    fn from(format: InputFormat) -> Self {
        match format {
            InputFormat::Jsonl => Self::Jsonl,
            InputFormat::Csv => Self::Csv,
            InputFormat::Parquet => Self::Parquet,
            InputFormat::Arrow => Self::Arrow,
        }
    }
}

/// Reads `FIELD=COLUMN`; a column may have a `=`.
fn field_and_column(text: &str) -> Result<(String, String), String> {
    let pair =
        text.split_once('=').filter(|(field, column)| !field.is_empty() && !column.is_empty());
    let (field, column) = pair.ok_or("write FIELD=COLUMN, like amount=amt_usd")?;
    Ok((field.to_owned(), column.to_owned()))
}

/// See [`super::Command::Push`] and [`super::Command::Put`].
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The stream to push into, or the row group to put into.
    pub(crate) target: String,
    /// A .jsonl, .csv, .parquet or .arrow file, or - for standard input.
    pub(crate) file: PathBuf,
    /// Format of the file; follows from its name when not given.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) input_format: Option<InputFormat>,
    /// A column of the file that gives a field of another name. Repeat for more.
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_parser = field_and_column)]
    pub(crate) maps: Vec<(String, String)>,
    /// Keep rejected records in this file: as they stand in a text file, as JSON lines of a table.
    #[arg(long, value_name = "FILE")]
    pub(crate) rejected: Option<PathBuf>,
    /// A name for this load: run again with the same name and file, what was already applied is not applied twice. Batches are then cut one way, hence not with --batch.
    #[arg(long, value_name = "NAME", conflicts_with = "batch")]
    pub(crate) producer: Option<String>,
    /// Rows in one request.
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) batch: u16,
    /// How long a batch is sent again, under its number, while the server is away: 10s, 5m.
    #[arg(long, default_value = "1m", value_name = "TIME", value_parser = trigger::patience)]
    pub(crate) retry_for: Duration,
    #[command(flatten)]
    pub(crate) server: Server,
    /// How to print the counts.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`super::Command::Retract`].
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["file", "events"]))]
pub(crate) struct Retract {
    /// The stream, which declares retract = true.
    pub(crate) stream: String,
    /// A .jsonl, .csv, .parquet or .arrow file of events, or - for standard input. What counts of an event is its id, its time and its keys.
    pub(crate) file: Option<PathBuf>,
    /// An event as a JSON object, instead of a file. Repeat for more.
    #[arg(long = "event", value_name = "JSON")]
    pub(crate) events: Vec<String>,
    /// Format of the file; follows from its name when not given.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) input_format: Option<InputFormat>,
    /// A column of the file that gives a field of another name. Repeat for more.
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_parser = field_and_column)]
    pub(crate) maps: Vec<(String, String)>,
    /// Keep rejected records in this file: as they stand in a text file, as JSON lines of a table.
    #[arg(long, value_name = "FILE")]
    pub(crate) rejected: Option<PathBuf>,
    /// Events in one request.
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) batch: u16,
    /// How long a batch is sent again, under its number, while the server is away: 10s, 5m.
    #[arg(long, default_value = "1m", value_name = "TIME", value_parser = trigger::patience)]
    pub(crate) retry_for: Duration,
    #[command(flatten)]
    pub(crate) server: Server,
    /// How to print the counts.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}
