//! What is wrong with a directory, where, and what to do about it.

use storage::Remedy;

use crate::{Error, StorageError};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Where in it, in bytes.
    pub offset: Option<u64>,
    /// The records that cannot be read for it, first and last; the last is the newest that is known to have been there.
    pub records: Option<(u64, u64)>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// For whatever the log cannot make good.
pub(super) const RESTORE: &str = Remedy::Backup.as_str();
/// For damage of the log.
pub(super) const CUT: &str = "restore the directory from a backup, or give up what cannot be read and all behind it: larder repair --cut-damage";
/// For damage of a snapshot, when nothing of the log was removed yet.
pub(super) const DROP: &str = Remedy::DropSnapshot.as_str();
/// For bytes that nothing reads.
pub(super) const NOTHING_LOST: &str = "nothing is lost, and a server starts on it: but nobody writes there, so somebody or something \
     else wrote into the file; look at the disk, and restore the directory from a backup";

impl Problem {
    /// A problem of a whole file.
    pub(super) fn of(file: &str, what: impl Into<String>, remedy: &str) -> Self {
        let (file, remedy) = (file.to_owned(), remedy.to_owned());
        Self { file, offset: None, records: None, what: what.into(), remedy }
    }

    /// What an error of storage says.
    pub(super) fn from_storage(error: &StorageError, file: &str) -> Self {
        let at = |file: &str, offset: u64, what: &str, remedy: &str| Self {
            offset: Some(offset),
            ..Self::of(file, what, remedy)
        };
        match error {
            StorageError::Corrupt { file, offset, first_lsn, last_lsn, why } => {
                let records = Some((*first_lsn, *last_lsn));
                Self { records, ..at(file, *offset, why, CUT) }
            }
            StorageError::Damaged { file, offset, why, remedy } => {
                at(file, *offset, why, remedy.as_str())
            }
            StorageError::Missing { file, why } => {
                let remedy =
                    "give the file back its name if it was renamed, else restore it from a backup";
                Self::of(file, format!("it is missing: {why}"), remedy)
            }
            StorageError::Stray { file } => Self::of(
                file,
                "it looks like a segment of the log, but is not called like one",
                "give it back its name if it was renamed, else move it out of the directory",
            ),
            StorageError::Unlisted { file } => Self::of(
                file,
                "MANIFEST does not list this segment: it belongs to another directory, or MANIFEST was replaced by an older one",
                "move the segment out of the directory, or put back the MANIFEST that belongs to it",
            ),
            StorageError::UnsupportedFormat { file, found, supported } => Self::of(
                file,
                format!("it has format {found}, this release knows up to {supported}"),
                "use the release that wrote it",
            ),
            StorageError::Unfinished { file } => Self::of(
                file,
                "a repair of this directory was begun and not finished",
                "finish it: larder repair --yes",
            ),
            StorageError::NoDatabase { .. } => {
                Self::of(file, error.to_string(), "look whether it is the right directory")
            }
            other => Self::of(file, other.to_string(), "look at the disk, then check again"),
        }
    }

    /// What an error of the engine says of `file`.
    pub(super) fn from_engine(error: &Error, file: &str, remedy: &str) -> Self {
        match error {
            Error::Storage(error) => Self::from_storage(error, file),
            other => Self::of(file, other.to_string(), remedy),
        }
    }
}
