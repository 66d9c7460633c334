//! What a read saw, told along with its values: enough to compute them again from the log alone.
//!
//! **Why one number says which changes an entity had.** All groups of an entity lie in the shard of its key, and a write holds that
//! shard's lock from before its record gets its LSN until it is applied. Whoever holds the lock shared therefore sees every record of
//! the shard that has an LSN, and none of it comes before the lock is let go. The newest LSN given at that moment, whichever shard's
//! it is, thus separates what this entity had from what it had not: records up to it that touch the entity are applied, later ones
//! are not. Of other shards it says nothing, so each entity of a vector has its own.
//!
//! Deletes and retractions are records like all others. What has no record (folding, sweeps, checkpoints) changes no value.

use storage::{Lsn, Vfs};

use super::{Reading, group::GroupMoment};
use crate::replay::ReplayMoment;

/// What a read saw of the vectors that were to be traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadTrace {
    /// Version of the definitions that it was read by.
    pub version: u64,
    /// The server's clock at the read, in ms.
    pub wall_ms: i64,
    /// One for each vector that was asked for, in order.
    pub vectors: Vec<VectorTrace>,
}

/// What a read saw of one vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorTrace {
    /// Its place in the request.
    pub vector: usize,
    /// For each entity of the plan the log position up to which its changes were seen.
    pub seen: Vec<Lsn>,
    /// For each group of the plan when it was looked at.
    pub moments: Vec<ReplayMoment>,
}

/// Vectors to trace, and what was seen so far.
#[derive(Debug, Default)]
pub(super) struct Tracing<'a> {
    /// Places of vectors still to come, ascending.
    wanted: &'a [usize],
    seen: Vec<Lsn>,
    vectors: Vec<VectorTrace>,
}

impl<'a> Tracing<'a> {
    pub(super) fn new(wanted: &'a [usize]) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// True when vectors are still to be traced.
    pub(super) fn is_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// True when the vector at this place is traced.
    pub(super) fn wants(&self, vector: usize) -> bool {
        self.wanted.first() == Some(&vector)
    }
}

impl<V: Vfs> Reading<'_, V> {
    /// Notes how far the log is, for an entity whose shard is locked.
    pub(super) fn sees(&mut self) {
        self.tracing.seen.push(self.database.wal.appended_lsn());
    }

    /// The vector that is traced is complete.
    pub(super) fn traced(&mut self, vector: usize) {
        let moment = |moment: &GroupMoment<'_>| moment.replayed(self.options.exclusive);
        let moments = self.moments.iter().map(moment).collect();
        let seen = std::mem::take(&mut self.tracing.seen);
        self.tracing.vectors.push(VectorTrace { vector, seen, moments });
        self.tracing.wanted = self.tracing.wanted.get(1..).unwrap_or_default();
    }

    /// What was seen.
    pub(super) fn trace(&mut self) -> ReadTrace {
        let vectors = std::mem::take(&mut self.tracing.vectors);
        ReadTrace { version: self.catalog.version, wall_ms: self.wall_ms, vectors }
    }
}
