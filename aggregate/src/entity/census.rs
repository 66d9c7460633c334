//! What a full log holds, counted before anything becomes of it: whether its events are better kept in tiles.

use crate::{
    plan::{Level, WindowPlan},
    raw::{ColumnValue, Records},
};

use super::fold::{TIME_BYTES, folded_bytes, is_better_folded};

/// The events of a log by what a fold does to them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// No window sees them any more.
    pub(super) dead: usize,
    /// Within the horizon: they stay raw.
    pub(super) young: usize,
    /// Those that may be folded.
    pub(super) old: usize,
    /// What those are expected to take raw.
    raw_bytes: usize,
    /// Values of theirs that distinct counts look at, repeated ones too.
    tokens: usize,
    /// Tiles of those, of all levels.
    tiles: usize,
}

impl Census {
    /// Counts the events of `log` at `now`, the stream's, in ms.
    pub(super) fn of(plan: &WindowPlan, log: &[u8], now: i64) -> Self {
        let (floor, late) = (plan.floor(now), plan.late_before(now));
        let mut census = Self::default();
        let mut times = Times::default();
        let mut records = Records::new(plan, log);
        let mut count = |time: i64, body_bytes: usize, tokens: usize| {
            if time < late {
                census.dead += 1;
            } else if time >= floor {
                census.young += 1;
            } else {
                census.old += 1;
                census.raw_bytes += body_bytes + TIME_BYTES;
                census.tokens += tokens;
                times.push(time);
            }
        };
        if records.are_numbers() {
            while let Some(record) = records.next_number() {
                count(record.time, record.body_bytes, 0);
            }
        } else {
            let mut values = Vec::new();
            while let Some(record) = records.next(&mut values) {
                let is_token = |value: &&ColumnValue<'_>| matches!(value, ColumnValue::Token(_));
                count(record.time, record.body.len(), values.iter().filter(is_token).count());
            }
        }
        census.tiles = times.tiles(plan.levels(), floor);
        census
    }

    /// True when the old events are better kept in tiles.
    pub(super) fn is_better_folded(&self, plan: &WindowPlan) -> bool {
        let folded = folded_bytes(plan, self.tiles, self.tokens);
        is_better_folded(self.old, self.raw_bytes, folded)
    }
}

/// Event times, in ms.
#[derive(Default)]
struct Times {
    all: Vec<i64>,
    is_out_of_order: bool,
}

impl Times {
    fn push(&mut self, time: i64) {
        self.is_out_of_order |= self.all.last().is_some_and(|last| *last > time);
        self.all.push(time);
    }

    /// How many tiles they are in, of those that windows at `floor` or later see.
    fn tiles(mut self, levels: &[Level], floor: i64) -> usize {
        // Counted as they come, events of a history that is filled in out of order would each seem to have a tile of their own.
        if self.is_out_of_order {
            self.all.sort_unstable();
        }
        let tiles = levels.iter().map(|level| {
            let start = |tile: i64| tile.saturating_mul(level.hop_ms);
            let (mut tiles, mut end) = (0, start(level.first_live_tile(floor)));
            let first = self.all.partition_point(|time| *time < end);
            for time in self.all.iter().skip(first) {
                if *time >= end {
                    tiles += 1;
                    end = start(level.tile(*time) + 1);
                }
            }
            tiles
        });
        tiles.sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::value::ValueRef;
    use stdx::prng::Prng;

    use super::*;
    use crate::{PreparedEvent, plan::tests::plan, raw};

    const NOW: i64 = 1_700_000_000_000;
    const DAY_MS: i64 = 86_400_000;

    /// A log of events at `times`.
    fn log_of(plan: &WindowPlan, times: &[i64]) -> Vec<u8> {
        let mut log = Vec::new();
        for time in times {
            let mut event = PreparedEvent::default();
            let fields = [
                Some(ValueRef::Timestamp(*time)),
                Some(ValueRef::I64(time % 1000)),
                Some(ValueRef::Decimal(time % 77, 2)),
                Some(ValueRef::String("s")),
                Some(ValueRef::Bool(true)),
            ];
            plan.prepare(&fields, *time, b"id", &mut event).expect("nothing overflows");
            let event = event.stored().expect("some cell counts it");
            raw::append(&mut log, event.time, event.is_full, event.body);
        }
        log
    }

    /// Tiles of all levels that windows at the floor still see, one by one.
    fn tiles_of(plan: &WindowPlan, times: &[i64]) -> usize {
        let (floor, late) = (plan.floor(NOW), plan.late_before(NOW));
        let of_level = |level: &Level| {
            let old = times.iter().filter(|time| (late..floor).contains(time));
            let tiles = old.map(|time| level.tile(*time));
            tiles.filter(|tile| *tile >= level.first_live_tile(floor)).collect::<BTreeSet<_>>()
        };
        plan.levels().iter().map(|level| of_level(level).len()).sum()
    }

    #[test]
    fn a_census_is_the_same_in_any_order() {
        let windows = "windows = [\"5m\", \"1h\", \"24h\", \"7d\", \"all\"]";
        let all_kinds = "n = \"count(*)\"\nd = \"approx_distinct(s)\"\nsum = \"sum(d)\"";
        for (features, tokens) in [("n = \"count(*)\"\nsum = \"sum(d)\"", 0), (all_kinds, 1)] {
            let plan = plan(windows, features);
            for seed in 0..20 {
                let mut random = Prng::new(seed);
                let reach = 1 << random.between(1, 30);
                let mut times: Vec<_> = (0..random.between(1, 100))
                    .map(|_| NOW - random.between(0, reach) - random.between(0, 2) * 40_000)
                    .collect();
                let given = Census::of(&plan, &log_of(&plan, &times), NOW);
                times.sort_unstable();
                let sorted = Census::of(&plan, &log_of(&plan, &times), NOW);
                assert_eq!(given, sorted, "seed {seed}");
                assert_eq!(given.tiles, tiles_of(&plan, &times), "seed {seed}");
                assert_eq!(given.tokens, tokens * given.old, "seed {seed}");
                assert_eq!(given.dead + given.young + given.old, times.len(), "seed {seed}");
            }
        }
    }

    #[test]
    fn a_history_filled_in_out_of_order_is_folded_like_one_in_order() {
        let plan = plan("windows = [\"24h\", \"7d\"]", "n = \"count(*)\"\nsum = \"sum(d)\"");
        let mut random = Prng::new(1);
        let times: Vec<_> = (0..600).map(|_| NOW - random.between(DAY_MS, 3 * DAY_MS)).collect();
        let census = Census::of(&plan, &log_of(&plan, &times), NOW);
        assert_eq!(census.old, times.len());
        assert!(census.is_better_folded(&plan), "{census:?}");
    }
}
