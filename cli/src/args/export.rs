//! Arguments of `larder export`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::Server;
use crate::output::Format;

/// See [`super::Command::Export`].
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("where").required(true).args(["name", "out"]),
    after_help = "\
Who writes:
  larder export --name nightly              the server, into nightly/ below its --export-dir; the files stay on its machine
  larder export --out nightly               the server likewise, under a name of its own; this command then takes the files to
                                            nightly/, which works on the server's machine
  larder export --data larder-data --out x  this command; no server may have larder-data open, and nothing in it changes

Each group is a directory of files of at most a million rows; manifest.json, written last, says what they are."
)]
pub(crate) struct Export {
    /// Name of the export, a new directory on the server's machine: letters, digits, `_`, `-` and `.`.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Directory for the files, which must be empty or not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Export this data directory, which no server has open, instead of a server's database.
    #[arg(long, value_name = "DIR", requires = "out", conflicts_with = "name")]
    pub(crate) data: Option<PathBuf>,
    /// Format of the files.
    #[arg(long = "format", default_value = "arrow", value_name = "FORMAT")]
    pub(crate) file_format: FileFormat,
    /// The time values are of: RFC 3339 or ms since 1970; now when not given.
    #[arg(long, allow_hyphen_values = true, value_name = "T")]
    pub(crate) as_of: Option<String>,
    /// A group. Repeat for more; all of them when not given.
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// Also write the sets that approx_distinct counts, as Apache DataSketches HLL sketches.
    #[arg(long)]
    pub(crate) partials: bool,
    #[command(flatten)]
    pub(crate) server: Server,
    /// How to print the list of files.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) print: Option<Format>,
}

/// See [`Export::file_format`].
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FileFormat {
    /// Arrow IPC files, with zstd.
    Arrow,
    /// Parquet, with zstd.
    Parquet,
}
