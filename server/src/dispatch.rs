//! From a request to its handler, and from what the handler says to a reply: the one match on operations.

use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::CommitTicket;
use protocol::{
    CallStatus, Failure, Header, Opcode,
    frame::{self, FrameRef},
};
use stdx::{clock::Clock, cursor::Writer};
use tokio::sync::oneshot;

use crate::{
    admission::{Admission, RETRY_AFTER_MS, Visit},
    handler,
    session::Session,
    shared::Shared,
    unanswered::{Body, BulkAnswer, Done, Elsewhere, Receipted, Waiting},
};

/// What became of a request.
pub(crate) enum Answer {
    /// Its reply stands in the output.
    Written,
    /// Its reply follows when the log has come far enough.
    Waits(Box<Waiting>),
    /// Its reply follows when another thread is done with it.
    Elsewhere(Elsewhere),
}

/// Where the reply to a request goes.
pub(crate) struct Reply<'a> {
    header: Header,
    output: &'a mut Vec<u8>,
}

impl Reply<'_> {
    /// Writes a reply that is ready.
    pub(crate) fn ok(self, body: impl FnOnce(&mut Writer<'_>)) -> Outcome {
        reply_ok(self.header, self.output, body);
        Outcome::Written
    }
}

/// What a handler gives back.
pub(crate) enum Outcome {
    /// The reply stands in the output.
    Written,
    /// The reply's body.
    Now(Box<dyn FnOnce(&mut Writer<'_>)>),
    /// A write: the body once the ticket says that it is safe.
    Later {
        /// Wait for this.
        ticket: CommitTicket,
        /// The sequence had been applied before.
        repeated: bool,
        /// The reply's body.
        reply: Receipted,
    },
    /// The body once another thread has it.
    Elsewhere(oneshot::Receiver<Result<Body, Failure>>),
    /// Nothing yet: it takes so long that others would wait for it.
    Bulk,
}

impl Outcome {
    /// A reply that is ready.
    pub(crate) fn now(body: impl FnOnce(&mut Writer<'_>) + 'static) -> Self {
        Self::Now(Box::new(body))
    }
}

/// As [`dispatch`]. A panic ends the request, and nothing else: it is answered, counted, and told by the process's hook for panics.
pub(crate) fn dispatch_safely(
    shared: &Shared,
    admission: (&Admission, Visit),
    session: &mut Session,
    request: (&FrameRef<'_>, u64),
    output: &mut Vec<u8>,
) -> Answer {
    let (header, start) = (request.0.header, output.len());
    // What a panic may leave half done is put right below; what is shared stands behind locks of its own (`engine::write::Whole`).
    let handled = catch_unwind(AssertUnwindSafe(|| {
        dispatch(shared, admission, session, request, &mut *output)
    }));
    handled.unwrap_or_else(|_| {
        output.truncate(start);
        session.forget();
        shared.load.panicked(1);
        reply_failure(header, &defect(header), output);
        Answer::Written
    })
}

/// What is told of a request whose handler came to no end.
fn defect(header: Header) -> Failure {
    let message = "the request ran into a defect of the server: its log says more";
    // Of a write nobody can say whether it was applied before: `INTERNAL` would promise that it was not.
    let is_write = header.opcode().is_some_and(Opcode::writes);
    if is_write {
        let (request_id, operation) = (header.request_id, header.opcode().map_or("", Opcode::name));
        tracing::error!(request_id, operation, "a write ran into a defect of the server");
    }
    let status = if is_write { CallStatus::Unknown } else { CallStatus::Internal };
    failure(status, message)
}

/// Handles `request`, which has been waiting for `waited_ms`, if the thread takes it on.
fn dispatch(
    shared: &Shared,
    (admission, visit): (&Admission, Visit),
    session: &mut Session,
    (request, waited_ms): (&FrameRef<'_>, u64),
    output: &mut Vec<u8>,
) -> Answer {
    let header = request.header;
    let admitted =
        header.opcode().map_or(Ok(()), |opcode| admission.admit(opcode, visit, &shared.clock));
    let handled = match admitted {
        Ok(()) => handle_in_time(shared, session, (request, waited_ms), output),
        Err(failure) => {
            shared.load.shed();
            Err(failure)
        }
    };
    let done = match handled {
        Ok(Outcome::Later { ticket, repeated, reply }) => {
            return Answer::Waits(Box::new(Waiting { header, ticket, repeated, reply }));
        }
        Ok(Outcome::Elsewhere(done)) => Ok(Done::Body(done)),
        Ok(Outcome::Bulk) => {
            let received_ns = shared.clock.mono_ns().saturating_sub(waited_ms * 1_000_000);
            let audit = session.audit.elsewhere(&shared.audit);
            let caller = session.caller.elsewhere();
            let asked = shared.bulk.ask(request, received_ns, (audit, caller));
            asked.inspect_err(|_| shared.load.shed()).map(Done::Bulk)
        }
        Ok(Outcome::Written) => return Answer::Written,
        Ok(Outcome::Now(body)) => {
            reply_ok(header, output, body);
            return Answer::Written;
        }
        Err(failure) => Err(failure),
    };
    match done {
        Ok(done) => {
            let is_write =
                matches!(done, Done::Bulk(_)) && header.opcode().is_some_and(Opcode::writes);
            Answer::Elsewhere(Elsewhere { header, done, is_write })
        }
        Err(failure) => {
            reply_failure(header, &failure, output);
            Answer::Written
        }
    }
}

/// Handles `request` on a thread where nobody waits for it.
pub(crate) fn dispatch_in_bulk(
    shared: &Shared,
    session: &mut Session,
    request: &FrameRef<'_>,
    waited_ms: u64,
) -> BulkAnswer {
    let (header, mut output) = (request.header, Vec::new());
    match handle_in_time(shared, session, (request, waited_ms), &mut output) {
        Ok(Outcome::Written) => {}
        Ok(Outcome::Now(body)) => reply_ok(header, &mut output, body),
        Ok(Outcome::Later { ticket, repeated, reply }) => {
            return BulkAnswer::Waits(Box::new(Waiting { header, ticket, repeated, reply }));
        }
        Ok(Outcome::Elsewhere(_) | Outcome::Bulk) => {
            let message = "only reads, writes and definitions are answered in bulk";
            reply_failure(header, &failure(CallStatus::Internal, message), &mut output);
        }
        Err(failure) => reply_failure(header, &failure, &mut output),
    }
    BulkAnswer::Frame(output, None)
}

/// The whole reply to a request whose answer there is no room for.
pub(crate) fn crowded(header: Header) -> BulkAnswer {
    let mut output = Vec::new();
    reply_failure(header, &no_room(), &mut output);
    BulkAnswer::Frame(output, None)
}

/// What is told when all connections together hold too much.
pub(crate) fn no_room() -> Failure {
    let message = "too many large requests and answers are under way: try again later, or ask for less at once";
    let detail = RETRY_AFTER_MS;
    Failure { status: CallStatus::Overloaded, detail, message: message.to_owned() }
}

/// The whole reply to a request whose handler came to no end.
pub(crate) fn broken(header: Header) -> BulkAnswer {
    let mut output = Vec::new();
    reply_failure(header, &defect(header), &mut output);
    BulkAnswer::Frame(output, None)
}

/// Handles `request` unless its deadline has passed.
fn handle_in_time(
    shared: &Shared,
    session: &mut Session,
    (request, waited_ms): (&FrameRef<'_>, u64),
    output: &mut Vec<u8>,
) -> Result<Outcome, Failure> {
    let deadline_ms = request.header.deadline_ms;
    if deadline_ms > 0 && waited_ms > u64::from(deadline_ms) {
        shared.load.expired();
        let message =
            format!("the request waited {waited_ms} ms, its deadline was {deadline_ms} ms");
        return Err(failure(CallStatus::DeadlineExceeded, message));
    }
    handle(shared, session, request, output)
}

/// Requests of this operation begin with a handle: they are about what that stands for.
pub(crate) fn has_handle(opcode: Opcode) -> bool {
    match opcode {
        Opcode::Read
        | Opcode::Put
        | Opcode::Push
        | Opcode::Delete
        | Opcode::Scan
        | Opcode::Retract => true,
        Opcode::Hello
        | Opcode::Ping
        | Opcode::Apply
        | Opcode::Describe
        | Opcode::Prepare
        | Opcode::Stats
        | Opcode::Checkpoint
        | Opcode::Export => false,
    }
}

fn handle(
    shared: &Shared,
    session: &mut Session,
    request: &FrameRef<'_>,
    output: &mut Vec<u8>,
) -> Result<Outcome, Failure> {
    let FrameRef { header, body, .. } = *request;
    let Some(opcode) = header.opcode().filter(|_| !header.is_reply) else {
        let message = format!("operation {} is not known to this server", header.opcode_code);
        return Err(failure(CallStatus::Invalid, message));
    };
    if !session.is_bulk() {
        session.caller.admit(shared, opcode)?;
    }
    match opcode {
        Opcode::Hello => handler::hello::handle(shared, session, body),
        Opcode::Ping => handler::ping::handle(body),
        Opcode::Apply => handler::apply::handle(shared, session, body),
        Opcode::Describe => handler::describe::handle(shared, session, body),
        Opcode::Prepare => handler::prepare::handle(shared, session, body),
        Opcode::Read => handler::read::handle(shared, session, body, Reply { header, output }),
        Opcode::Put => handler::put::handle(shared, session, body),
        Opcode::Push => handler::push::handle(shared, session, body),
        Opcode::Delete => handler::delete::handle(shared, session, body),
        Opcode::Scan => handler::scan::handle(shared, session, body),
        Opcode::Stats => handler::stats::handle(shared, session),
        Opcode::Retract => handler::retract::handle(shared, session, body),
        Opcode::Checkpoint => handler::checkpoint::handle(shared, session, body),
        Opcode::Export => handler::export::handle(shared, session, body),
    }
}

/// Writes a whole reply.
pub(crate) fn reply_ok(header: Header, output: &mut Vec<u8>, body: impl FnOnce(&mut Writer<'_>)) {
    if let Err(error) = frame::write(output, header.reply(CallStatus::Ok), body) {
        let message = format!("the reply is too large: {error}");
        reply_failure(header, &failure(CallStatus::Invalid, message), output);
    }
}

/// Writes why there is none.
pub(crate) fn reply_failure(header: Header, failure: &Failure, output: &mut Vec<u8>) {
    let written = frame::write(output, header.reply(failure.status), |out| failure.encode(out));
    if let Err(error) = written {
        // Messages are cut long before a frame is full.
        tracing::error!(%error, "a failure could not be reported to its client");
    }
}

/// Tells a peer whose bytes are no frame why it is cut off, as far as it can understand.
pub(crate) fn refuse_stream(error: &protocol::Error, output: &mut Vec<u8>) {
    farewell(&failure(CallStatus::Invalid, error.to_string()), output);
}

/// What is said last on a connection: a failure that answers no request.
pub(crate) fn farewell(failure: &Failure, output: &mut Vec<u8>) {
    reply_failure(Header::request(Opcode::Ping, 0, 0), failure, output);
}

/// Tells a peer that is cut off before it said who it is.
pub(crate) fn refuse_stranger(message: &str, output: &mut Vec<u8>) {
    let header = Header::request(Opcode::Ping, 0, 0);
    reply_failure(header, &failure(CallStatus::Unauthenticated, message), output);
}

/// What is told when no thread is left that could do what was asked for.
pub(crate) fn stopping() -> Failure {
    failure(CallStatus::Unavailable, "the server is stopping: nothing was made")
}

/// A failure without a detail.
pub(crate) fn failure(status: CallStatus, message: impl Into<String>) -> Failure {
    Failure { status, detail: 0, message: message.into() }
}
