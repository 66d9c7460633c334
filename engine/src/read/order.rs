//! The order in which the keys of a batch are looked up: shard by shard, some at a time.

use smallvec::SmallVec;
use stdx::{hash::KeyHasher, sync::RwLockReadGuard};

use crate::shard::{Shard, ShardSet, shard_of};

/// Most keys that are looked up while their shards are locked: their cache misses overlap, and a writer waits for a few microseconds.
pub(super) const TOGETHER_MAX: usize = 32;

/// A key of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup {
    pub(super) hash: u64,
    pub(super) shard: usize,
    /// Its place in the request.
    pub(super) place: usize,
}

/// Lists `keys`, in the order of their shards if they may be read in any order.
pub(super) fn arrange(
    hasher: &KeyHasher,
    keys: &[&[u8]],
    in_any_order: bool,
    out: &mut Vec<Lookup>,
) {
    out.clear();
    out.extend(keys.iter().enumerate().map(|(place, key)| {
        let hash = hasher.hash(key);
        Lookup { hash, shard: shard_of(hash), place }
    }));
    if in_any_order && out.len() > 1 {
        // Of one shard in the order of the request: the same request reads in the same order.
        out.sort_unstable_by_key(|lookup| (lookup.shard, lookup.place));
    }
}

/// Shared access to the shards of some lookups, which are in the order of shards or one.
pub(super) struct Guards<'a> {
    /// Each shard once.
    guards: SmallVec<[RwLockReadGuard<'a, Shard>; TOGETHER_MAX]>,
    lookups: &'a [Lookup],
}

impl<'a> Guards<'a> {
    /// Waits for them, one after the other, ascending, each shard once.
    pub(super) fn lock(shards: &'a ShardSet, lookups: &'a [Lookup]) -> Self {
        let mut guards = SmallVec::new();
        guards.extend(shards_of(lookups).map(|shard| shards.read(shard)));
        Self { guards, lookups }
    }

    /// The same, if nobody has to be waited for.
    pub(super) fn try_lock(shards: &'a ShardSet, lookups: &'a [Lookup]) -> Option<Self> {
        let guards = shards_of(lookups).map(|shard| shards.try_read(shard));
        Some(Self { guards: guards.collect::<Option<_>>()?, lookups })
    }

    /// The shard of each of the lookups.
    pub(super) fn shards(&self) -> impl Iterator<Item = &Shard> {
        let (mut guards, mut last) = (self.guards.iter(), None);
        self.lookups.iter().map_while(move |lookup| {
            last = match last {
                Some((number, shard)) if number == lookup.shard => Some((number, shard)),
                _ => guards.next().map(|shard| (lookup.shard, &**shard)),
            };
            last.map(|(_, shard)| shard)
        })
    }
}

/// Each shard of `lookups` once.
fn shards_of(lookups: &[Lookup]) -> impl Iterator<Item = usize> {
    lookups.chunk_by(|a, b| a.shard == b.shard).filter_map(|of_shard| Some(of_shard.first()?.shard))
}
