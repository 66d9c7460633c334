//! What becomes of a log that is full: dead events go, old ones are folded into tiles where that saves memory or time, and
//! young ones stay raw.

use model::limits::YOUNG_EVENTS_MAX;

use super::{
    EntityView, EntityWindows, Grown,
    census::Census,
    level::{Events, FoldScratch, LevelState},
};
use crate::{
    plan::WindowPlan,
    raw::{self, Record, Records},
};

/// Bytes of a tile beside its fields.
const TILE_NUMBER_BYTES: usize = 3;
/// Expected bytes of a field of a tile.
const TILE_FIELD_BYTES: usize = 4;
/// Expected bytes of the time in a raw event.
pub(crate) const TIME_BYTES: usize = 5;
/// Expected bytes of one distinct token on one level.
const TOKEN_BYTES: usize = 8;
/// What the boxes and vectors of folded state take whatever is in them.
const GROWN_BYTES: usize = 512;
/// Logs shorter than this are not looked at when they are full, unless their first event is dead.
const SMALL_LOG_BYTES: usize = 192;
/// Bytes that the first event's log is given at least.
pub(crate) const LOG_BYTES_MIN: usize = 16;
/// Bytes of new events that a log has room for once an entity has tiles: what a read passes over, and what pays for a fold.
pub(crate) const INBOX_BYTES: usize = 512;
/// The same in events, where those are long.
pub(crate) const INBOX_EVENTS: usize = 32;

/// From so many events on, tiles may be expected to take a quarter more memory: a read passes over every raw event
/// (docs/decisions/0013).
const MANY_EVENTS: usize = 256;

/// How a state is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Only what is dead goes.
    Nothing,
    /// Whatever is older than the horizon is folded.
    Everything,
}

impl EntityWindows {
    /// Called when the log is full, which is when looking at all of it costs little per event.
    pub(super) fn make_room(&mut self, plan: &WindowPlan, needed: usize, now: i64) {
        if let Some(fold) = self.worth_settling(plan, now) {
            self.settle(plan, now, fold);
        }
        if self.log.capacity() - self.log.len() >= needed {
            return;
        }
        let wanted = self.log.len() + needed + self.view().room(needed);
        let wanted = wanted.max(LOG_BYTES_MIN).next_multiple_of(8);
        self.log.reserve_exact(wanted - self.log.len());
    }

    /// What is worth doing to a full log; `None` when it is best left alone.
    fn worth_settling(&self, plan: &WindowPlan, now: i64) -> Option<Fold> {
        if self.grown.is_some() {
            return Some(Fold::Everything);
        }
        if self.view().only_grows(plan.late_before(now)) {
            return None;
        }
        let census = Census::of(plan, &self.log, now);
        let is_long = census.old >= plan.fold_threshold() || census.young > YOUNG_EVENTS_MAX;
        let is_ever = plan.fold_threshold() < usize::MAX;
        if is_ever && (is_long || census.is_better_folded(plan)) {
            return Some(Fold::Everything);
        }
        (census.dead > 0).then_some(Fold::Nothing)
    }

    /// Sorts all raw events into what is dead, what is folded and what stays.
    pub(super) fn settle(&mut self, plan: &WindowPlan, now: i64, fold: Fold) {
        let (floor, late) = (plan.floor(now), plan.late_before(now));
        let log = std::mem::take(&mut self.log);
        let mut scratch = FoldScratch::default();
        let taken =
            self.grown.as_mut().map(|grown| grown.young.take_before(plan, floor, &mut scratch));
        let taken = taken.unwrap_or_default();
        let (mut old, mut young) = (Events::new(plan), Events::new(plan));
        let mut kept = Vec::new();
        let mut values = Vec::new();
        for log in taken.iter().chain([&log]) {
            let mut records = Records::new(plan, log);
            while let Some(record) = records.next(&mut values) {
                if record.time < late {
                    continue;
                }
                let is_old = record.time < floor;
                match (is_old, fold) {
                    (true, Fold::Everything) => old.push(record, &values),
                    (false, _) => young.push(record, &values),
                    (true, Fold::Nothing) => kept.push(record),
                }
            }
        }
        let has_young = self.grown.as_ref().is_some_and(|grown| !grown.young.logs.is_empty());
        let is_young_many = young.len() > if has_young { 0 } else { YOUNG_EVENTS_MAX };
        let is_grown = self.grown.is_some() || !old.is_empty() || is_young_many;
        if is_grown {
            let grown = self.grown.get_or_insert_default();
            grown.fold(plan, now, old, &mut scratch);
            if is_young_many {
                young.sort();
                grown.young.add(plan, &young, &mut scratch);
                young = Events::new(plan);
            }
        }
        if self.grown.as_ref().is_some_and(|grown| grown.is_empty()) {
            self.grown = None;
        }
        self.log = rewritten(kept.iter().chain(young.iter().map(|(record, _)| record)), &log);
    }

