//! Writes: check, admit, then under the shard locks append to the log and apply. Nobody waits for the disk here: the
//! caller gets a ticket.
//!
//! Lock order: producer → catalog → ids of the stream → shards, ascending → log buffer.

mod applying;
mod define;
mod delete;
mod push;
mod put;
mod retract;

use storage::{CommitTicket, Lsn, SyncLevel, SyncPolicy, Vfs};

pub(crate) use applying::Torn;
pub use define::Applied;
pub use push::{PushRequest, PushSpace};
pub use put::{PutRequest, PutRowRequest};
pub use retract::RetractRequest;

use crate::{
    Database, Error,
    producer::{Known, Outcome, ProducerId},
};

/// Who writes and how sure they want to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// The writer; `ProducerId(0)` is nobody, whose writes are not protected against being applied twice.
    pub producer: ProducerId,
    /// The writer's number of this write: 1, 2, 3, …
    pub sequence: u64,
    /// More than the server's sync policy gives; less is not possible.
    pub sync: Option<SyncLevel>,
}

/// Why a row or event was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectKind {
    /// It arrived before.
    Duplicate,
    /// Too old for every window; of a retraction, before the floor.
    Late,
    /// Not valid.
    Rejected,
}

/// A row or event that was not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its position in the request.
    pub index: u32,
    /// What became of it.
    pub kind: RejectKind,
    /// Why, for its sender.
    pub reason: String,
}

/// A write that is in memory and in the log buffer. It is promised only when the ticket says so.
#[derive(Debug)]
pub struct Written {
    /// What it did.
    pub outcome: Outcome,
    /// What it did not do, row by row; empty when it was applied before.
    pub rejects: Vec<Reject>,
    /// True when this sequence had been applied before: nothing was applied now.
    pub repeated: bool,
    /// Position in the log, or the one to wait for when nothing was logged.
    pub lsn: Lsn,
    /// Wait for this before telling anyone.
    pub ticket: CommitTicket,
}

/// Bytes of a record besides its rows: header, indexes, count.
const RECORD_HEAD_BYTES: usize = 64;
/// Bytes of a row in a record besides its key and cells: two lengths, an event time or index.
const RECORD_ROW_BYTES: usize = 16;

/// At most so many bytes has the record of rows whose keys and cells have these lengths.
fn record_bytes_max(rows: impl Iterator<Item = usize>) -> usize {
    RECORD_HEAD_BYTES + rows.map(|bytes| bytes + RECORD_ROW_BYTES).sum::<usize>()
}

/// Runs `write` unless its sequence was applied before, and remembers what it did. The producer's lock is held from the check
/// to the record's place in the log.
fn once<V: Vfs>(
    database: &Database<V>,
    options: &WriteOptions,
    write: impl FnOnce() -> Result<(Lsn, Outcome, Vec<Reject>), Error>,
) -> Result<Written, Error> {
    // Before anything is applied: a refusal means that nothing was.
    if options.sync > Some(SyncLevel::Memory) && database.wal.policy() == SyncPolicy::Memory {
        return Err(Error::Storage(storage::Error::NoLog));
    }
    let sequence = options.sequence;
    let is_named = options.producer != ProducerId::default();
    let producer = is_named.then(|| database.producers.get(options.producer));
    let mut producer = producer.as_ref().map(|producer| producer.lock());
    let known = producer.as_ref().map_or(Known::New, |producer| producer.known(sequence));
    let (lsn, outcome, rejects, repeated) = match known {
        Known::Applied(lsn, outcome) => (lsn, outcome, Vec::new(), true),
        Known::Forgotten(newest) => return Err(Error::Forgotten { sequence, newest }),
        Known::New => {
            let (lsn, outcome, rejects) = write()?;
            if let Some(producer) = &mut producer {
                producer.record(sequence, lsn, outcome);
            }
            (lsn, outcome, rejects, false)
        }
    };
    let ticket = database.wal.ticket(lsn, options.sync);
    Ok(Written { outcome, rejects, repeated, lsn, ticket })
}
