//! Places of one kind, told of when there is none: in the log once a second at most, and to whoever asked by who refuses.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{
    census::{Census, Full, Place},
    throttle::Throttle,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct Places {
    /// What takes one: "a connection".
    what: &'static str,
    census: Arc<Census>,
    told: Throttle,
}

impl Places {
    /// For at most so many of `what`, and of one address.
    pub(crate) fn new(what: &'static str, max: usize, per_address_max: usize) -> Self {
        Self { what, census: Census::new(max, per_address_max), told: Throttle::default() }
    }

    /// Places that are taken.
    pub(crate) fn count(&self) -> usize {
        self.census.count()
    }

    /// A place for `addr`.
    ///
    /// # Errors
    /// What there are too many of; the log tells of it.
    pub(crate) fn enter(&self, addr: SocketAddr, now_ns: u64) -> Result<Place, Full> {
        let entered = self.census.enter(addr.ip());
        if let Err(full) = entered
            && let Some(more) = self.told.pass(now_ns)
        {
            let what = self.what;
            match full {
                Full::Server(limit) => {
                    tracing::warn!(limit, %addr, more, "{what} was refused: there are too many");
                }
                Full::Address(limit) => {
                    tracing::warn!(limit, %addr, more, "{what} was refused: its address has too many");
                }
            }
        }
        entered
    }
}
