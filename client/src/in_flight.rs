//! The calls of one connection that await their replies: request id to waiter.
//!
//! The table is bounded by the permits of [`InFlight::enter`]; a caller that stops waiting takes its entry along. It also knows
//! since when nothing was heard although something was asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::limits::IN_FLIGHT_MAX;
use protocol::Frame;
use stdx::sync::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::Instant,
};

/// A connection on which nothing was heard for so long, although an answer is due and a caller has given up waiting for one, is taken
/// for dead: TCP notices a peer that vanished without a word only after minutes. Who waits on it goes on waiting, others get a new
/// one. Without the second condition a server that is busy with one long request would be given connection after connection.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Why a connection ended.
pub(crate) type Reason = Arc<str>;

enum State {
    Open {
        calls: HashMap<u64, Entry>,
        /// How many of them were sent.
        sent: usize,
        /// Since when an answer is due and nothing has come, whoever still waits for it.
        silent_since: Option<Instant>,
        /// Somebody waited in vain since then.
        given_up: bool,
    },
    Closed(Reason),
}

/// A call in the table.
struct Entry {
    reply: oneshot::Sender<Frame>,
    /// Its frame has left: an answer is due.
    is_sent: bool,
}

/// The table of one connection.
pub(crate) struct InFlight {
    state: Mutex<State>,
    permits: Arc<Semaphore>,
}

/// A call that awaits its reply.
pub(crate) struct Waiter {
    table: Arc<InFlight>,
    request_id: u64,
    reply: oneshot::Receiver<Frame>,
    _permit: OwnedSemaphorePermit,
}

impl InFlight {
    pub(crate) fn new() -> Arc<Self> {
        let calls = HashMap::with_capacity(IN_FLIGHT_MAX);
        let state = Mutex::new(State::Open { calls, sent: 0, silent_since: None, given_up: false });
        Arc::new(Self { state, permits: Arc::new(Semaphore::new(IN_FLIGHT_MAX)) })
    }

    /// True until the connection ended, or nothing was heard for a long time although an answer is due.
    pub(crate) fn is_usable(&self) -> bool {
        match &*self.state.lock() {
            State::Open { silent_since, given_up, .. } => {
                !given_up || silent_since.is_none_or(|since| since.elapsed() < SILENCE_MAX)
            }
            State::Closed(_) => false,
        }
    }

    /// Waits for room, then makes an entry for `request_id`.
    pub(crate) async fn enter(self: &Arc<Self>, request_id: u64) -> Result<Waiter, Reason> {
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
            return Err(self.reason());
        };
        let (sender, reply) = oneshot::channel();
        match &mut *self.state.lock() {
            State::Open { calls, .. } => {
                calls.insert(request_id, Entry { reply: sender, is_sent: false });
            }
            State::Closed(reason) => return Err(Arc::clone(reason)),
        }
        Ok(Waiter { table: Arc::clone(self), request_id, reply, _permit: permit })
    }

    /// The frame of `request_id` leaves at `now`: from here on an answer is due, also when its caller is gone already.
    pub(crate) fn leaves(&self, request_id: u64, now: Instant) {
        if let State::Open { calls, sent, silent_since, given_up } = &mut *self.state.lock() {
            silent_since.get_or_insert(now);
            match calls.get_mut(&request_id) {
                Some(entry) => {
                    entry.is_sent = true;
                    *sent += 1;
                }
                None => *given_up = true,
            }
        }
    }

    /// Hands a reply to whoever awaits it. Replies nobody awaits any more are dropped.
    pub(crate) fn complete(&self, frame: Frame) {
        let entry = match &mut *self.state.lock() {
            State::Open { calls, sent, silent_since, given_up } => {
                let entry = calls.remove(&frame.header().request_id);
                *sent -= usize::from(entry.as_ref().is_some_and(|entry| entry.is_sent));
                *given_up = false;
                *silent_since = if *sent == 0 { None } else { Some(Instant::now()) };
                entry
            }
            State::Closed(_) => None,
        };
        if let Some(entry) = entry {
            let _caller_gone = entry.reply.send(frame);
        }
    }

    /// Some bytes came, though no whole reply.
    pub(crate) fn heard(&self) {
        if let State::Open { silent_since: Some(since), given_up, .. } = &mut *self.state.lock() {
            (*since, *given_up) = (Instant::now(), false);
        }
    }

    /// Ends every call with `reason` and lets no new one in. The first reason stays.
    pub(crate) fn close(&self, reason: &str) {
        let mut state = self.state.lock();
        if matches!(*state, State::Open { .. }) {
            *state = State::Closed(reason.into());
        }
        drop(state);
        self.permits.close();
    }

    /// Why the connection ended.
    pub(crate) fn reason(&self) -> Reason {
        match &*self.state.lock() {
            State::Open { .. } => "it was closed".into(),
            State::Closed(reason) => Arc::clone(reason),
        }
    }
}

impl Waiter {
    /// The reply, or why there will be none.
    pub(crate) async fn reply(mut self) -> Result<Frame, Reason> {
        (&mut self.reply).await.map_err(|_| self.table.reason())
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let State::Open { calls, sent, given_up, .. } = &mut *self.table.state.lock() {
            // What was never sent says nothing of the peer.
            if calls.remove(&self.request_id).is_some_and(|entry| entry.is_sent) {
                *sent -= 1;
                *given_up = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_counts_from_the_first_question_once_somebody_gave_up() {
        let table = InFlight::new();
        let pass = |ms| tokio::time::advance(Duration::from_millis(ms));
        pass(10_000).await;
        assert!(table.is_usable(), "nobody asked anything");
        let (patient, hasty) = (table.enter(1).await, table.enter(2).await);
        drop(table.enter(3).await);
        pass(60_000).await;
        assert!(table.is_usable(), "nothing was sent");
        (1..=2).for_each(|id| table.leaves(id, Instant::now()));
        pass(600_000).await;
        assert!(table.is_usable(), "all who asked still wait");
        table.heard();
        pass(1_000).await;
        drop(hasty);
        pass(999).await;
        assert!(table.is_usable());
        pass(1).await;
        assert!(!table.is_usable(), "two seconds after the last sign of life");
        let _fourth = table.enter(4).await;
        assert!(!table.is_usable(), "whoever asks now does not make up for it");
        table.heard();
        pass(60_000).await;
        assert!(table.is_usable(), "some bytes are a sign of life, and nobody gave up since");
        drop(patient);
        assert!(!table.is_usable());
    }
}
