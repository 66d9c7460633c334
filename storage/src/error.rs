//! What can go wrong with files, and what to do about it.

use std::sync::Arc;

/// An error of storage.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A file operation failed.
    #[error("{operation} {file}: {source}")]
    Io {
        /// What was tried: `open`, `write`, …
        operation: &'static str,
        /// The file or directory.
        file: String,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// Another process has the directory.
    #[error(
        "{directory} is in use by another larder process{holder}: stop that one, or choose another directory"
    )]
    Locked {
        /// The directory.
        directory: String,
        /// ` (process 123)` when known.
        holder: String,
    },
    /// Acknowledged bytes are damaged. Nothing was touched.
    #[error(
        "{file} is damaged at byte {offset}: {why}; records {first_lsn} to {last_lsn} were acknowledged and cannot be read. \
         Nothing was changed: restore the file from a backup, or give up what cannot be read and all behind it (`larder check`, \
         then `larder repair`)"
    )]
    Corrupt {
        /// The segment.
        file: String,
        /// Bytes from its start.
        offset: u64,
        /// First record that cannot be read.
        first_lsn: u64,
        /// Last record known to have been acknowledged.
        last_lsn: u64,
        /// What is wrong with the bytes.
        why: String,
    },
    /// A file other than the log's is damaged: a manifest, or a part of a snapshot. Nothing was touched.
    #[error(
        "{file} is damaged at byte {offset}: {why}. Nothing was changed: restore the directory from a backup"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Bytes from its start.
        offset: u64,
        /// What is wrong with the bytes.
        why: String,
    },
    /// A file of another release.
    #[error(
        "{file} has format {found}, this release knows up to {supported}: use the release that wrote it"
    )]
    UnsupportedFormat {
        /// The file.
        file: String,
        /// Its format version.
        found: u16,
        /// The newest known.
        supported: u16,
    },
    /// A file that looks like a part of the log, but has no name of one.
    #[error(
        "{file} looks like a segment of the log, but is not called like one: give it back its name if it was renamed, else \
         move it out of the directory"
    )]
    Stray {
        /// The file.
        file: String,
    },
    /// A file that counts is not there. Nothing was touched.
    #[error(
        "{file} is missing: {why}. Nothing was changed: give the file back its name if it was renamed, else restore it from a \
         backup"
    )]
    Missing {
        /// The file.
        file: String,
        /// Who needs it.
        why: String,
    },
    /// A segment that the manifest does not know. Nothing was touched.
    #[error(
        "{file} is a segment that MANIFEST does not list: it belongs to another directory, or MANIFEST was replaced by an older \
         one. Nothing was changed: move the segment out of the directory, or put back the MANIFEST that belongs to it"
    )]
    Unlisted {
        /// The segment.
        file: String,
    },
    /// A repair was interrupted. Its copy of what was before is whole.
    #[error(
        "{file} says that a repair of this directory was begun and not finished: run `larder repair` on the directory, which \
         finishes it, or restore the copy that it made before"
    )]
    Unfinished {
        /// The file.
        file: String,
    },
    /// A copy is to go where there is something already. Nothing was touched.
    #[error("{file} is there already: a copy goes into an empty directory only")]
    NotEmpty {
        /// The file.
        file: String,
    },
    /// A copy that does not fit. Nothing was touched.
    #[error(
        "{directory} has {free} bytes free, the copy needs {needed}: choose another place for it"
    )]
    NoRoom {
        /// Where the copy was to go.
        directory: String,
        /// Bytes free there.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// A log that cannot be cut there. Nothing was touched.
    #[error(
        "the log cannot be cut behind record {last_lsn}: the snapshot needs it up to record {needed}. Nothing was changed: \
         restore the directory from a backup"
    )]
    CannotCut {
        /// The newest record that would be left.
        last_lsn: u64,
        /// The newest record that is needed.
        needed: u64,
    },
    /// A snapshot that the log cannot stand in for. Nothing was touched.
    #[error(
        "the snapshot cannot be dropped: the log begins with record {first_lsn}, what was before is in the snapshot only. Nothing \
         was changed: restore the directory from a backup"
    )]
    CannotDrop {
        /// The first record of the log.
        first_lsn: u64,
    },
    /// A write or sync failed earlier: nothing is acknowledged any more.
    #[error(
        "the log is poisoned: {0}; reads go on, writes are refused: look at the disk, then restart to recover what was \
         acknowledged"
    )]
    Poisoned(Arc<str>),
    /// No space for the log. Writes are refused until there is.
    #[error("{0}: the disk is full; writes are refused until space returns, reads go on")]
    Full(String),
    /// The log was closed.
    #[error("the database is closed")]
    Closed,
    /// A record longer than the log takes.
    #[error("a record of {bytes} bytes is above the limit of {max}: send less in one request")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Durability was asked of a server that keeps no log.
    #[error(
        "this server keeps no log (sync policy memory): it cannot promise more; start it with another policy"
    )]
    NoLog,
    /// The replay of a record failed.
    #[error("record {lsn} cannot be replayed: {why}")]
    Replay {
        /// The record.
        lsn: u64,
        /// What the replayer said.
        why: String,
    },
}

impl Error {
    /// Shorthand for [`Error::Io`]; a full disk becomes [`Error::Full`].
    pub fn io(operation: &'static str, file: impl Into<String>, source: std::io::Error) -> Self {
        let file = file.into();
        let full = [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded];
        if full.contains(&source.kind()) {
            return Self::Full(file);
        }
        Self::broken(operation, file, source)
    }

    /// [`Error::Io`] whatever the system said: a sync that fails for want of space has failed for good, because the system
    /// forgets after telling once.
    pub fn broken(
        operation: &'static str,
        file: impl Into<String>,
        source: std::io::Error,
    ) -> Self {
        Self::Io { operation, file: file.into(), source: Arc::new(source) }
    }
}
