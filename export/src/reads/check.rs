//! Whether logged reads are what their names say: of their checksums, whole, with every vector of them readable.

use std::path::{Path, PathBuf};

use super::{ReadFile, ReadFileReader, ReadLogReader};
use crate::Error;

/// A file of logged reads that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadsProblem {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadsChecked {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Vectors in them.
    pub vectors: u64,
    /// All that is wrong.
    pub problems: Vec<ReadsProblem>,
}

/// Reads every byte of the logged reads in the history directory `history`, and changes none; `None` where none were ever logged.
///
/// # Errors
/// [`Error::Io`] when a directory cannot be read. What is damaged is among the problems.
pub fn check(history: &Path) -> Result<Option<ReadsChecked>, Error> {
    let log = ReadLogReader::new(history);
    let services = log.services()?;
    if services.is_empty() {
        return Ok(None);
    }
    let mut checked = ReadsChecked::default();
    for service in services {
        for file in log.files(&service)? {
            checked.files += 1;
            checked.bytes += file.bytes;
            match vectors(&service, &file) {
                Ok(vectors) => checked.vectors += vectors,
                Err(error) => {
                    let what = error.to_string();
                    checked.problems.push(ReadsProblem { file: file.path, what });
                }
            }
        }
    }
    Ok(Some(checked))
}

/// How many vectors are in `file`, which lies in the directory of `service`.
fn vectors(service: &str, file: &ReadFile) -> Result<u64, Error> {
    let mut open = ReadFileReader::open(file)?;
    if open.service() != service {
        let what = format!(
            "it is of service {}: move it to the directory of that, or remove it, it is a sample",
            open.service()
        );
        return Err(Error::file(&file.path, what));
    }
    open.rows()
}
