//! One lock for each shard, and the one order in which several are taken. Knows nothing of what it guards, so that
//! `loom-tests` can try all interleavings of those who meet here.

use crossbeam_utils::CachePadded;
use smallvec::SmallVec;
use stdx::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{SHARD_COUNT, Shard};

const _: () = assert!(SHARD_COUNT == 64, "a ShardMask has one bit for each shard");

/// A set of shards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ShardMask(u64);

impl ShardMask {
    /// Adds one.
    pub(crate) fn insert(&mut self, shard: usize) {
        self.0 |= 1 << (shard % SHARD_COUNT);
    }

    /// How many of those in it come before `shard`; `None` when that is not in it.
    fn place(self, shard: usize) -> Option<usize> {
        let bit = 1_u64.checked_shl(u32::try_from(shard).ok()?)?;
        (self.0 & bit != 0).then(|| (self.0 & (bit - 1)).count_ones() as usize)
    }

    /// Those in it, ascending.
    pub(crate) fn shards(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let next = (left != 0).then(|| left.trailing_zeros() as usize);
            left &= left.wrapping_sub(1);
            next
        })
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ShardLocks<T = Shard> {
    shards: Box<[CachePadded<RwLock<T>>]>,
}

impl<T: Default> ShardLocks<T> {
    /// So many empty shards, of [`SHARD_COUNT`] at most.
    pub(crate) fn new(count: usize) -> Self {
        let shard = |_| CachePadded::new(RwLock::new(T::default()));
        Self { shards: (0..count.min(SHARD_COUNT)).map(shard).collect() }
    }
}

impl<T> ShardLocks<T> {
    /// Waits for shared access to one shard.
    ///
    /// # Panics
    /// When there is no such shard.
    pub(crate) fn read(&self, shard: usize) -> RwLockReadGuard<'_, T> {
        self.shards.get(shard).expect("a routed shard exists").read()
    }

    /// Shared access to one shard if nobody has to be waited for, and there is such a shard.
    pub(crate) fn try_read(&self, shard: usize) -> Option<RwLockReadGuard<'_, T>> {
        self.shards.get(shard)?.try_read()
    }

    /// Waits for exclusive access to `wanted` shards, taking the locks in ascending order.
    pub(crate) fn write(&self, wanted: ShardMask) -> WriteGuards<'_, T> {
        // Nothing is allocated while shards are locked.
        let mut guards = SmallVec::with_capacity(wanted.0.count_ones() as usize);
        let shards = wanted.shards().map(|index| self.shards.get(index));
        guards.extend(shards.map(|shard| Some(shard?.write())));
        WriteGuards { wanted, guards }
    }

    /// Waits for exclusive access to one shard, for whoever holds no other.
    ///
    /// # Panics
    /// When there is no such shard.
    pub(crate) fn write_one(&self, shard: usize) -> RwLockWriteGuard<'_, T> {
        self.shards.get(shard).expect("shards are numbered from 0").write()
    }
}

/// Exclusive access to some shards.
pub(crate) struct WriteGuards<'a, T = Shard> {
    wanted: ShardMask,
    /// One for each of them, ascending; mostly there are few.
    guards: SmallVec<[Option<RwLockWriteGuard<'a, T>>; 4]>,
}

impl<T> WriteGuards<'_, T> {
    /// One of the shards that were locked.
    ///
    /// # Panics
    /// When it was not: the caller routed one key twice and got two answers.
    pub(crate) fn shard(&mut self, shard: usize) -> &mut T {
        let place = self.wanted.place(shard);
        place
            .and_then(|place| self.guards.get_mut(place)?.as_mut())
            .expect("every key of a batch was routed before its shards were locked")
    }

    /// One of the shards that were locked, to look at; `None` when it was not.
    pub(crate) fn peek(&self, shard: usize) -> Option<&T> {
        self.guards.get(self.wanted.place(shard)?)?.as_deref()
    }

    /// Lets one go: all that its batch changes in it is changed. Who holds several shards at once sees all of the batch or nothing:
    /// none was let go before all were locked.
    pub(crate) fn release(&mut self, shard: usize) {
        if let Some(guard) = self.wanted.place(shard).and_then(|place| self.guards.get_mut(place)) {
            *guard = None;
        }
    }
}
