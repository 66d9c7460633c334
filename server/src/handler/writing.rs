//! What put, push, delete and retract share: options in, rejects out.

use engine::{ProducerId, RejectKind, WriteOptions};
use protocol::write;

use crate::session::Session;

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

/// The wire's rejects.
pub(super) fn rejects(rejects: Vec<engine::Reject>) -> Vec<write::Reject> {
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