    /// Adds the events of `other`, of the same plan; the two share none.
    pub fn merge(&mut self, plan: &WindowPlan, other: &Self, now: i64) {
        let mut values = Vec::new();
        let grown = other.grown.as_deref();
        let young = grown.into_iter().flat_map(|grown| grown.young.raw(plan, i64::MIN, i64::MAX));
        for mut records in std::iter::once(Records::new(plan, &other.log)).chain(young) {
            while let Some(record) = records.next(&mut values) {
                raw::append(&mut self.log, record.time, record.is_full, record.body);
            }
        }
        if let Some(grown) = grown {
            self.grown.get_or_insert_default().merge(plan, now, grown);
        }
        // Many events may have come together: looked at as if they had come one by one.
        if let Some(fold) = self.worth_settling(plan, now) {
            self.settle(plan, now, fold);
        }
    }
}

impl EntityView<'_> {
    /// Bytes that its log wants behind it when it is stored anew, so that not every event, of about `event_bytes`, is looked at
    /// with all others.
    #[must_use]
    pub fn room(self, event_bytes: usize) -> usize {
        let quarter = self.log.len() / 4;
        if self.grown.is_some() {
            quarter.max(INBOX_BYTES).max(INBOX_EVENTS * event_bytes)
        } else {
            quarter
        }
    }

    /// True while nothing but one more event can become of it when it is full: it has no tiles, they would not be smaller, and
    /// its first event, mostly the oldest, is not before `late_before`.
    #[must_use]
    pub fn only_grows(self, late_before: i64) -> bool {
        let is_small = self.grown.is_none() && self.log.len() < SMALL_LOG_BYTES;
        is_small && (self.log.is_empty() || raw::base(self.log) >= late_before)
    }
}

/// Expected bytes of `tiles` tiles and `tokens` distinct tokens: what a log is compared with.
pub(crate) fn folded_bytes(plan: &WindowPlan, tiles: usize, tokens: usize) -> usize {
    let tile_bytes = TILE_NUMBER_BYTES + plan.tile_fields().len() * TILE_FIELD_BYTES;
    let token_bytes = tokens.saturating_mul(TOKEN_BYTES * plan.levels().len());
    // Of a load that somebody only thinks of, there may be any number.
    tiles.saturating_mul(tile_bytes).saturating_add(token_bytes).saturating_add(GROWN_BYTES)
}

/// True when `events` that take `raw_bytes` are better kept in tiles that take `folded_bytes`.
pub(crate) fn is_better_folded(events: usize, raw_bytes: usize, folded_bytes: usize) -> bool {
    let worth =
        if events < MANY_EVENTS { raw_bytes } else { raw_bytes.saturating_add(raw_bytes / 4) };
    events > 0 && folded_bytes < worth
}

/// A log of the records that stay of `log`, as long as it has to be.
fn rewritten<'a>(records: impl Iterator<Item = &'a Record<'a>>, log: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(log.len().min(INBOX_BYTES));
    for record in records {
        raw::append(&mut out, record.time, record.is_full, record.body);
    }
    out.shrink_to_fit();
    out
}

impl Grown {
    fn fold(
        &mut self,
        plan: &WindowPlan,
        now: i64,
        mut events: Events<'_>,
        scratch: &mut FoldScratch,
    ) {
        events.sort();
        self.levels.resize_with(plan.levels().len(), LevelState::default);
        for (state, level) in self.levels.iter_mut().zip(plan.levels()) {
            let first_live = level.first_live_tile(plan.floor(now));
            state.fold(plan, level, &events, first_live, scratch);
        }
    }

    fn merge(&mut self, plan: &WindowPlan, now: i64, other: &Self) {
        let mut scratch = FoldScratch::default();
        self.levels.resize_with(plan.levels().len(), LevelState::default);
        for ((state, level), other) in self.levels.iter_mut().zip(plan.levels()).zip(&other.levels)
        {
            let first_live = level.first_live_tile(plan.floor(now));
            state.merge(plan, other, first_live, &mut scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_256_events_on_tiles_may_take_a_quarter_more() {
        let raw = 4_000;
        for (events, folded_below) in [(255, raw), (256, raw * 5 / 4)] {
            assert!(is_better_folded(events, raw, folded_below - 1), "{events}");
            assert!(!is_better_folded(events, raw, folded_below), "{events}");
        }
        assert!(!is_better_folded(0, raw, 0), "nothing to fold");
        assert!(
            is_better_folded(usize::MAX, usize::MAX, usize::MAX - 1),
            "of a load that is thought of"
        );
    }
}
