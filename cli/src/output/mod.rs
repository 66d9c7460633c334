//! What goes to standard output: tables for people, JSON lines and CSV for programs. Everything else is standard error's.

mod json;
mod sheet;

use std::io::{IsTerminal, Write};

pub(crate) use json::value_to_json;
pub(crate) use sheet::Sheet;

use crate::error::CliError;

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns.
    Table,
    /// One JSON object a line.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// The format asked for, or a table on a terminal and JSON lines elsewhere.
pub(crate) fn choose(asked: Option<Format>) -> Format {
    asked.unwrap_or(if std::io::stdout().is_terminal() { Format::Table } else { Format::Json })
}

/// Writes `text` and a newline to standard output.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        // `larder scan … | head` has seen enough.
        std::io::ErrorKind::BrokenPipe => CliError::reader_left(),
        _ => CliError::failed(format!("cannot write to standard output: {error}")),
    })
}

/// Writes `text` and a newline to standard error; nobody can be told when that fails.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
