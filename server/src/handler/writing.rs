//! What put, push, delete and retract share: options in, receipt and rejects out.

use engine::{ProducerId, RejectKind, WriteOptions, Written};
use protocol::write::{self, Receipt};
use stdx::cursor::Writer;

use crate::{dispatch::Outcome, session::Session};

/// The engine's options.
pub(super) fn options(session: &mut Session, options: write::WriteOptions) -> WriteOptions {
    let sync = options.sync.map(|level| match level {
        write::SyncLevel::Memory => engine::SyncLevel::Memory,
        write::SyncLevel::Written => engine::SyncLevel::Written,
        write::SyncLevel::Durable => engine::SyncLevel::Durable,
    });
    let producer = ProducerId(session.caller.producer(options.producer));
    WriteOptions { producer, sequence: options.sequence, sync }
}

/// What is said of a write once the log has come far enough: `reply` encodes it.
pub(super) fn replied(
    written: Written,
    reply: impl FnOnce(&mut Writer<'_>, Receipt, engine::Outcome, Vec<write::Reject>) + Send + 'static,
) -> Outcome {
    let Written { ticket, repeated, outcome, rejects, .. } = written;
    let rejects = wired(rejects);
    let reply =
        Box::new(move |out: &mut Writer<'_>, receipt| reply(out, receipt, outcome, rejects));
    Outcome::Later { ticket, repeated, reply }
}

/// The wire's rejects.
fn wired(rejects: Vec<engine::Reject>) -> Vec<write::Reject> {
    let kind = |kind| match kind {
        RejectKind::Duplicate => write::RejectKind::Duplicate,
        RejectKind::Late => write::RejectKind::Late,
        RejectKind::Rejected => write::RejectKind::Rejected,
    };
    rejects
        .into_iter()
        .map(|reject| write::Reject {
            index: reject.index,
            kind: kind(reject.kind),
            reason: reject.reason,
        })
        .collect()
}
