//! One group's part of a shard, whatever its kind: what both kinds answer to.

use stdx::hash::KeyHasher;
use storage::{Error, snapshot::Section};

use crate::{
    base::{Ordinals, Records, TableFence},
    rows::RowTable,
    windows::WindowTable,
};

/// See the module.
#[derive(Debug)]
pub(crate) enum GroupTable {
    /// Of a row group.
    Rows(RowTable),
    /// Of a window group.
    Windows(WindowTable),
}

impl GroupTable {
    /// Number of entities.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Rows(table) => table.len(),
            Self::Windows(table) => table.len(),
        }
    }

    /// Bytes in use.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Rows(table) => table.bytes(),
            Self::Windows(table) => table.bytes(),
        }
    }

    /// Serves what `section` of a snapshot holds from where it lies; the table is empty before.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(crate) fn attach(&mut self, section: Section) -> Result<(), Error> {
        match self {
            Self::Rows(table) => table.attach(section),
            Self::Windows(table) => table.attach(section),
        }
    }

    /// Serves from `section` of a newer snapshot what it served from the last; `carried` are the entities of that one that come
    /// first in it.
    ///
    /// # Errors
    /// [`Error::Damaged`]: it goes on with the last one.
    pub(crate) fn rebase(&mut self, section: Section, carried: &Ordinals) -> Result<(), Error> {
        match self {
            Self::Rows(table) => table.rebase(section, carried),
            Self::Windows(table) => table.rebase(section, carried),
        }
    }

    /// True when `key`, whose hash is `hash`, is there: [`GroupTable::delete`] will find it.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it lies in a damaged part of the snapshot.
    pub(crate) fn contains(&self, hash: u64, key: &[u8]) -> Result<bool, Error> {
        match self {
            Self::Rows(table) => Ok(table.get(hash, key)?.is_some()),
            Self::Windows(table) => table.contains(hash, key),
        }
    }

    /// The slot that a key with this hash is most likely in; of a snapshot none.
    pub(crate) fn guess(&self, hash: u64) -> Option<u32> {
        match self {
            Self::Rows(table) => table.guess(hash),
            Self::Windows(table) => table.guess(hash),
        }
    }

    /// Looks at what reading the entity of `slot` takes, so that it is there when it is read; the sum of what was seen.
    pub(crate) fn touch(&self, slot: u32) -> u8 {
        match self {
            Self::Rows(table) => table.touch(slot),
            Self::Windows(table) => table.touch(slot),
        }
    }

    /// Removes `key`; false when it is not there.
    pub(crate) fn delete(&mut self, hasher: &KeyHasher, key: &[u8]) -> bool {
        match self {
            Self::Rows(table) => table.delete(hasher, key),
            Self::Windows(table) => table.delete(hasher, key),
        }
    }

    /// From now on the table is written as it is now.
    pub(crate) fn fence(&mut self) {
        match self {
            Self::Rows(table) => table.fence(),
            Self::Windows(table) => table.fence(),
        }
    }

    /// The fence with the images it kept; `None` when it is gone already.
    pub(crate) fn unfence(&mut self) -> Option<TableFence> {
        match self {
            Self::Rows(table) => table.unfence(),
            Self::Windows(table) => table.unfence(),
        }
    }

    /// Adds the next `limit` entities, as they were at the fence, to `out`; true at the end, nothing when there is no fence.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(crate) fn write_step(
        &self,
        hasher: &KeyHasher,
        limit: usize,
        out: &mut Records,
    ) -> Result<Option<bool>, Error> {
        match self {
            Self::Rows(table) => table.write_step(hasher, limit, out),
            Self::Windows(table) => table.write_step(hasher, limit, out),
        }
    }

    /// The number that stands beside the entities in a snapshot, once all were written.
    pub(crate) fn extra(&self, fence: &TableFence) -> u32 {
        match self {
            Self::Rows(table) => table.extra(),
            Self::Windows(_) => fence.numbers().load(std::sync::atomic::Ordering::Relaxed),
        }
    }
}
