//! Sweeping: entities that nobody touches any more give up what no window can see, a bounded number of slots at a time.
//!
//! ```text
//! cold, its first event is live ──► left alone, after one look
//! cold, its first event is dead ──► dead events go
//! with tiles                    ──► folded, dead tiles go
//! nothing left                  ──► the entity is forgotten
//! in the snapshot ──► `cold`
//! ```
//!
//! None of it can be seen: reads look at windows, and no window reaches what goes.

use stdx::hash::KeyHasher;

use super::{
    block::{self, Block},
    table::{Moment, WindowTable},
};

/// What an entity with dead events costs, in looks at one without.
pub(super) const RETIRE_COST: usize = 8;
/// What an entity with tiles costs.
pub(super) const COMPACT_COST: usize = 256;
/// An index with less than one of so many places in use shrinks.
const SPARSE: usize = 4;
/// No smaller index is worth shrinking.
const INDEX_MIN: usize = 64;

/// What a step of a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SweepStep {
    /// Where the next step begins; `None` at the end of the table.
    pub(crate) next: Option<u32>,
    /// Entities looked at.
    pub(crate) entities: usize,
    /// Entities that were forgotten.
    pub(crate) retired: usize,
    /// What it cost, in looks at a cold entity that is left alone.
    pub(crate) cost: usize,
}

impl WindowTable {
    /// Sweeps entities in memory from position `from` on, for about as long as `budget` looks at cold entities take.
    pub(crate) fn sweep(&mut self, moment: Moment<'_>, from: u32, budget: usize) -> SweepStep {
        let mut step = SweepStep::default();
        let start = self.memory_start();
        let mut slot = from.saturating_sub(start);
        // Forgetting the last entity forgets the slots.
        while slot < self.slots.end() {
            if step.cost >= budget {
                step.next = Some(start + slot);
                return step;
            }
            step.cost += self.sweep_slot(moment, slot, &mut step);
            slot += 1;
        }
        self.shrink_index(moment.hasher);
        step
    }

    /// Sweeps one slot; what that cost.
    pub(super) fn sweep_slot(
        &mut self,
        moment: Moment<'_>,
        slot: u32,
        step: &mut SweepStep,
    ) -> usize {
        let Moment { plan, now, .. } = moment;
        let block = self.slots.get(slot);
        if !block.is_block() {
            return 1;
        }
        step.entities += 1;
        let Block { grown, .. } = Block::read(self.arena.get(block));
        let (_, view) = self.view(block);
        let cost = if grown.is_some() {
            COMPACT_COST
        } else if view.first_time().is_some_and(|first| first >= moment.late_before) {
            return 1;
        } else {
            RETIRE_COST
        };
        let is_empty = self.change(slot, 0, |state| {
            if grown.is_some() { state.compact(plan, now) } else { state.retire(plan, now) }
        });
        if is_empty {
            self.remove(moment.hasher, slot);
            step.retired += 1;
        }
        cost
    }

    /// Gives memory of the index back once most of it is unused.
    fn shrink_index(&mut self, hasher: &KeyHasher) {
        let (len, capacity) = (self.index.len(), self.index.capacity());
        if capacity > INDEX_MIN && len < capacity / SPARSE {
            let (slots, arena) = (&self.slots, &self.arena);
            let hash_of = |slot: &u32| hasher.hash(block::key(arena.get(slots.get(*slot))));
            self.index.shrink_to(len + len / 2, hash_of);
        }
    }
}
