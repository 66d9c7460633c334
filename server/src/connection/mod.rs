//! One peer: reads requests, answers them, many in flight.
//!
//! Reads are answered at once, but for the moment in which others are heard ([`others::first`]); a write is answered when its ticket
//! says that it is as safe as asked for. Answers gathered in one poll leave in one write. A checkpoint is answered by the thread that
//! makes it, whenever that may be, and a read that takes long by a thread for those. While a peer does not read, nothing more is read from it: a connection holds at most as many
//! requests as [`InFlight`] takes, [`OUTPUT_BYTES`] of answers, and one answer more. A peer that reads nothing is cut off ([`output`]). Between
//! two requests a connection may leave for another thread ([`quiet`], [`crate::seats`]).

mod output;
mod quiet;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Buf, BytesMut};
use model::limits::BUFFER_BYTES_KEPT;
use protocol::{CallStatus, Failure};
use stdx::clock::Clock;
use tokio::{io::AsyncReadExt, sync::watch};

use crate::{
    access::stranger::Standing,
    admission::{Admission, Visit},
    ahead::Ahead,
    buffers::Claim,
    dispatch::{self, Answer},
    in_flight::{InFlight, answered},
    metrics::{Begun, Meter},
    seats::{Arrival, Deal, Guest},
    session::Session,
    shared::Shared,
    stop::Stop,
    tls::Transport,
    unfinished::Unfinished,
};

use output::close;
use quiet::Known;

pub(crate) use quiet::Quiet;

/// Room asked for before each read of the socket.
const READ_BYTES: usize = 16 * 1024;

/// Replies gathered before they are written; one reply may be larger.
pub(crate) const OUTPUT_BYTES: usize = 1 << 20;

/// Requests of one connection that are answered before others have their turn.
const REQUESTS_A_TURN: usize = 128;

/// When the bytes in the buffer came.
#[derive(Clone, Copy)]
struct Received {
    at_ns: u64,
    /// Nothing was answered since.
    is_new: bool,
}

/// How far the requests in the buffer were answered.
enum Progress {
    /// No whole request is left.
    Drained,
    /// Some may be left: too many are in flight, or enough output has gathered.
    Paused,
    /// What follows is no frame.
    Broken,
}

/// A network thread, as its connections see it.
#[derive(Clone)]
pub(crate) struct Here {
    pub(crate) shared: Arc<Shared>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) meter: Arc<Meter>,
}

/// Serves one connection until the peer leaves, sends what is no frame, or the server stops. When it is to go on at another thread, that
/// one's number and the connection.
pub(crate) async fn serve(
    Arrival { deal, guest }: Arrival,
    Here { shared, admission, meter }: Here,
    stop: watch::Receiver<bool>,
) -> Option<(usize, Arrival)> {
    let (mut stream, known) = quiet::open(guest, &shared, stop.clone()).await?;
    let Known { session, standing, place } = known;
    let mut connection = Connection {
        session: session.counts_in(meter.lane()),
        standing,
        deal,
        visit: Visit::default(),
        in_flight: InFlight::new(Arc::clone(&meter)),
        output: Vec::new(),
        meter,
        unfinished: Unfinished::new(shared.unfinished),
        held: None,
        handled_ns: 0,
    };
    match connection.run(&mut stream, (&shared, &admission), stop).await {
        Ok(Ended::Closed) => None,
        Ok(Ended::Leaves(to)) => {
            let Connection { session, standing, deal, .. } = connection;
            let quiet = quiet::leave(stream, Known { session, standing, place })?;
            Some((to, Arrival { deal, guest: Guest::Moved(Box::new(quiet)) }))
        }
        Err(error) => {
            let Session { requests, peer, .. } = &connection.session;
            tracing::debug!(%error, requests, %peer, "a connection ended");
            None
        }
    }
}

struct Connection {
    session: Session,
    /// How its peer stands with the policy.
    standing: Standing,
    /// The last deal that it heard of.
    deal: Deal,
    /// Its turns.
    visit: Visit,
    in_flight: InFlight,
    output: Vec<u8>,
    /// Of its thread.
    meter: Arc<Meter>,
    unfinished: Unfinished,
    /// Room for a large request that is not whole.
    held: Option<Claim>,
    /// When its last request was handled.
    handled_ns: u64,
}

