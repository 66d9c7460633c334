//! Arguments of `larder verify`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{output::Format, size};

/// See [`super::Command::Verify`].
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("where").required(true).args(["history", "data"]),
    after_help = "Examples:\n  \
    larder verify --data larder-data\n  \
    larder verify --history backups/monday/history --service fraud_v3 --format json\n\n\
    A service declares log_reads = 0.001, its streams and row groups history = true. The server may go on meanwhile. Exit code 1 when a\n\
    value differs, or when there was nothing to compare."
)]
pub(crate) struct Verify {
    /// The history: `history` in a data directory, or a copy of it.
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,
    /// The data directory that has it.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Only the reads of this service. Repeat for more.
    #[arg(long = "service", value_name = "NAME")]
    pub(crate) services: Vec<String>,
    /// Differences that are shown; all are counted.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) differences: usize,
    /// Memory for reads and what is computed for them; with less, history is gone through more often.
    #[arg(long, default_value = "1GiB", value_name = "SIZE", value_parser = size::parse)]
    pub(crate) memory: u64,
    /// How to print what was found: table or json.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

impl Verify {
    /// The directory of the history.
    pub(crate) fn directory(&self) -> PathBuf {
        let data = self.data.as_deref().map(|data| data.join(export::history::DIRECTORY));
        self.history.clone().or(data).unwrap_or_else(|| Path::new(".").to_owned())
    }
}
