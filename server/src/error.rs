//! Why a server cannot start, and the one table from engine errors to statuses of the wire.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use protocol::{CallStatus, Failure};

/// An error of starting or stopping the server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error("cannot listen on {addr}: {source}{hint}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A certificate, key or authority cannot be used.
    #[error("TLS: {}: {reason}", .path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what is needed.
        reason: String,
    },
    /// An address that others can reach, and nobody said that they may.
    #[error("will not listen on {addr}: {why}")]
    Exposed {
        /// The address.
        addr: SocketAddr,
        /// Why, and what to do.
        why: &'static str,
    },
    /// The access policy is wrong, or cannot be read.
    #[error("the access policy is not in force, and nothing is served:\n{0}")]
    Access(String),
    /// A thread or runtime cannot be made.
    #[error("cannot start the network threads: {0}")]
    Threads(std::io::Error),
    /// The audit log, or its key, is not as it must be.
    #[error("{0}")]
    Audit(String),
    /// The database refused.
    #[error(transparent)]
    Engine(#[from] engine::Error),
}

impl Error {
    /// Shorthand for [`Error::Tls`].
    pub(crate) fn tls(path: &Path, reason: String) -> Self {
        Self::Tls { path: path.to_owned(), reason }
    }

    /// Says what to do about a failed listen.
    pub(crate) fn listen(addr: SocketAddr, source: std::io::Error) -> Self {
        let hint = match source.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; another program has the port: stop it, or choose another (port 0 picks a free one)"
            }
            std::io::ErrorKind::AddrNotAvailable => {
                "; no interface of this machine has that address"
            }
            std::io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges",
            _ => "",
        };
        Self::Listen { addr, source, hint }
    }
}

/// What the sender of a body that means nothing is told.
pub(crate) fn malformed(error: protocol::Error) -> Failure {
    Failure { status: CallStatus::Invalid, detail: 0, message: error.to_string() }
}

/// The one table from errors of the engine to statuses.
pub(crate) fn engine_failure(error: engine::Error) -> Failure {
    use engine::Error as E;
    let (status, detail) = match &error {
        E::Invalid(_) => (CallStatus::Invalid, 0),
        E::Forgotten { newest, .. } => {
            (CallStatus::Invalid, i64::try_from(*newest).unwrap_or(i64::MAX))
        }
        E::NotFound { .. } => (CallStatus::NotFound, 0),
        E::StalePlan { .. } => (CallStatus::StaleHandle, 0),
        E::AsOfTooOld { floor, .. } => (CallStatus::AsOfTooOld, *floor),
        E::MemoryFull { limit, .. } => {
            (CallStatus::MemoryFull, i64::try_from(*limit).unwrap_or(i64::MAX))
        }
        E::Storage(engine::StorageError::TooLarge { .. }) => (CallStatus::Invalid, 0),
        E::Storage(_) | E::Incomplete { .. } => (CallStatus::Unavailable, 0),
        E::Busy(_) => (CallStatus::Overloaded, 0),
        E::Format(_) | E::Internal(_) => (CallStatus::Internal, 0),
    };
    Failure { status, detail, message: error.to_string() }
}
