//! A few connections to one address: made when first needed, taken in turn, replaced with a growing pause when they break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{Error, connection::Connection, retry::Retries};

/// See the module.
pub(crate) struct Pool {
    addr: String,
    connect_timeout: Duration,
    slots: Vec<Slot>,
    next: AtomicUsize,
}

/// The place of one connection.
#[derive(Default)]
struct Slot {
    live: stdx::sync::Mutex<Option<Arc<Connection>>>,
    /// Held while connecting, so that many callers make one attempt.
    connecting: tokio::sync::Mutex<Backoff>,
}

/// How often connecting failed in a row, the last time when and why, and when it may be tried again.
#[derive(Default)]
struct Backoff {
    failures: u32,
    last: Option<Failed>,
}

struct Failed {
    at: Instant,
    reason: String,
    not_before: Instant,
}

impl Pool {
    pub(crate) fn new(addr: String, size: usize, connect_timeout: Duration) -> Self {
        let slots = (0..size.max(1)).map(|_| Slot::default()).collect();
        Self { addr, connect_timeout, slots, next: AtomicUsize::new(0) }
    }

    /// The address, as given.
    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    /// The error when there is no connection.
    pub(crate) fn refused(&self, reason: String) -> Error {
        Error::Connect { addr: self.addr.clone(), reason }
    }

    /// A live connection: the next in turn, connected if need be.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub(crate) async fn get(&self, retries: &Retries) -> Result<Arc<Connection>, Error> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let Some(slot) = self.slots.get(turn) else { return Err(Error::Closed) };
        if let Some(connection) = slot.live() {
            return Ok(connection);
        }
        let asked = Instant::now();
        let mut backoff = slot.connecting.lock().await;
        if let Some(connection) = slot.live() {
            return Ok(connection);
        }
        if let Some(failed) = &backoff.last {
            // An attempt that others waited for speaks for them too.
            if failed.at >= asked {
                return Err(self.refused(failed.reason.clone()));
            }
            sleep_until(failed.not_before).await;
        }
        match Connection::connect(&self.addr, self.connect_timeout).await {
            Ok(connection) => {
                *backoff = Backoff::default();
                let connection = Arc::new(connection);
                *slot.live.lock() = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(reason) => {
                backoff.failures += 1;
                let at = Instant::now();
                let not_before = at + retries.pause(backoff.failures);
                backoff.last = Some(Failed { at, reason: reason.clone(), not_before });
                Err(self.refused(reason))
            }
        }
    }
}

impl Slot {
    fn live(&self) -> Option<Arc<Connection>> {
        self.live.lock().as_ref().filter(|connection| connection.is_open()).map(Arc::clone)
    }
}
