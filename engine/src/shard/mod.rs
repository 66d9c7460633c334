//! Memory in lock-guarded slices: an entity's rows and windows of every group live in the one shard its key routes to,
//! so that one lock makes a read or write of an entity atomic.
//!
//! Our own array of locks, not a concurrent map: a batch takes each lock once, in ascending order, with the guard in
//! hand it appends to the log and applies, and loom can see through it.

mod locks;
mod table;

use stdx::{
    hash::KeyHasher,
    sync::{RwLockReadGuard, RwLockWriteGuard},
};

use crate::{
    catalog::GroupRuntime,
    rows::{RowLayout, RowTable},
    windows::WindowTable,
};

pub(crate) use locks::{ShardLocks, ShardMask, WriteGuards};
pub(crate) use table::GroupTable;

/// Shards of a database. More than cores by far, so that two writers seldom meet.
pub(crate) const SHARD_COUNT: usize = 64;

/// One shard: a table for each group, by group index.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    groups: Vec<GroupTable>,
    numbering: u32,
}

impl Shard {
    /// The table of row group `group`.
    pub(crate) fn rows(&self, group: usize) -> Option<&RowTable> {
        match self.groups.get(group)? {
            GroupTable::Rows(table) => Some(table),
            GroupTable::Windows(_) => None,
        }
    }

    /// The table of row group `group`, to change.
    pub(crate) fn rows_mut(&mut self, group: usize) -> Option<&mut RowTable> {
        match self.groups.get_mut(group)? {
            GroupTable::Rows(table) => Some(table),
            GroupTable::Windows(_) => None,
        }
    }

    /// The table of window group `group`.
    pub(crate) fn windows(&self, group: usize) -> Option<&WindowTable> {
        match self.groups.get(group)? {
            GroupTable::Windows(table) => Some(table),
            GroupTable::Rows(_) => None,
        }
    }

    /// The table of window group `group`, to change.
    pub(crate) fn windows_mut(&mut self, group: usize) -> Option<&mut WindowTable> {
        match self.groups.get_mut(group)? {
            GroupTable::Windows(table) => Some(table),
            GroupTable::Rows(_) => None,
        }
    }

    /// The table of `group`, whatever its kind.
    pub(crate) fn table(&self, group: usize) -> Option<&GroupTable> {
        self.groups.get(group)
    }

    /// The table of `group`, to change.
    pub(crate) fn table_mut(&mut self, group: usize) -> Option<&mut GroupTable> {
        self.groups.get_mut(group)
    }

    /// Changes when entities get other positions.
    pub(crate) fn numbering(&self) -> u32 {
        self.numbering
    }

    /// Entities have other positions from now on.
    pub(crate) fn renumber(&mut self) {
        self.numbering = self.numbering.wrapping_add(1);
    }

    /// From now on all tables are written as they are now.
    pub(crate) fn fence(&mut self) {
        self.groups.iter_mut().for_each(GroupTable::fence);
    }

    /// Tables are not written any more.
    pub(crate) fn unfence(&mut self) {
        self.groups.iter_mut().for_each(|table| drop(table.unfence()));
    }

    /// Makes tables for new groups and widens those whose row group has grown.
    fn adopt(&mut self, groups: &[GroupRuntime]) {
        for (index, runtime) in groups.iter().enumerate() {
            match (self.groups.get_mut(index), runtime) {
                (None, GroupRuntime::Windows(_)) => {
                    self.groups.push(GroupTable::Windows(WindowTable::default()));
                }
                (None, GroupRuntime::Rows(rows)) => {
                    self.groups
                        .push(GroupTable::Rows(RowTable::new(RowLayout::clone(&rows.layout))));
                }
                (Some(GroupTable::Rows(table)), GroupRuntime::Rows(rows))
                    if *table.layout() != *rows.layout =>
                {
                    table.widen(RowLayout::clone(&rows.layout));
                }
                (Some(_), _) => {}
            }
        }
    }
}

/// All shards and the hash that routes keys to them.
#[derive(Debug)]
pub(crate) struct ShardSet {
    shards: ShardLocks,
    hasher: KeyHasher,
}

impl ShardSet {
    /// Empty shards; `seed` keys the hash.
    pub(crate) fn new(seed: u64) -> Self {
        Self { shards: ShardLocks::new(SHARD_COUNT), hasher: KeyHasher::new(seed) }
    }

    /// The hash of keys, for tables.
    pub(crate) fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// The shard of `key`.
    pub(crate) fn route(&self, key: &[u8]) -> usize {
        shard_of(self.hasher.hash(key))
    }

    /// Waits for shared access to one shard.
    ///
    /// # Panics
    /// When `shard` did not come from [`ShardSet::route`].
    pub(crate) fn read(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.shards.read(shard)
    }

    /// Shared access to one shard, if nobody has to be waited for.
    pub(crate) fn try_read(&self, shard: usize) -> Option<RwLockReadGuard<'_, Shard>> {
        self.shards.try_read(shard)
    }

    /// Waits for exclusive access to `wanted` shards, taking the locks in ascending order.
    pub(crate) fn write(&self, wanted: ShardMask) -> WriteGuards<'_> {
        self.shards.write(wanted)
    }

    /// Waits for exclusive access to one shard, for whoever holds no other.
    ///
    /// # Panics
    /// When there is no such shard.
    pub(crate) fn write_one(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards.write_one(shard)
    }

    /// Adopts a new set of groups in every shard, one after the other. However much is in them, it takes no longer.
    pub(crate) fn adopt(&self, groups: &[GroupRuntime]) {
        (0..SHARD_COUNT).for_each(|shard| self.write_one(shard).adopt(groups));
    }
}

/// The shard of a key's hash. Neither its lowest bits decide, which are the places in a table, nor its highest seven, by which a
/// table tells keys apart before it looks at them: all keys of a shard would have the same.
pub(crate) fn shard_of(hash: u64) -> usize {
    const SHIFT: u32 = u64::BITS - 7 - SHARD_COUNT.trailing_zeros();
    usize::try_from(hash >> SHIFT & (SHARD_COUNT as u64 - 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_is_reached_and_masks_agree() {
        let shards = ShardSet::new(3);
        let mut mask = ShardMask::default();
        for key in 0..10_000_u32 {
            mask.insert(shards.route(&key.to_le_bytes()));
        }
        assert!(mask.shards().eq(0..SHARD_COUNT));
        let mut some = ShardMask::default();
        [63, 5, 0, 5].into_iter().for_each(|shard| some.insert(shard));
        assert!(some.shards().eq([0, 5, 63]) && ShardMask::default().shards().next().is_none());
    }
}
