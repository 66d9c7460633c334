//! What can go wrong on the offline side.

use std::path::{Path, PathBuf};

/// An error of the offline side.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// A value, type or name is wrong.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// A file cannot be read or written.
    #[error("{}: cannot {what}: {source}", path.display())]
    Io {
        /// What was attempted: `read it`, `make it`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what its name says, or does not have what is needed of it.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        what: String,
    },
    /// A server dropped a file of a history, for its age or size, while it was read: read it anew, from what is listed now.
    #[error(
        "{}: the server drops files, for their age or size, faster than they are read: read a copy, such as that of a backup",
        path.display()
    )]
    Dropped {
        /// The file.
        path: PathBuf,
    },
    /// What was asked for cannot be done; the text says what can.
    #[error("{0}")]
    Usage(String),
    /// Arrow refused what should have been right.
    #[error("internal error: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

impl Error {
    /// Shorthand for [`Error::Io`].
    pub fn io(what: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    /// True when a file is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }

    /// Shorthand for [`Error::File`].
    pub fn file(path: &Path, what: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), what: what.into() }
    }
}
