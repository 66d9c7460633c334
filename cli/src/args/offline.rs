//! Arguments of the commands that look at a data directory without a server.

use std::path::PathBuf;

use clap::Args;

use crate::output::Format;

/// See [`super::Command::Check`].
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The data directory.
    pub(crate) dir: PathBuf,
    /// How to print the report: table or json.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`super::Command::Inspect`].
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The data directory.
    pub(crate) dir: PathBuf,
    /// Also print the batches and records of the log.
    #[arg(long)]
    pub(crate) records: bool,
    /// Also print the sections of the snapshot.
    #[arg(long)]
    pub(crate) sections: bool,
    /// Only batches and records from this record on.
    #[arg(long, value_name = "LSN", requires = "records")]
    pub(crate) from: Option<u64>,
    /// At most so many records.
    #[arg(long, value_name = "N", requires = "records")]
    pub(crate) limit: Option<u64>,
    /// How to print it: table or json.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`super::Command::Repair`].
#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// The data directory.
    pub(crate) dir: PathBuf,
    /// Cut the log before this record: it and all behind it are lost. Records that were written together stay or go together.
    #[arg(long, value_name = "LSN", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "cut_damage")]
    pub(crate) cut_at: Option<u64>,
    /// Cut the log where it is damaged first: all behind it is lost.
    #[arg(long)]
    pub(crate) cut_damage: bool,
    /// Drop the snapshot: the log must reach back to its first record.
    #[arg(long)]
    pub(crate) drop_snapshot: bool,
    /// Where to put the copy that is made before: a directory that is empty or not there [default: DIR.before-repair-N].
    #[arg(long, value_name = "DIR")]
    pub(crate) copy_to: Option<PathBuf>,
    /// Do it; only the plan is shown when not given.
    #[arg(long)]
    pub(crate) yes: bool,
    /// How to print the plan: table or json.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}
