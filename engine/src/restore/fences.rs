//! Which records each part of a snapshot has already.

use storage::Lsn;

use crate::{checkpoint::Clocks, stream::stripe_of};

/// See the module. The default is no snapshot: nothing has anything.
#[derive(Debug, Default)]
pub(super) struct Fences {
    clocks: Clocks,
    oldest: u64,
    newest: u64,
}

impl Fences {
    pub(super) fn new(clocks: Clocks) -> Self {
        let oldest = clocks.replay_from() - 1;
        let newest = clocks.fences.iter().copied().max().unwrap_or(0);
        Self { oldest, newest, clocks }
    }

    /// Clocks of streams when the snapshot was finished.
    pub(super) fn clocks(&self) -> &[(i64, i64)] {
        &self.clocks.streams
    }

    /// The first record that some part does not have.
    pub(super) fn replay_from(&self) -> u64 {
        self.oldest + 1
    }

    /// Some part has this record; the table of producers has all up to it.
    pub(super) fn everything(&self) -> u64 {
        self.clocks.everything
    }

    /// True when `shard` has what record `lsn` says.
    pub(super) fn covers(&self, shard: usize, Lsn(lsn): Lsn) -> bool {
        lsn <= self.newest && self.clocks.fences.get(shard).is_some_and(|fence| lsn <= *fence)
    }

    /// True when the ids of `stream` have what record `lsn` says of `id`.
    pub(super) fn covers_id(&self, stream: u32, id: u128, Lsn(lsn): Lsn) -> bool {
        let stripes = self.clocks.ids.get(stream as usize);
        let position = stripes.and_then(|stripes| stripes.get(stripe_of(id)));
        position.is_some_and(|position| lsn <= *position)
    }
}
