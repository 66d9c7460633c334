//! The sweep: round and round through all window groups, so that entities which nobody touches any more give their memory back.
//!
//! One shard is locked at a time, for a bounded number of looks; between any two steps everybody else may go first. What the
//! snapshot has is read without any lock but the sweep's own. Nothing of it is logged, and nothing of it can be seen: what goes is
//! what no read can reach.

use storage::Vfs;

use crate::{
    Database,
    catalog::{Catalog, StreamRuntime, WindowsRuntime},
    shard::SHARD_COUNT,
    windows::{Moment, Ripe},
};

/// Entities looked at under one lock: a few tenths of a millisecond; one with tiles counts as many.
const STEP_LOOKS: usize = 1024;

/// Where a sweep goes on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SweepCursor {
    group: usize,
    shard: usize,
    slot: u32,
}

impl SweepCursor {
    fn next_shard(&mut self) {
        *self = Self { group: self.group, shard: self.shard + 1, slot: 0 };
        if self.shard == SHARD_COUNT {
            *self = Self { group: self.group + 1, ..Self::default() };
        }
    }
}

/// What a call of [`Database::sweep`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entities looked at.
    pub entities: u64,
    /// Entities forgotten: no window can see any of their events.
    pub retired: u64,
    /// Bytes given back.
    pub bytes_freed: u64,
    /// True when the end of the last group was reached; the next call begins with the first one.
    pub is_round_over: bool,
}

impl<V: Vfs> Database<V> {
    /// Looks at about `limit` entities of window groups (one with tiles counts as many), from where the last call ended, and gives back what no window can see
    /// any more; ends early at the end of a round. Reads and writes wait at most for one step of a few tenths of a millisecond.
    ///
    /// A group whose stream has an event clock is passed over until its first event.
    pub fn sweep(&self, limit: usize) -> Swept {
        let mut cursor = self.sweep.lock();
        let mut swept = Swept::default();
        let mut left = limit;
        while left > 0 && !swept.is_round_over {
            left = left.saturating_sub(self.sweep_step(&mut cursor, left, &mut swept));
        }
        self.counters.swept(&swept);
        swept
    }

    /// One table, or part of it; how many looks that was.
    fn sweep_step(&self, cursor: &mut SweepCursor, left: usize, swept: &mut Swept) -> usize {
        let budget = left.min(STEP_LOOKS);
        let cold = self.look_cold(cursor, budget);
        let catalog = self.catalog.read();
        if cursor.group >= catalog.groups.len() {
            *cursor = SweepCursor::default();
            swept.is_round_over = true;
            self.expire_ids(&catalog);
            return 0;
        }
        let Some((windows, runtime, now)) = self.swept_group(&catalog, cursor) else {
            *cursor = SweepCursor { group: cursor.group + 1, ..SweepCursor::default() };
            return 1;
        };
        // Before events are folded under this now, as when they are applied.
        runtime.state.applies(now);
        let moment = Moment::new(self.shards.hasher(), &windows.plan, now);
        let mut shard = self.shards.write_one(cursor.shard);
        let numbering = shard.numbering();
        let table = shard.windows_mut(cursor.group).filter(|table| table.len() > 0);
        let Some(table) = table else {
            cursor.next_shard();
            return 1;
        };
        let before = table.bytes();
        let step = match cold {
            // Entities have other positions than when they were looked at: they are looked at again.
            Some((then, _)) if then != numbering => return 1,
            Some((_, ripe)) => table.sweep_ripe(moment, &ripe),
            None => table.sweep(moment, cursor.slot, budget),
        };
        swept.entities += step.entities as u64;
        swept.retired += step.retired as u64;
        swept.bytes_freed += before.saturating_sub(table.bytes()) as u64;
        match step.next {
            Some(slot) => cursor.slot = slot,
            None => cursor.next_shard(),
        }
        step.cost.max(1)
    }

    /// Looks at the next entities when they are served from the snapshot, which may have to be read from the disk; with the
    /// numbering of positions in their shard.
    fn look_cold(&self, cursor: &SweepCursor, budget: usize) -> Option<(u32, Ripe)> {
        let (numbering, look, late_before) = {
            let catalog = self.catalog.read();
            let (windows, _, now) = self.swept_group(&catalog, cursor)?;
            let shard = self.shards.read(cursor.shard);
            let look = shard.windows(cursor.group)?.look_cold(cursor.slot, budget)?;
            (shard.numbering(), look, windows.plan.late_before(now))
        };
        Some((numbering, look.ripe(late_before, budget)))
    }

    /// The group of `cursor` with the stream that feeds it and that stream's now; `None` when it has no windows, or its stream no
    /// time yet.
    fn swept_group<'a>(
        &self,
        catalog: &'a Catalog,
        cursor: &SweepCursor,
    ) -> Option<(&'a WindowsRuntime, &'a StreamRuntime, i64)> {
        let windows = catalog.windows(cursor.group).ok()?;
        let (stream, runtime) = catalog.stream(windows.stream).ok()?;
        Some((windows, runtime, runtime.state.now(stream, self.clock.wall_ms())?))
    }

    /// Ids leave when others arrive; here those of streams to which none does.
    fn expire_ids(&self, catalog: &Catalog) {
        for (stream, runtime) in catalog.definitions.streams.iter().zip(&catalog.streams) {
            if stream.dedup_ms.is_some() {
                let before = runtime.state.clock().before(stream, self.clock.wall_ms());
                runtime.state.dedup.expire(before);
            }
        }
    }
}
