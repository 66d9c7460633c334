//! Why a load could not be made; what servers answer to single requests is counted, and no error.

/// An error of the load generator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option that cannot be: correct it.
    #[error("{0}")]
    Usage(String),
    /// Something outside did not work: a server, a process, the system.
    #[error("{0}")]
    Failed(String),
    /// Somebody had enough.
    #[error("interrupted")]
    Interrupted,
    /// The server of the client said no.
    #[error(transparent)]
    Client(#[from] client::Error),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<model::Error> for Error {
    fn from(error: model::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
