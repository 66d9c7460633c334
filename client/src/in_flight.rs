//! The calls of one connection that await their replies: request id to waiter.
//!
//! The table is bounded by the permits of [`InFlight::enter`]; a caller that stops waiting takes its entry along.

use std::collections::HashMap;
use std::sync::Arc;

use model::limits::IN_FLIGHT_MAX;
use protocol::Frame;
use stdx::sync::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Why a connection ended.
pub(crate) type Reason = Arc<str>;

enum State {
    Open(HashMap<u64, oneshot::Sender<Frame>>),
    Closed(Reason),
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
        let state = Mutex::new(State::Open(HashMap::with_capacity(IN_FLIGHT_MAX)));
        Arc::new(Self { state, permits: Arc::new(Semaphore::new(IN_FLIGHT_MAX)) })
    }

    /// True until the connection ended.
    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.state.lock(), State::Open(_))
    }

    /// Waits for room, then makes an entry for `request_id`.
    pub(crate) async fn enter(self: &Arc<Self>, request_id: u64) -> Result<Waiter, Reason> {
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
            return Err(self.reason());
        };
        let (sender, reply) = oneshot::channel();
        match &mut *self.state.lock() {
            State::Open(calls) => {
                calls.insert(request_id, sender);
            }
            State::Closed(reason) => return Err(Arc::clone(reason)),
        }
        Ok(Waiter { table: Arc::clone(self), request_id, reply, _permit: permit })
    }

    /// Hands a reply to whoever awaits it. Replies nobody awaits any more are dropped.
    pub(crate) fn complete(&self, frame: Frame) {
        let sender = match &mut *self.state.lock() {
            State::Open(calls) => calls.remove(&frame.header().request_id),
            State::Closed(_) => None,
        };
        if let Some(sender) = sender {
            let _caller_gone = sender.send(frame);
        }
    }

    /// Ends every call with `reason` and lets no new one in. The first reason stays.
    pub(crate) fn close(&self, reason: &str) {
        let mut state = self.state.lock();
        if matches!(*state, State::Open(_)) {
            *state = State::Closed(reason.into());
        }
        drop(state);
        self.permits.close();
    }

    /// Why the connection ended.
    pub(crate) fn reason(&self) -> Reason {
        match &*self.state.lock() {
            State::Open(_) => "it was closed".into(),
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
        if let State::Open(calls) = &mut *self.table.state.lock() {
            calls.remove(&self.request_id);
        }
    }
}
