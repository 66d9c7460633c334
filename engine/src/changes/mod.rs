//! What streams and row groups with `history` took, one change after the other, read from the log once it is on the disk.
//!
//! ```text
//! log ─► batches that are synced ─► records of streams and groups with history, typed by the definitions of that record ─► Change
//! ```
//!
//! The hot path knows nothing of it. `reader` goes through the log, `decode` takes a record apart, `hold` has the log kept until it
//! was gone through. Who keeps the changes, and how, is for the layer above.

mod decode;
mod hold;
mod reader;

use std::sync::Arc;

use model::{definition::Definitions, packed_row::Cell};
use storage::Lsn;

use crate::producer::ProducerId;
pub(crate) use hold::HistoryHold;
pub use hold::LogKept;
pub use reader::{ChangeReader, ChangesRead};

/// What changed, by its index in the definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeSource {
    /// A stream.
    Stream(usize),
    /// A group: rows and deletes of a row group, deletes of a window group whose stream has a history.
    Group(usize),
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// An event was accepted.
    Push,
    /// An event was taken back: the cells name its id, time and keys.
    Retract,
    /// A row was put, whether or not anything in it was newer than what was there.
    Put,
    /// An entity was deleted, whether or not it was there.
    Delete,
}

impl ChangeKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Push, Self::Retract, Self::Put, Self::Delete];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Retract => "retract",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }
}

/// One event, row or key of one record.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Number of its record in the log.
    pub lsn: Lsn,
    /// Of a push its position in the request, which makes the event's id where the stream declares none; else its position in the
    /// record. Ascending within a record.
    pub index: u32,
    /// Now when it was accepted, in ms: of its stream, or of the server for a row group.
    pub at_ms: i64,
    /// What changed.
    pub source: ChangeSource,
    /// What happened.
    pub kind: ChangeKind,
    /// Who wrote it.
    pub producer: ProducerId,
    /// The writer's number of the request; a random one of nobody's pushes.
    pub sequence: u64,
    /// Canonical key of the entity; empty for a stream.
    pub key: &'a [u8],
    /// Event time of a row that was put, in ms; the time of an event stands in its cells.
    pub event_time: Option<i64>,
    /// Fields of the stream, or features of the row group, those of the definitions that the record was written under; none for a
    /// delete.
    pub cells: &'a [Cell<'a>],
}

/// A version of the definitions, and the record of the log that made it valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionsVersion {
    /// 1, 2, 3, …
    pub version: u64,
    /// Its record. Where that was gone already, the last one before the log that is there: the version was valid then.
    pub lsn: Lsn,
    /// Wall clock of the server, in ms.
    pub applied_at_ms: i64,
    /// Name of the file, for messages.
    pub file: String,
    /// The file's text: with those of the versions before it makes the definitions.
    pub text: String,
}

/// What a [`ChangeReader`] shows, in the order of the log.
#[derive(Debug)]
pub enum LogEvent<'a> {
    /// These definitions are valid from this record on.
    Definitions(DefinitionsVersion, Arc<Definitions>),
    /// A change.
    Change(&'a Change<'a>),
}
