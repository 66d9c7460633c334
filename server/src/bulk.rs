//! What takes long, on threads of its own: one request for thousands of vectors or events holds up no other connection, and no change
//! of definitions holds up either. Its own connection waits: what a peer asks for behind a write finds it applied.
//!
//! ```text
//! large reads and writes ──► bulk-0, bulk-1 …   whichever has room
//! definitions ─────────────► define             one after the other, in the order in which they came
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::ReadPlan;
use protocol::{CallStatus, Failure, Header, Opcode, frame::FrameRef};
use stdx::clock::Clock;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};

use crate::{
    access::caller::Caller,
    admission::RETRY_AFTER_MS,
    audit::AuditedPeer,
    buffers::{Buffers, Claim},
    dispatch::{broken, crowded, dispatch_in_bulk, no_room, stopping},
    session::Session,
    shared::Shared,
    unanswered::BulkAnswer,
};

/// Requests that may wait for one thread: each holds its body, and soon its reply.
const WAITING_MAX: usize = 16;
/// Changes of definitions that may wait: each is made of what the one before left.
const DEFINITIONS_WAITING_MAX: usize = 4;
/// Vectors of rows in one request that a network thread reads by itself: about a tenth of a millisecond.
const ROWS_AT_ONCE: usize = 256;
/// Vectors with windows in one request that a network thread reads by itself.
const WINDOWS_AT_ONCE: usize = 16;
/// Rows or events of one write that a network thread applies by itself: some tenths of a millisecond.
const WRITES_AT_ONCE: usize = 256;

/// True when reading so many vectors would hold up the other connections of a network thread.
pub(crate) fn is_long(plan: &ReadPlan, vectors: usize) -> bool {
    vectors > if plan.has_windows() { WINDOWS_AT_ONCE } else { ROWS_AT_ONCE }
}

/// True when applying so many rows or events would.
pub(crate) fn is_long_write(rows: usize) -> bool {
    rows > WRITES_AT_ONCE
}

/// A request that takes long.
pub(crate) struct Asked {
    header: Header,
    body: Box<[u8]>,
    /// What the body takes, until it is answered.
    room: Claim,
    received_ns: u64,
    /// Who asks.
    asker: (AuditedPeer, Caller),
    answer: oneshot::Sender<BulkAnswer>,
}

/// Where such requests wait.
pub(crate) struct Bulk {
    threads: Vec<mpsc::Sender<Asked>>,
    turn: AtomicUsize,
    definitions: mpsc::Sender<Asked>,
    /// Room for what waits and what is being answered.
    room: Arc<Buffers>,
}

/// Where the threads get them from.
pub(crate) struct BulkEnds {
    /// Of large reads and writes.
    pub(crate) threads: Vec<mpsc::Receiver<Asked>>,
    /// Of definitions.
    pub(crate) definitions: mpsc::Receiver<Asked>,
}

impl Bulk {
    /// Queues for so many threads and the one for definitions, and their other ends; room for so many bytes of requests.
    pub(crate) fn new(threads: usize, bytes: usize) -> (Self, BulkEnds) {
        let (threads, ends) = (0..threads.max(1)).map(|_| mpsc::channel(WAITING_MAX)).unzip();
        let (definitions, changes) = mpsc::channel(DEFINITIONS_WAITING_MAX);
        let ends = BulkEnds { threads: ends, definitions: changes };
        let room = Buffers::new(bytes);
        (Self { threads, turn: AtomicUsize::new(0), definitions, room }, ends)
    }

    /// Bytes of requests that wait or are being answered.
    pub(crate) fn held(&self) -> usize {
        self.room.used()
    }

    /// Hands a request over; what became of it comes back.
    ///
    /// # Errors
    /// `OVERLOADED` when as many wait already as may or there is no room for one more, `UNAVAILABLE` when the server stops.
    pub(crate) fn ask(
        &self,
        request: &FrameRef<'_>,
        received_ns: u64,
        asker: (AuditedPeer, Caller),
    ) -> Result<oneshot::Receiver<BulkAnswer>, Failure> {
        let (answer, answered) = oneshot::channel();
        let room = self.room.claim(request.body.len()).ok_or_else(no_room)?;
        let (header, body) = (request.header, request.body.into());
        let mut asked = Asked { header, body, room, received_ns, asker, answer };
        if header.opcode() == Some(Opcode::Apply) {
            return match self.definitions.try_send(asked) {
                Ok(()) => Ok(answered),
                Err(TrySendError::Full(_)) => Err(full(format!(
                    "{DEFINITIONS_WAITING_MAX} changes of definitions wait already: try again later"
                ))),
                Err(TrySendError::Closed(_)) => Err(stopping()),
            };
        }
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.threads.len();
        let (before, after) = self.threads.split_at(first);
        for thread in after.iter().chain(before) {
            match thread.try_send(asked) {
                Ok(()) => return Ok(answered),
                Err(TrySendError::Full(back)) => asked = back,
                Err(TrySendError::Closed(_)) => return Err(stopping()),
            }
        }
        Err(full(format!(
            "{} large requests wait already: try again later, or ask for less at once",
            WAITING_MAX * self.threads.len()
        )))
    }
}

