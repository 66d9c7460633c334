//! Events within the horizon of an entity that has many: kept raw, so that every as-of stays exact, and in tiles beside, so
//! that a read passes over the events of one tile only.
//!
//! ```text
//!  floor         tiles of a 64th of the horizon           x      now
//! ───┼──────┬──────┬──────┬──────┬──────┬──────┬──────┬───┼──┬────┼──►
//!    │ sum  │ sum  │ sum  │ sum  │ sum  │ sum  │ sum  │ raw  │        a read at x
//! ```

use std::collections::VecDeque;

use super::level::{Events, FoldScratch, LevelState};
use crate::{
    plan::WindowPlan,
    raw::{self, Records},
};

/// See the file's head.
#[derive(Debug, Clone, Default)]
pub(super) struct Young {
    pub(super) sums: LevelState,
    /// By tile number: a raw log of each tile that has events.
    pub(super) logs: VecDeque<(i64, Vec<u8>)>,
}

impl Young {
    /// Adds events, sorted by time.
    pub(super) fn add(
        &mut self,
        plan: &WindowPlan,
        events: &Events<'_>,
        scratch: &mut FoldScratch,
    ) {
        let hop_ms = plan.young_hop_ms();
        for (record, _) in events.iter() {
            let log = self.log_of(record.time.div_euclid(hop_ms));
            raw::append(log, record.time, record.is_full, record.body);
        }
        self.sums.fold_tiles(plan, hop_ms, events, i64::MIN, scratch);
    }

    /// Adds the log of a tile that has none yet, with its events, sorted by time.
    pub(super) fn restore(
        &mut self,
        plan: &WindowPlan,
        (number, log): (i64, &[u8]),
        events: &Events<'_>,
        scratch: &mut FoldScratch,
    ) {
        self.log_of(number).extend_from_slice(log);
        self.sums.fold_tiles(plan, plan.young_hop_ms(), events, i64::MIN, scratch);
    }

    fn log_of(&mut self, number: i64) -> &mut Vec<u8> {
        // Events mostly come in order: the last one, or one behind it.
        let mut at = self.logs.len();
        while at > 0 && self.logs.get(at - 1).is_some_and(|(known, _)| *known >= number) {
            at -= 1;
        }
        if self.logs.get(at).is_none_or(|(known, _)| *known != number) {
            self.logs.insert(at, (number, Vec::new()));
        }
        &mut self.logs.get_mut(at).expect("it was found or inserted").1
    }

    /// Takes the logs of tiles that lie before `floor` as a whole.
    pub(super) fn take_before(
        &mut self,
        plan: &WindowPlan,
        floor: i64,
        scratch: &mut FoldScratch,
    ) -> Vec<Vec<u8>> {
        let first = floor.div_euclid(plan.young_hop_ms());
        let mut taken = Vec::new();
        while let Some((_, log)) = self.logs.pop_front_if(|(number, _)| *number < first) {
            taken.push(log);
        }
        if !taken.is_empty() {
            self.sums.forget_before(plan, first);
            // A block must not count what is folded: should the clock be set back, its tiles might come again.
            self.sums.remake_blocks(plan, scratch);
        }
        taken
    }

    /// Raw events of tiles from `first` on and before `end`.
    pub(super) fn raw<'p, 'a>(
        &'a self,
        plan: &'p WindowPlan,
        first: i64,
        end: i64,
    ) -> impl Iterator<Item = Records<'p, 'a>> {
        let inside = move |(number, _): &&(i64, Vec<u8>)| (first..end).contains(number);
        self.logs.iter().filter(inside).map(move |(_, log)| Records::new(plan, log))
    }

    pub(super) fn bytes(&self) -> usize {
        self.sums.bytes()
            + self.logs.capacity() * size_of::<(i64, Vec<u8>)>()
            + self.logs.iter().map(|(_, log)| log.capacity()).sum::<usize>()
    }
}
