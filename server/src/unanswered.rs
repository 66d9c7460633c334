//! Requests whose replies have to wait: for the log, or for another thread; and how they are written when that is done.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use engine::CommitTicket;
use protocol::{
    CallStatus, Failure, Header,
    write::{Receipt, SyncLevel},
};
use stdx::cursor::Writer;
use tokio::sync::oneshot;

use crate::{
    buffers::Claim,
    dispatch::{failure, reply_failure, reply_ok, stopping},
};

/// A request that another thread works on.
pub(crate) struct Elsewhere {
    pub(crate) header: Header,
    pub(crate) done: Done,
    /// A write that takes long: what its connection asks for next waits until it is applied, as behind any other write.
    pub(crate) is_write: bool,
}

/// What comes back from another thread.
pub(crate) enum Done {
    /// The reply's body, or why there is none.
    Body(oneshot::Receiver<Result<Body, Failure>>),
    /// What took long.
    Bulk(oneshot::Receiver<BulkAnswer>),
}

/// What became of a request that takes long.
pub(crate) enum BulkAnswer {
    /// The reply as it leaves, and its room until then.
    Frame(Vec<u8>, Option<Claim>),
    /// A write that is applied: the reply follows when the log has come far enough.
    Waits(Box<Waiting>),
}

/// Writes the body of a reply.
pub(crate) type Body = Box<dyn FnOnce(&mut Writer<'_>) + Send>;

/// A write whose reply waits for the log.
pub(crate) struct Waiting {
    pub(crate) header: Header,
    /// Wait for this.
    pub(crate) ticket: CommitTicket,
    pub(crate) repeated: bool,
    pub(crate) reply: Receipted,
}

/// Writes the body of a reply, given the receipt.
pub(crate) type Receipted = Box<dyn FnOnce(&mut Writer<'_>, Receipt) + Send>;

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
    /// Writes the reply when it is there; gives what has to wait for the log still.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        output: &mut Vec<u8>,
    ) -> Poll<Option<Box<Waiting>>> {
        let failed = match &mut self.done {
            Done::Body(done) => match ready!(Pin::new(done).poll(context)) {
                Ok(Ok(body)) => {
                    reply_ok(self.header, output, body);
                    return Poll::Ready(None);
                }
                Ok(Err(failure)) => failure,
                Err(_) => stopping(),
            },
            Done::Bulk(done) => match ready!(Pin::new(done).poll(context)) {
                Ok(BulkAnswer::Frame(frame, _room)) => {
                    output.extend_from_slice(&frame);
                    return Poll::Ready(None);
                }
                Ok(BulkAnswer::Waits(waiting)) => return Poll::Ready(Some(waiting)),
                Err(_) => stopping(),
            },
        };
        // A thread that is gone ended with the server before it came to this request.
        reply_failure(self.header, &failed, output);
        Poll::Ready(None)
    }
}

/// The wire's word for the log's level.
fn level(level: engine::SyncLevel) -> SyncLevel {
    match level {
        engine::SyncLevel::Memory => SyncLevel::Memory,
        engine::SyncLevel::Written => SyncLevel::Written,
        engine::SyncLevel::Durable => SyncLevel::Durable,
    }
}