/// Why a connection goes on.
enum Event {
    /// So many bytes were read; none at the end.
    Read(usize),
    /// Requests that waited are answered.
    Answered,
    /// A request was begun long ago, and is not whole.
    Unfinished,
    /// The server stops.
    Stop,
    /// The peer has not said who it is in time.
    Late,
}

/// Why a connection does not go on here.
enum Ended {
    Closed,
    /// It goes on at this thread.
    Leaves(usize),
}

impl Connection {
    async fn run(
        &mut self,
        stream: &mut Transport,
        (shared, admission): (&Shared, &Admission),
        stop: watch::Receiver<bool>,
    ) -> Result<Ended, std::io::Error> {
        let mut input = BytesMut::with_capacity(READ_BYTES);
        let mut stop = pin!(Stop::new(stop));
        let (mut open, mut received) = (true, Received { at_ns: 0, is_new: false });
        loop {
            let progress = self.answer(&mut input, (shared, admission), received);
            let has_heard = std::mem::take(&mut received.is_new);
            self.in_flight.finish_ready((shared, &self.session.peer), &mut self.output);
            if self.standing.is_too_loud(shared, &self.session, self.in_flight.count()) {
                return self.part(stream, shared, &Standing::loud()).await;
            }
            open &= !self.session.caller.is_over();
            let heard = has_heard.then_some(received);
            self.send_in_turn(stream, (shared, admission), heard).await?;
            let is_over = match progress {
                Progress::Broken => true,
                // Requests are left in the buffer, and there is room again.
                Progress::Paused if self.in_flight.has_room() => {
                    self.lets_others_go_first((shared, admission)).await;
                    continue;
                }
                Progress::Paused => false,
                Progress::Drained => !open && self.in_flight.count() == 0,
            };
            if is_over {
                return close(stream, shared).await;
            }
            if open && let Some(to) = self.leaves(stream, &input, shared) {
                return Ok(Ended::Leaves(to));
            }
            if !self.make_room(&mut input, shared) {
                return self.end(stream, shared, &dispatch::no_room()).await;
            }
            let room = input.capacity() - input.len();
            let may_read = open && self.in_flight.has_room();
            let is_begun = may_read && !input.is_empty();
            self.unfinished.waits(is_begun, self.session.requests, received.at_ns);
            let event = poll_fn(|context| {
                let (standing, session) = (&mut self.standing, &mut self.session);
                if open && standing.poll_late(context, shared, session).is_ready() {
                    return Poll::Ready(Ok(Event::Late));
                }
                if open && stop.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Ok(Event::Stop));
                }
                let by = (shared, &self.session.peer);
                if self.in_flight.poll(context, by, &mut self.output).is_ready() {
                    return Poll::Ready(Ok(Event::Answered));
                }
                if !may_read {
                    return Poll::Pending;
                }
                if self.unfinished.poll(context, &shared.clock).is_ready() {
                    return Poll::Ready(Ok(Event::Unfinished));
                }
                let read = pin!(stream.read_buf(&mut input));
                read.poll(context).map_ok(Event::Read)
            });
            match event.await? {
                Event::Read(bytes) => {
                    open = bytes > 0;
                    self.standing.heard(bytes);
                    received = self.hears(bytes, bytes == room, (shared, admission));
                }
                Event::Answered => {}
                Event::Late => return self.part(stream, shared, &self.standing.late(shared)).await,
                Event::Unfinished => return self.end(stream, shared, &too_slow(shared)).await,
                Event::Stop => open = false,
            }
        }
    }

    /// What it has to say next waits for a turn of all others.
    async fn lets_others_go_first(&mut self, (shared, admission): (&Shared, &Admission)) {
        tokio::task::yield_now().await;
        let now = (shared.clock.mono_ns(), &shared.clock);
        admission.visits(&mut self.visit, true, now);
    }

    /// Where it goes on, if that is another thread: what is in flight, half a request, and whoever has not said who it is stay.
    fn leaves(&mut self, stream: &Transport, input: &[u8], shared: &Shared) -> Option<usize> {
        let may_leave = shared.seats.is_news(self.deal)
            && self.in_flight.count() == 0
            && input.is_empty()
            && stream.is_plain()
            && !self.standing.is_strange();
        may_leave.then(|| shared.seats.leaves(self.meter.lane(), &mut self.deal)).flatten()
    }

    /// Notes that so many bytes have come, and whether there may be more.
    fn hears(
        &mut self,
        bytes: usize,
        has_more: bool,
        (shared, admission): (&Shared, &Admission),
    ) -> Received {
        self.meter.received(bytes);
        let received = Received { at_ns: shared.clock.mono_ns(), is_new: true };
        admission.visits(&mut self.visit, has_more, (received.at_ns, &shared.clock));
        received
    }

    /// Makes room for what is read next, and claims it, if it is much; false when there is none.
    fn make_room(&mut self, input: &mut BytesMut, shared: &Shared) -> bool {
        if input.is_empty() && input.capacity() > BUFFER_BYTES_KEPT {
            // One large request does not take memory for ever.
            *input = BytesMut::new();
        }
        input.reserve(READ_BYTES);
        let large = if input.capacity() > BUFFER_BYTES_KEPT { input.capacity() } else { 0 };
        let has_room = match &mut self.held {
            None if large == 0 => true,
            None => {
                self.held = shared.buffers.claim(large);
                self.held.is_some()
            }
            Some(held) => held.set(large),
        };
        if !has_room {
            shared.load.shed();
        }
        has_room
    }

    /// Answers the whole requests in `input`: as many as may be in flight, until enough output has gathered, and not so many that
    /// other connections wait.
    fn answer(
        &mut self,
        input: &mut BytesMut,
        (shared, admission): (&Shared, &Admission),
        received: Received,
    ) -> Progress {
        let (mut used, mut count, mut ahead) = (0, 0, Ahead::default());
        // One look at the clock for each request: when one ends the next begins.
        let mut now_ns = received.is_new.then_some(received.at_ns);
        let progress = loop {
            let is_full = !self.in_flight.has_room() || self.output.len() >= OUTPUT_BYTES;
            if is_full || count == REQUESTS_A_TURN {
                break Progress::Paused;
            }
            count += 1;
            let rest = input.get(used..).unwrap_or_default();
            match self.session.next(rest) {
                Ok(None) => break Progress::Drained,
                Ok(Some(frame)) => {
                    // Who has just come has not waited.
                    let has_come = received.is_new && used == 0;
                    let waited_ms = if frame.header.deadline_ms == 0 || has_come {
                        0
                    } else {
                        shared.clock.mono_ns().saturating_sub(received.at_ns) / 1_000_000
                    };
                    used += frame.length;
                    if ahead.passes((shared, &mut self.session), &frame, rest) {
                        // Looking was for several of them, and no part of the first.
                        now_ns = None;
                    }
                    let begun_ns = now_ns.unwrap_or_else(|| shared.clock.mono_ns());
                    let mut begun = Begun::new(&frame.header, frame.body, received.at_ns, begun_ns);
                    let (session, output) = (&mut self.session, &mut self.output);
                    let before = output.len();
                    let request = (&frame, waited_ms);
                    let admission = (admission, self.visit);
                    let answer =
                        dispatch::dispatch_safely(shared, admission, session, request, output);
                    begun.handled_ns = shared.clock.mono_ns();
                    now_ns = Some(begun.handled_ns);
                    self.handled_ns = begun.handled_ns;
                    match answer {
                        Answer::Written => {
                            let reply = output.get(before..).unwrap_or_default();
                            let (meter, peer) = (&self.meter, &session.peer);
                            answered(shared, (meter, peer), &begun, reply, begun.handled_ns);
                        }
                        Answer::Waits(waiting) => self.in_flight.waits(begun, *waiting),
                        Answer::Elsewhere(elsewhere) => self.in_flight.leaves(begun, elsewhere),
                    }
                    if self.session.caller.is_over() {
                        // Whoever asks is nobody any more: nothing that follows is looked at.
                        used = input.len();
                        break Progress::Drained;
                    }
                }
                Err(error) => {
                    dispatch::refuse_stream(&error, &mut self.output);
                    break Progress::Broken;
                }
            }
        };
        input.advance(used);
        progress
    }
}

/// What a peer is told that began a request and did not finish it; it is counted.
fn too_slow(shared: &Shared) -> Failure {
    shared.load.unfinished();
    let limit = shared.unfinished;
    let message = format!(
        "a request was begun, and not all of it came within {limit:?}: the connection is closed"
    );
    dispatch::failure(CallStatus::Invalid, message)
}
