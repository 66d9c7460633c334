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
        "{file} is damaged at byte {offset}: {why}. Nothing was changed: {}",
        .remedy.as_str()
    )]
    Damaged {
        /// The file.
        file: String,
        /// Bytes from its start.
        offset: u64,
        /// What is wrong with the bytes.
        why: String,
        /// What to do.
        remedy: Remedy,
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
        "the snapshot cannot be dropped: {}. Nothing was changed: restore the directory from a backup",
        log_begins(*.first_lsn)
    )]
    CannotDrop {
        /// The first record of the log; `None`: no segment of it can be used.
        first_lsn: Option<u64>,
    },
    /// A write or sync failed earlier: nothing is acknowledged any more.
    #[error(
        "the log is poisoned: {0}; reads go on, writes are refused: look at the disk, then restart to recover what was \
         acknowledged"
    )]
    Poisoned(Arc<str>),
    /// No space: for which file, and what follows from it.
    #[error("the disk is full: {0}")]
    Full(String),
    /// A directory with a log was to be opened without one. Nothing was touched.
    #[error(
        "{file} is a segment of a log, which sync policy memory neither reads nor writes: nothing of what is in the directory would \
         be served. Nothing was changed: choose policy always, interval or os to serve it, or another directory for a database \
         that is kept in memory only"
    )]
    HasLog {
        /// The segment.
        file: String,
    },
    /// A directory that is no database's. Nothing was touched.
    #[error("there is no database in {directory}")]
    NoDatabase {
        /// The directory.
        directory: String,
    },
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

/// What to do about a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing else holds what was in it.
    Backup,
    /// A manifest that nothing else can stand in for.
    Manifest,
    /// A manifest beside a log that has its first segment: a start infers it anew.
    InferManifest,
    /// A snapshot, of a running server perhaps; whether the log can stand in for it is not known here.
    Snapshot,
    /// A snapshot beside a log that has its first segment.
    DropSnapshot,
}

impl Remedy {
    /// The remedy in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "restore the directory from a backup",
            Self::Manifest => {
                "restore the directory from a backup; `larder repair` cannot do without a manifest, because the log does not begin \
                 with its first record"
            }
            Self::InferManifest => {
                "restore the directory from a backup, or, since the log begins with its first record, see with `larder check` that \
                 no segment is missing, move MANIFEST and all snapshots out of the directory, and start: both are made anew from \
                 the log (`larder repair` cannot do without a manifest)"
            }
            Self::Snapshot => {
                "copy what a running server still reads, stop it, and run `larder check` on its directory: when the log still \
                 begins with its first record, `larder repair --drop-snapshot` loses nothing, else restore the directory from a backup"
            }
            Self::DropSnapshot => {
                "the log still begins with its first record, so give up the snapshot with `larder repair --drop-snapshot`, or \
                 restore the directory from a backup"
            }
        }
    }

    /// The remedy for a damaged snapshot, once it is known where the log begins.
    #[must_use]
    pub fn of_snapshot(first_lsn: Option<u64>) -> Self {
        if first_lsn == Some(1) { Self::DropSnapshot } else { Self::Backup }
    }
}

/// Why a log cannot stand in for a snapshot.
fn log_begins(first_lsn: Option<u64>) -> String {
    match first_lsn {
        Some(lsn) => {
            format!("the log begins with record {lsn}, what was before is in the snapshot only")
        }
        None => {
            "no segment of the log can be used, what it held is in the snapshot only".to_owned()
        }
    }
}

impl Error {
    /// This error of a directory whose log begins with `first_lsn`: damage of a snapshot says what can be done about it.
    #[must_use]
    pub fn with_log(mut self, first_lsn: Option<u64>) -> Self {
        if let Self::Damaged { remedy: remedy @ Remedy::Snapshot, .. } = &mut self {
            *remedy = Remedy::of_snapshot(first_lsn);
        }
        self
    }

    /// A full disk, with what follows from it.
    #[must_use]
    pub(crate) fn when_full(self, consequence: &str) -> Self {
        match self {
            Self::Full(why) => Self::Full(format!("{why}; {consequence}")),
            other => other,
        }
    }

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
