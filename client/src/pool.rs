//! A few connections to one address: made when first needed, taken in turn, replaced with a growing pause when they break.
//!
//! A connection under way outlives the call that asked for it: callers in a hurry give up, the next ones find it made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, sleep_until},
};

use crate::{
    Error,
    client::Config,
    connection::{Connection, Dial},
    introduction::NotConnected,
    retry::Retries,
};

/// See the module.
pub(crate) struct Pool {
    addr: Arc<str>,
    dial: Dial,
    slots: Vec<Arc<Slot>>,
    next: AtomicUsize,
}

/// The place of one connection.
#[derive(Default)]
struct Slot {
    live: stdx::sync::Mutex<Option<Arc<Connection>>>,
    /// Held while connecting, so that many callers make one attempt.
    connecting: Arc<tokio::sync::Mutex<Backoff>>,
}

/// How often connecting failed in a row, the last time when and why, and when it may be tried again.
#[derive(Default)]
struct Backoff {
    failures: u32,
    last: Option<Failed>,
}

struct Failed {
    at: Instant,
    reason: NotConnected,
    not_before: Instant,
}

impl Pool {
    pub(crate) fn new(addr: &str, config: &Config) -> Self {
        let slots = (0..config.connections.max(1)).map(|_| Arc::default()).collect();
        let dial = Dial {
            timeout: config.connect_timeout,
            tls: config.tls.clone(),
            introduction: config.introduction.clone(),
        };
        Self { addr: addr.into(), dial, slots, next: AtomicUsize::new(0) }
    }

    /// The address, as given.
    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    /// Most connections.
    pub(crate) fn size(&self) -> usize {
        self.slots.len()
    }

    /// The error when there is no connection.
    pub(crate) fn refused(&self, reason: String) -> Error {
        Error::Connect { addr: self.addr().to_owned(), reason }
    }

    fn not_connected(&self, why: NotConnected) -> Error {
        match why {
            NotConnected::Unreachable(reason) => self.refused(reason),
            NotConnected::Refused(failure) => Error::from_failure(failure),
        }
    }

    /// Whose turn it is: a number for [`Pool::get`].
    pub(crate) fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The live connection of `turn`, connected if need be. Different turns below [`Pool::size`] apart are different connections.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Fix`] when the server does not know who asks, or [`Error::Closed`] without a runtime.
    pub(crate) async fn get(
        &self,
        turn: usize,
        retries: &Retries,
    ) -> Result<Arc<Connection>, Error> {
        let Some(slot) = self.slots.get(turn % self.slots.len()) else { return Err(Error::Closed) };
        if let Some(connection) = slot.live() {
            return Ok(connection);
        }
        let asked = Instant::now();
        let backoff = Arc::clone(&slot.connecting).lock_owned().await;
        if let Some(connection) = slot.live() {
            return Ok(connection);
        }
        if let Some(failed) = &backoff.last {
            // An attempt that others waited for speaks for them too.
            if failed.at >= asked {
                return Err(self.not_connected(failed.reason.clone()));
            }
            sleep_until(failed.not_before).await;
        }
        let pause = retries.pause(backoff.failures + 1);
        let attempt =
            connect(Arc::clone(slot), backoff, self.addr.clone(), self.dial.clone(), pause);
        match tokio::spawn(attempt).await {
            Ok(connected) => connected.map_err(|why| self.not_connected(why)),
            Err(_runtime_gone) => Err(Error::Closed),
        }
    }
}

/// One attempt to fill `slot`; after a failure the next is made no sooner than `pause` later.
async fn connect(
    slot: Arc<Slot>,
    mut backoff: OwnedMutexGuard<Backoff>,
    addr: Arc<str>,
    dial: Dial,
    pause: Duration,
) -> Result<Arc<Connection>, NotConnected> {
    match Connection::connect(&addr, &dial).await {
        Ok(connection) => {
            *backoff = Backoff::default();
            let connection = Arc::new(connection);
            *slot.live.lock() = Some(Arc::clone(&connection));
            Ok(connection)
        }
        Err(reason) => {
            backoff.failures = backoff.failures.saturating_add(1);
            let at = Instant::now();
            backoff.last = Some(Failed { at, reason: reason.clone(), not_before: at + pause });
            Err(reason)
        }
    }
}

impl Slot {
    fn live(&self) -> Option<Arc<Connection>> {
        self.live.lock().as_ref().filter(|connection| connection.is_usable()).map(Arc::clone)
    }
}
