//! Whoever answers: one connection of a generator to a server, which takes the same operations whatever it speaks.

use std::time::Duration;

use super::{
    Error,
    larder::{Larder, Service},
    operation::Operation,
    workload::Table,
};

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered.
    Answered {
        /// Rows or events of the answer.
        units: u64,
        /// Those of them that were not taken.
        refused: u64,
    },
    /// It was not, or the answer says that it could not be done: a status or a word.
    Failed(String),
}

impl Outcome {
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    /// All of `units` rows or events were taken.
    pub(super) fn whole(units: usize) -> Self {
        Self::Answered { units: units as u64, refused: 0 }
    }
}

/// Where a side is and what it needs to know.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A Larder server.
    Larder {
        /// HOST:PORT.
        addr: String,
        /// What will be asked about.
        tables: Vec<Table>,
        /// The service of the user's, when that is read.
        service: Option<Service>,
    },
}

impl Target {
    /// A connection, ready for operations.
    pub(super) async fn connect(&self, timeout: Duration) -> Result<Connection, Error> {
        match self {
            Self::Larder { addr, tables, service } => {
                let larder = Larder::connect(addr, tables, service.as_ref(), timeout).await?;
                Ok(Connection::Larder(Box::new(larder)))
            }
        }
    }
}

/// A connection to one of the sides.
pub(super) enum Connection {
    /// See [`Target::Larder`].
    Larder(Box<Larder>),
}

impl Connection {
    /// Asks, and waits for the answer.
    pub(super) async fn call(&self, operation: &Operation) -> Outcome {
        match self {
            Self::Larder(larder) => larder.call(operation).await,
        }
    }
}
