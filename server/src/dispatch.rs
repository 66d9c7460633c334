//! From a request to its handler, and from what the handler says to a reply: the one match on operations.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use engine::CommitTicket;
use protocol::{
    CallStatus, Failure, Frame, Header, Opcode, frame,
    write::{Receipt, SyncLevel},
};
use stdx::cursor::Writer;
use tokio::sync::oneshot;

use crate::{handler, shared::Shared};

/// What became of a request.
pub(crate) enum Answer {
    /// Its reply stands in the output.
    Written,
    /// Its reply follows when the log has come far enough.
    Waits(Box<Waiting>),
    /// Its reply follows when another thread is done with it.
    Elsewhere(Elsewhere),
}

/// A request that another thread works on.
pub(crate) struct Elsewhere {
    header: Header,
    done: oneshot::Receiver<Result<Body, Failure>>,
}

/// Writes the body of a reply.
pub(crate) type Body = Box<dyn FnOnce(&mut Writer<'_>) + Send>;

/// A write whose reply waits for the log.
pub(crate) struct Waiting {
    header: Header,
    /// Wait for this.
    pub(crate) ticket: CommitTicket,
    repeated: bool,
    reply: Reply,
}

/// Writes the body of a reply, given the receipt.
type Reply = Box<dyn FnOnce(&mut Writer<'_>, Receipt) + Send>;

/// What a handler gives back.
pub(crate) enum Outcome {
    /// The reply's body.
    Now(Box<dyn FnOnce(&mut Writer<'_>)>),
    /// A write: the body once the ticket says that it is safe.
    Later {
        /// Wait for this.
        ticket: CommitTicket,
        /// The sequence had been applied before.
        repeated: bool,
        /// The reply's body.
        reply: Reply,
    },
    /// The body once another thread has it.
    Elsewhere(oneshot::Receiver<Result<Body, Failure>>),
}

impl Outcome {
    /// A reply that is ready.
    pub(crate) fn now(body: impl FnOnce(&mut Writer<'_>) + 'static) -> Self {
        Self::Now(Box::new(body))
    }
}

/// Handles `request`, which has been waiting for `waited_ms`.
pub(crate) fn dispatch(
    shared: &Shared,
    request: &Frame,
    waited_ms: u64,
    output: &mut Vec<u8>,
) -> Answer {
    let header = request.header();
    let late = header.deadline_ms > 0 && waited_ms > u64::from(header.deadline_ms);
    let handled = if late {
        let message = format!(
            "the request waited {waited_ms} ms, its deadline was {} ms",
            header.deadline_ms
        );
        Err(failure(CallStatus::DeadlineExceeded, message))
    } else {
        handle(shared, header, request.body())
    };
    match handled {
        Ok(Outcome::Now(body)) => reply_ok(header, output, body),
        Ok(Outcome::Later { ticket, repeated, reply }) => {
            return Answer::Waits(Box::new(Waiting { header, ticket, repeated, reply }));
        }
        Ok(Outcome::Elsewhere(done)) => return Answer::Elsewhere(Elsewhere { header, done }),
        Err(failure) => reply_failure(header, &failure, output),
    }
    Answer::Written
}

fn handle(shared: &Shared, header: Header, body: &[u8]) -> Result<Outcome, Failure> {
    let Some(opcode) = header.opcode().filter(|_| !header.is_reply) else {
        let message = format!("operation {} is not known to this server", header.opcode_code);
        return Err(failure(CallStatus::Invalid, message));
    };
    match opcode {
        Opcode::Hello => handler::hello::handle(shared, body),
        Opcode::Ping => handler::ping::handle(body),
        Opcode::Apply => handler::apply::handle(shared, body),
        Opcode::Describe => handler::describe::handle(shared, body),
        Opcode::Prepare => handler::prepare::handle(shared, body),
        Opcode::Read => handler::read::handle(shared, body),
        Opcode::Put => handler::put::handle(shared, body),
        Opcode::Push => handler::push::handle(shared, body),
        Opcode::Delete => handler::delete::handle(shared, body),
        Opcode::Scan => handler::scan::handle(shared, body),
        Opcode::Stats => handler::stats::handle(shared),
        Opcode::Retract => handler::retract::handle(shared, body),
        Opcode::Checkpoint => handler::checkpoint::handle(shared, body),
        Opcode::Export => handler::export::handle(shared, body),
    }
}

impl Waiting {
    /// Writes the reply, now that the log has spoken.
    pub(crate) fn finish(
        self,
        outcome: Result<engine::Durable, engine::StorageError>,
        output: &mut Vec<u8>,
    ) {
        match outcome {
            Ok(durable) => {
                let level = level(durable.level);
                let receipt = Receipt { lsn: durable.lsn.0, level, repeated: self.repeated };
                reply_ok(self.header, output, |out| (self.reply)(out, receipt));
            }
            Err(error @ engine::StorageError::NoLog) => {
                reply_failure(
                    self.header,
                    &failure(CallStatus::Unavailable, error.to_string()),
                    output,
                );
            }
            // It is in memory and perhaps on the disk: only a restart will tell.
            Err(error) => {
                let message = format!("whether the write is safe is not known: {error}");
                reply_failure(self.header, &failure(CallStatus::Unknown, message), output);
            }
        }
    }
}

impl Elsewhere {
    /// Writes the reply when it is there; true then.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, output: &mut Vec<u8>) -> bool {
        match Pin::new(&mut self.done).poll(context) {
            Poll::Pending => return false,
            Poll::Ready(Ok(Ok(body))) => reply_ok(self.header, output, body),
            Poll::Ready(Ok(Err(failure))) => reply_failure(self.header, &failure, output),
            // The thread ended with the server before it came to this request.
            Poll::Ready(Err(_)) => reply_failure(self.header, &stopping(), output),
        }
        true
    }
}

fn reply_ok(header: Header, output: &mut Vec<u8>, body: impl FnOnce(&mut Writer<'_>)) {
    if let Err(error) = frame::write(output, header.reply(CallStatus::Ok), body) {
        let message = format!("the reply is too large: {error}");
        reply_failure(header, &failure(CallStatus::Invalid, message), output);
    }
}

fn reply_failure(header: Header, failure: &Failure, output: &mut Vec<u8>) {
    let written = frame::write(output, header.reply(failure.status), |out| failure.encode(out));
    if let Err(error) = written {
        // Messages are cut long before a frame is full.
        tracing::error!(%error, "a failure could not be reported to its client");
    }
}

/// Tells a peer whose bytes are no frame why it is cut off, as far as it can understand.
pub(crate) fn refuse_stream(error: &protocol::Error, output: &mut Vec<u8>) {
    let header = Header::request(Opcode::Ping, 0, 0);
    reply_failure(header, &failure(CallStatus::Invalid, error.to_string()), output);
}

/// What is told when no thread is left that could do what was asked for.
pub(crate) fn stopping() -> Failure {
    failure(CallStatus::Unavailable, "the server is stopping: nothing was made")
}

/// A failure without a detail.
pub(crate) fn failure(status: CallStatus, message: impl Into<String>) -> Failure {
    Failure { status, detail: 0, message: message.into() }
}

/// The wire's word for the log's level.
fn level(level: engine::SyncLevel) -> SyncLevel {
    match level {
        engine::SyncLevel::Memory => SyncLevel::Memory,
        engine::SyncLevel::Written => SyncLevel::Written,
        engine::SyncLevel::Durable => SyncLevel::Durable,
    }
}