fn full(message: String) -> Failure {
    Failure { status: CallStatus::Overloaded, detail: RETRY_AFTER_MS, message }
}

/// Answers such requests, one after the other, until the server stops; those that wait then are answered still.
pub(crate) async fn run(
    shared: Arc<Shared>,
    (mut asked, lane): (mpsc::Receiver<Asked>, usize),
    mut stop: watch::Receiver<bool>,
) {
    let mut is_stopping = false;
    loop {
        let next = tokio::select! {
            next = asked.recv() => next,
            _ = stop.wait_for(|stop| *stop), if !is_stopping => {
                is_stopping = true;
                asked.close();
                continue;
            }
        };
        let Some(Asked { header, body, room, received_ns, asker, answer }) = next else { return };
        if answer.is_closed() {
            // Whoever asked is gone.
            continue;
        }
        let (shared, here) = (Arc::clone(&shared), &shared);
        // A task of its own: should it panic, the thread goes on.
        let answered = tokio::spawn(async move {
            let waited_ms = shared.clock.mono_ns().saturating_sub(received_ns) / 1_000_000;
            let (body, _room) = (body, room);
            let request = FrameRef { header, body: &body, length: 0 };
            dispatch_in_bulk(&shared, &mut Session::in_bulk(lane, asker), &request, waited_ms)
        });
        let reply = answered.await.unwrap_or_else(|_| {
            here.load.panicked(1);
            broken(header)
        });
        // Whoever asked may be gone by now.
        let _ = answer.send(kept(here, header, reply));
    }
}

/// A reply with the room that it takes until its connection has it; without room, that there is none.
fn kept(shared: &Shared, header: Header, reply: BulkAnswer) -> BulkAnswer {
    let BulkAnswer::Frame(frame, _) = reply else { return reply };
    // Why a write failed is short, and nothing else may be said of it: it may have been applied. What definitions would change is as
    // long as they are, once a connection.
    if header.opcode().is_some_and(Opcode::writes) {
        return BulkAnswer::Frame(frame, None);
    }
    match shared.buffers.claim(frame.len()) {
        Some(room) => BulkAnswer::Frame(frame, Some(room)),
        None => {
            shared.load.shed();
            crowded(header)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_takes_room_until_it_is_dropped() {
        let (bulk, mut ends) = Bulk::new(1, 10);
        let header = Header::request(Opcode::Read, 1, 0);
        let ask = |body| {
            bulk.ask(&FrameRef { header, body, length: 24 + body.len() }, 0, Default::default())
        };
        let asked = (ask(b"keys"), ask(b"others"));
        assert!(asked.0.is_ok() && asked.1.is_ok() && bulk.held() == 10);
        let refused = ask(b"!").err().expect("there is no room");
        assert_eq!((refused.status, refused.detail), (CallStatus::Overloaded, RETRY_AFTER_MS));
        drop(ends.threads[0].try_recv().expect("one is taken"));
        assert!(bulk.held() == 6 && ask(b"!").is_ok());
    }

    #[test]
    fn as_many_wait_as_there_is_room_for_and_no_more() {
        let (bulk, mut ends) = Bulk::new(2, 1 << 20);
        let header = Header::request(Opcode::Read, 1, 0);
        let request = FrameRef { header, body: b"keys", length: 28 };
        let room = WAITING_MAX * 2;
        let asked: Vec<_> = (0..room).map(|_| bulk.ask(&request, 0, Default::default())).collect();
        let refused = bulk.ask(&request, 0, Default::default()).err().expect("all queues are full");
        assert_eq!(refused.status, CallStatus::Overloaded);
        assert!(refused.message.contains("32 large requests"), "{}", refused.message);
        let are_dealt_out = ends.threads.iter_mut().all(|end| end.len() == WAITING_MAX);
        assert!(are_dealt_out, "in turn");
        ends.threads[1].try_recv().expect("one is taken");
        assert!(bulk.ask(&request, 0, Default::default()).is_ok(), "one of both has room again");
        assert!(asked.iter().all(Result::is_ok), "there was room");
    }

    #[test]
    fn definitions_wait_for_each_other_and_for_nothing_else() {
        let (bulk, ends) = Bulk::new(2, 1 << 20);
        let request = |opcode, request_id| FrameRef {
            header: Header::request(opcode, request_id, 0),
            body: b"",
            length: 24,
        };
        let ask = |opcode, id| bulk.ask(&request(opcode, id), 0, Default::default());
        let asked: Vec<_> =
            (0..DEFINITIONS_WAITING_MAX as u64).map(|id| ask(Opcode::Apply, id)).collect();
        assert!(asked.iter().all(Result::is_ok) && ask(Opcode::Read, 9).is_ok());
        let refused = ask(Opcode::Apply, 10).err().expect("the queue is full");
        assert!(refused.message.contains("4 changes of definitions"), "{}", refused.message);
        let mut changes = ends.definitions;
        let in_order =
            std::iter::from_fn(|| changes.try_recv().ok()).map(|it| it.header.request_id);
        assert!(in_order.eq(0..DEFINITIONS_WAITING_MAX as u64));
    }
}
