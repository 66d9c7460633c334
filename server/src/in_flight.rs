//! Requests of one connection that are taken and not answered: writes that wait for the disk, and what other threads work on.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use model::limits::IN_FLIGHT_MAX;
use stdx::clock::Clock;

use crate::{
    connection::OUTPUT_BYTES,
    metrics::{Begun, Meter, reply_status},
    peer::Peer,
    shared::Shared,
    slow, spans,
    unanswered::{Elsewhere, Waiting},
};

/// Requests of one connection that other threads work on: their answers, which may be large, are kept until the peer reads.
const ELSEWHERE_MAX: usize = 4;

/// See the module: at most [`IN_FLIGHT_MAX`], and [`ELSEWHERE_MAX`] of other threads.
pub(crate) struct InFlight {
    /// Writes that wait for the disk, in the order of their log positions.
    waiting: VecDeque<(Begun, Waiting)>,
    /// Requests that other threads work on.
    elsewhere: Vec<(Begun, Elsewhere)>,
    /// Of the connection's thread.
    meter: Arc<Meter>,
}

impl InFlight {
    /// None yet, of a connection whose thread counts here.
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self { waiting: VecDeque::new(), elsewhere: Vec::new(), meter }
    }

    /// More may be taken.
    pub(crate) fn has_room(&self) -> bool {
        self.count() < IN_FLIGHT_MAX
            && self.elsewhere.len() < ELSEWHERE_MAX
            && !self.elsewhere.iter().any(|(_, elsewhere)| elsewhere.is_write)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.waiting.len() + self.elsewhere.len()
    }

    /// A write waits for the disk.
    pub(crate) fn waits(&mut self, begun: Begun, waiting: Waiting) {
        self.meter.begins_waiting();
        self.waiting.push_back((begun, waiting));
    }

    /// Another thread works on a request.
    pub(crate) fn leaves(&mut self, begun: Begun, elsewhere: Elsewhere) {
        self.meter.begins_waiting();
        self.elsewhere.push((begun, elsewhere));
    }

    /// Ready when at least one was answered into `output`.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        (shared, peer): (&Shared, &Peer),
        output: &mut Vec<u8>,
    ) -> Poll<()> {
        if self.count() == 0 {
            return Poll::Pending;
        }
        let before = self.elsewhere.len();
        let (meter, waiting) = (&*self.meter, &mut self.waiting);
        self.elsewhere.retain_mut(|(begun, elsewhere)| {
            // What has gathered is sent first.
            let start = output.len();
            if start >= OUTPUT_BYTES {
                return true;
            }
            let Poll::Ready(applied) = elsewhere.poll(context, output) else { return true };
            match applied {
                // Nothing was written behind it: positions stay ascending.
                Some(applied) => {
                    begun.handled_ns = shared.clock.mono_ns();
                    waiting.push_back((*begun, *applied));
                }
                None => {
                    if elsewhere.is_write {
                        // It was refused, or was no write after all: no disk was waited for.
                        begun.handled_ns = shared.clock.mono_ns();
                    }
                    finished(shared, (meter, peer), begun, output.get(start..));
                }
            }
            false
        });
        let mut answered = self.elsewhere.len() < before;
        while let Some((_, first)) = self.waiting.front_mut() {
            match Pin::new(&mut first.ticket).poll(context) {
                Poll::Pending => break,
                Poll::Ready(outcome) => {
                    self.finish_first(outcome, (shared, peer), output);
                    answered = true;
                }
            }
        }
        if answered { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Answers writes that are already as safe as asked for, without waiting.
    pub(crate) fn finish_ready(&mut self, by: (&Shared, &Peer), output: &mut Vec<u8>) {
        while let Some(outcome) =
            self.waiting.front().and_then(|(_, first)| first.ticket.try_done())
        {
            self.finish_first(outcome, by, output);
        }
    }

    /// Answers the write that has waited longest.
    fn finish_first(
        &mut self,
        outcome: Result<engine::Durable, engine::StorageError>,
        (shared, peer): (&Shared, &Peer),
        output: &mut Vec<u8>,
    ) {
        if let Some((begun, first)) = self.waiting.pop_front() {
            let start = output.len();
            first.finish(outcome, output);
            finished(shared, (&self.meter, peer), &begun, output.get(start..));
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Nobody waits for them any more.
        self.meter.ends_waiting(self.count());
    }
}

/// A request that waited is answered.
fn finished(shared: &Shared, by: (&Meter, &Peer), begun: &Begun, reply: Option<&[u8]>) {
    by.0.ends_waiting(1);
    answered(shared, by, begun, reply.unwrap_or_default(), shared.clock.mono_ns());
}

/// A request is answered with these bytes.
#[inline]
pub(crate) fn answered(
    shared: &Shared,
    (meter, peer): (&Meter, &Peer),
    begun: &Begun,
    reply: &[u8],
    now_ns: u64,
) {
    meter.answered(begun, reply_status(reply), now_ns);
    slow::watch(shared, peer, begun, reply, now_ns);
    spans::watch(shared, peer, begun, reply, now_ns);
}
