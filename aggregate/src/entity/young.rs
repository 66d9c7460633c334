//! Events within the horizon of an entity that has many: kept raw, so that every as-of stays exact, and in tiles beside, so
//! that a read passes over the events of one tile only.
//!
//! ```text
//!  floor         tiles of a 64th of the horizon           x      now
//! ───┼──────┬──────┬──────┬──────┬──────┬──────┬──────┬───┼──┬────┼──►
//!    │ sum  │ sum  │ sum  │ sum  │ sum  │ sum  │ sum  │ raw  │        a read at x
//! ```
//!
//! Where no event is at `x` or later, as mostly, the last tile is read from its sum as well.

use std::collections::VecDeque;

use super::level::{Events, FoldScratch, LevelState};
use crate::{
    distinct::state::DistinctState,
    plan::WindowPlan,
    raw::{self, Records},
};

/// See the file's head.
#[derive(Debug, Clone)]
pub(super) struct Young {
    pub(super) sums: LevelState,
    /// By tile number: a raw log of each tile that has events.
    pub(super) logs: VecDeque<(i64, Vec<u8>)>,
    /// Distinct tokens of each level, in its tiles; nothing else. `None` when events are gone, and perhaps their tokens.
    tokens: Option<Vec<LevelState>>,
    /// No event is later than this, in ms.
    newest: i64,
}

impl Default for Young {
    fn default() -> Self {
        let (sums, logs) = (LevelState::default(), VecDeque::new());
        Self { sums, logs, tokens: Some(Vec::new()), newest: i64::MIN }
    }
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
        if self.tokens.is_none() {
            self.recount_tokens(plan);
        } else {
            self.note_tokens(plan, events);
        }
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
        self.note_tokens(plan, events);
    }

    fn log_of(&mut self, number: i64) -> &mut Vec<u8> {
        let at = self.position(number);
        if self.logs.get(at).is_none_or(|(known, _)| *known != number) {
            self.logs.insert(at, (number, Vec::new()));
        }
        &mut self.logs.get_mut(at).expect("it was found or inserted").1
    }

    /// The place of the first log from tile `number` on.
    fn position(&self, number: i64) -> usize {
        self.logs.partition_point(|(known, _)| *known < number)
    }

    /// Notes the distinct tokens of events, on every level: a read at now need not look for them in raw events.
    fn note_tokens(&mut self, plan: &WindowPlan, events: &Events<'_>) {
        for (record, _) in events.iter() {
            self.newest = self.newest.max(record.time);
        }
        let Some(tokens) = self.tokens.as_mut().filter(|_| plan.distinct_cells() > 0) else {
            return;
        };
        tokens.resize_with(plan.levels().len(), LevelState::default);
        for (state, level) in tokens.iter_mut().zip(plan.levels()) {
            state.fold_distinct(plan, level, events, i64::MIN);
        }
    }

    /// Some events are gone, and perhaps their tokens: until more are added, reads look for tokens in raw events.
    pub(super) fn distrust_tokens(&mut self) {
        self.tokens = None;
    }

    /// As without events.
    fn forget_all_tokens(&mut self) {
        (self.tokens, self.newest) = (Some(Vec::new()), i64::MIN);
    }

    /// Notes all tokens anew.
    fn recount_tokens(&mut self, plan: &WindowPlan) {
        self.forget_all_tokens();
        let logs = std::mem::take(&mut self.logs);
        for (_, log) in &logs {
            self.note_tokens(plan, &Events::of_log(plan, log));
        }
        self.logs = logs;
    }

    /// The distinct tokens of a level and cell, of all its events and perhaps some that are folded by now; `None` when one of
    /// them is not before `x`: newest tiles do not tell what a token's tile was before.
    pub(super) fn tokens_before(
        &self,
        x: i64,
        level: usize,
        cell: usize,
    ) -> Option<Option<&DistinctState>> {
        let state = self.tokens.as_ref()?.get(level).and_then(|state| state.distinct.get(cell));
        (self.newest < x).then_some(state)
    }

    /// The first tile that may have events at `x` or later: those before it are read as they are.
    pub(super) fn first_cut(&self, x: i64, hop_ms: i64) -> i64 {
        let cut = x.div_euclid(hop_ms);
        // Mostly all events are before x, and so is what the tile that x is in has of them.
        if self.newest < x { cut.saturating_add(1) } else { cut }
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
            for (state, level) in self.tokens.iter_mut().flatten().zip(plan.levels()) {
                state.forget_tokens(level.first_live_tile(floor));
            }
        }
        if self.logs.is_empty() {
            self.forget_all_tokens();
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
        let places = self.position(first)..self.position(end).max(self.position(first));
        self.logs.range(places).map(move |(_, log)| Records::new(plan, log))
    }

    pub(super) fn bytes(&self) -> usize {
        self.sums.bytes()
            + self.tokens.as_ref().map_or(0, |tokens| tokens.capacity() * size_of::<LevelState>())
            + self.tokens.iter().flatten().map(LevelState::bytes).sum::<usize>()
            + self.logs.capacity() * size_of::<(i64, Vec<u8>)>()
            + self.logs.iter().map(|(_, log)| log.capacity()).sum::<usize>()
    }
}
