//! One file for each command.

pub(crate) mod access;
pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod checkpoint;
pub(crate) mod config;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod inspect;
pub(crate) mod push;
pub(crate) mod put;
pub(crate) mod ready;
pub(crate) mod repair;
pub(crate) mod replay;
pub(crate) mod retract;
pub(crate) mod scan;
pub(crate) mod serve;
pub(crate) mod stats;
pub(crate) mod top;
pub(crate) mod verify;

mod load;

pub(crate) use load::Patience;
mod vectors;

use std::path::Path;

use crate::error::CliError;

/// The text of a definitions file.
#[expect(
    clippy::disallowed_methods,
    reason = "a user's file is read as it is; it is no file of a database"
)]
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    use std::io::Read;
    let mut text = String::new();
    let opened = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    match opened {
        Ok(_) => Ok(text),
        Err(error) => {
            Err(CliError::failed(format!("{}: cannot read the file: {error}", path.display())))
        }
    }
}

/// The file's name as messages show it.
fn shown_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
