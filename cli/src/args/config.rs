//! Arguments of `larder config`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::output::Format;

/// See [`super::Command::Config`].
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) what: ConfigWhat,
}

/// What to do with a configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigWhat {
    /// Print what `larder serve` would be started with, each option with where it comes from: command line before environment before
    /// file before default. Exit code 1 with everything that is wrong.
    Check(ConfigCheck),
}

/// See [`ConfigWhat::Check`].
#[derive(Debug, Args)]
pub(crate) struct ConfigCheck {
    /// The file; that of LARDER_SERVE_CONFIG when not given, or none.
    pub(crate) file: Option<PathBuf>,
    /// How to print it.
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// Options of `larder serve`, as on its command line.
    #[arg(last = true, value_name = "OPTIONS")]
    pub(crate) options: Vec<OsString>,
}
