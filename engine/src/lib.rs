//! The embeddable database: entity-keyed rows and windows in lock-guarded shards, behind one write-ahead log.
//!
//! ```text
//! write  check ─► admit ─► [producer → catalog → ids → shards ascending: append to the log buffer, apply] ─► ticket
//! read   plan ──► [one shard: rows copied, windows finalized] ─► derived features ─► columns
//! open   directory lock ─► snapshot, mapped ─► log, chunk by chunk, shards side by side ─► the same apply
//! ```
//!
//! `database` holds what is shared; `write`, `read` and `restore` are the three roads; `route` decodes and finds the shards,
//! `apply` is the only place that changes an entry; `shard`, `rows` and `windows` are memory, `sweep` gives it back, `memory_limit`
//! refuses writes before it ends; `checkpoint` writes all of it into a snapshot while it is in use, `base` serves from one that is
//! mapped, `cut` is a second database beside it that stands still, `offline` looks at a directory that nobody has open; `catalog`
//! is the definitions with what was compiled from them; `changes` shows what was accepted, from the log; `stream` and `producer`
//! remember what keeps events exactly once.
//!
//! Synchronous and free of tokio, ambient clocks and ambient randomness: a [`Config`] and a clock say all. Not here: the
//! wire, definitions' text (model), window arithmetic (aggregate), files (storage).

mod apply;
mod base;
mod catalog;
pub mod changes;
mod checkpoint;
mod config;
mod cut;
mod database;
mod digest;
mod error;
pub mod explain;
mod memory;
pub mod memory_limit;
#[cfg(loom)]
pub mod model_check;
mod mutation;
pub mod offline;
mod producer;
mod read;
pub mod replay;
mod restore;
mod retraction;
mod route;
mod rows;
mod shard;
mod stats;
mod stepped;
mod stream;
mod sweep;
mod tally;
mod trouble;
mod windows;
mod write;

pub use checkpoint::{
    BackedUp, CheckpointPhase, CheckpointProgress, CheckpointReason, Checkpointed, Verified,
};
pub use config::Config;
pub use database::Database;
pub use error::Error;
pub use memory_limit::{Health as MemoryHealth, MemoryUse};
pub use producer::{Outcome, ProducerId};
pub use read::{
    Dump, DumpChunk, LOOK_AHEAD_MAX, ReadOptions, ReadPlan, ReadRequest, ReadSpace, ReadTrace,
    ScanCursor, ScanPage, VectorTrace, Vectors,
};
pub use restore::Recovery;
pub use stats::{GroupMemory, StatValue};
pub use storage::{
    CommitTicket, Durable, Error as StorageError, Lsn, OsFs, Remedy, SyncLevel, SyncPolicy,
    TornTail, Vfs, fs::OverlayFs,
};
pub use sweep::Swept;
pub use trouble::Trouble;
pub use write::{
    Applied, PushRequest, PushSpace, PutRequest, PutRowRequest, Reject, RejectKind, RetractRequest,
    WriteOptions, Written,
};
