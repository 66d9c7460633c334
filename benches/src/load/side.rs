//! Whoever answers: one connection of a generator to a server, which takes the same operations whatever it speaks.

use std::time::Duration;

use super::{
    Error,
    caller::Caller,
    larder::{Larder, Service},
    operation::Operation,
    peer::{echo::Echo, redis::Redis, sizes::Sizes},
    workload::Table,
};

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered.
    Answered {
        /// Rows or events of the answer.
        units: u64,
        /// Those of them that were not taken, or not found.
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
        /// Who asks.
        caller: Box<Caller>,
        /// What will be asked about.
        tables: Vec<Table>,
        /// The service of the user's, when that is read.
        service: Option<Service>,
    },
    /// A Redis server.
    Redis {
        /// HOST:PORT.
        addr: String,
        /// Features of a row.
        features: usize,
    },
    /// An echo.
    Echo {
        /// HOST:PORT.
        addr: String,
        /// Of requests and answers.
        sizes: Sizes,
    },
}

impl Target {
    /// A connection, ready for operations.
    pub(super) async fn connect(&self, timeout: Duration) -> Result<Connection, Error> {
        match self {
            Self::Larder { addr, caller, tables, service } => {
                let whom = (addr.as_str(), &**caller);
                let larder = Larder::connect(whom, tables, service.as_ref(), timeout).await?;
                Ok(Connection::Larder(Box::new(larder)))
            }
            Self::Redis { addr, features } => {
                Redis::connect(addr, *features, timeout).await.map(Connection::Redis)
            }
            Self::Echo { addr, sizes } => {
                Echo::connect(addr, sizes, timeout).await.map(Connection::Echo)
            }
        }
    }
}

/// A connection to one of the sides.
pub(super) enum Connection {
    /// See [`Target::Larder`].
    Larder(Box<Larder>),
    /// See [`Target::Redis`].
    Redis(Redis),
    /// See [`Target::Echo`].
    Echo(Echo),
}

impl Connection {
    /// Asks, and waits for the answer.
    pub(super) async fn call(&self, operation: &Operation) -> Outcome {
        match self {
            Self::Larder(larder) => larder.call(operation).await,
            Self::Redis(redis) => redis.call(operation).await,
            Self::Echo(echo) => echo.call(operation).await,
        }
    }
}
