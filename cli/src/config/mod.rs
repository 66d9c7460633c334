//! What `larder serve` is started with: its command line before the environment before a file before defaults.
//!
//! There is one list of options, that of the command line. An option `--checkpoint-every` is the key `checkpoint_every` of a file and
//! the variable `LARDER_SERVE_CHECKPOINT_EVERY`; values are written alike in all three. What a file says is put in front of the words
//! of the command line, so that one reader checks all of it.

mod file;
mod merge;
mod options;

use std::ffi::OsString;

use clap::FromArgMatches;

pub(crate) use merge::Merged;

use crate::{args::Cli, error::CliError};

/// Reads the command line `words`, the program's name first. Wrong usage ends the process, as does `--help`.
///
/// # Errors
/// Everything that is wrong with the file or the environment of `larder serve`.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Cli, CliError> {
    let is_serve = words.get(1).is_some_and(|word| word == options::SERVE);
    let words = if is_serve { Merged::new(words)?.into_words()? } else { words };
    let matches = options::command().get_matches_from(words);
    Cli::from_arg_matches(&matches).map_err(|error| CliError::usage(error.to_string()))
}
