//! Levels and the arithmetic of time: where windows start, what no window can see any more, where a read snaps to.

use model::{
    definition::Window,
    limits::EVENT_TIME_ABS_MAX,
    time::{HOUR_MS, MINUTE_MS, SECOND_MS, floor_to},
};

use super::WindowPlan;

/// A window of the group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    length_ms: i64,
    pub(crate) offset_ms: i64,
    pub(crate) level: usize,
    hop_ms: i64,
}

/// Times beyond twice what an event can have see what the limits see; sums with spans stay inside i64.
fn clamped(x: i64) -> i64 {
    const MAX: i64 = 2 * EVENT_TIME_ABS_MAX;
    x.clamp(-MAX, MAX)
}

impl Span {
    /// Where it starts when it is read at `x`: its offset and length before, snapped outward to a tile.
    pub(crate) fn start(&self, x: i64) -> i64 {
        floor_to(clamped(x) - self.reach_ms(), self.hop_ms)
    }

    /// Where it ends: at `x` itself or, with an offset, at the tile edge that the window after it would start at.
    pub(crate) fn head(&self, x: i64) -> i64 {
        if self.offset_ms == 0 { x } else { floor_to(clamped(x) - self.offset_ms, self.hop_ms) }
    }

    /// True for `all`.
    pub(crate) fn is_lifetime(&self) -> bool {
        self.length_ms == Window::LIFETIME_MS
    }

    fn reach_ms(&self) -> i64 {
        self.length_ms + self.offset_ms
    }

    pub(super) fn length_ms(&self) -> i64 {
        self.length_ms
    }

    pub(super) fn hop_ms(&self) -> i64 {
        self.hop_ms
    }
}

/// The windows of one hop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) hop_ms: i64,
    /// Its window that starts first, whatever x is, because all of a level snap to the same edges.
    longest: Span,
}

impl Level {
    /// The first tile that one of its windows can see at `floor` or later.
    pub(crate) fn first_live_tile(&self, floor: i64) -> i64 {
        self.longest.start(floor).div_euclid(self.hop_ms)
    }

    /// How far back its windows see, in ms.
    pub(super) fn reach_ms(&self) -> i64 {
        self.longest.reach_ms()
    }

    /// Most tiles that an entity has: those of the longest window wherever it starts, two for `all`.
    pub(super) fn tiles_max(&self) -> u64 {
        if self.longest.is_lifetime() {
            return 2;
        }
        // A partial tile at either end.
        let whole = self.reach_ms().div_euclid(self.hop_ms) + 2;
        whole.unsigned_abs()
    }

    /// The tile of an event time.
    pub(crate) fn tile(&self, time: i64) -> i64 {
        time.div_euclid(self.hop_ms)
    }
}

/// The hop of the tiles that events within the horizon are also kept in, once they are many: a 64th of the horizon, at least a
/// second, and a divisor of every other hop, so that windows start at edges of these tiles too.
pub(super) fn young_hop(levels: &[Level], horizon_ms: i64) -> i64 {
    const LADDER_MS: [i64; 8] = [
        HOUR_MS,
        15 * MINUTE_MS,
        5 * MINUTE_MS,
        MINUTE_MS,
        15 * SECOND_MS,
        5 * SECOND_MS,
        2 * SECOND_MS,
        SECOND_MS,
    ];
    let wanted = LADDER_MS.into_iter().find(|hop| hop * 64 <= horizon_ms).unwrap_or(SECOND_MS);
    let sliding = levels.iter().filter(|level| !level.longest.is_lifetime());
    sliding.fold(wanted, |hop, level| greatest_common_divisor(hop, level.hop_ms))
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

pub(super) fn of_windows(windows: &[Window]) -> (Vec<Span>, Vec<Level>) {
    let mut levels: Vec<Level> = Vec::new();
    let mut spans = Vec::with_capacity(windows.len());
    for window in windows {
        let (length_ms, offset_ms) = (window.length_ms, window.offset_ms);
        let hop_ms = window.hop_ms.max(1);
        let known = levels.iter().position(|level| level.hop_ms == hop_ms);
        let level = known.unwrap_or(levels.len());
        let span = Span { length_ms, offset_ms, level, hop_ms };
        match levels.get_mut(level) {
            Some(known) if known.longest.reach_ms() < span.reach_ms() => known.longest = span,
            Some(_) => {}
            None => levels.push(Level { hop_ms, longest: span }),
        }
        spans.push(span);
    }
    (spans, levels)
}

impl WindowPlan {
    /// The earliest time that reads at `now` answer exactly.
    pub(crate) fn floor(&self, now: i64) -> i64 {
        now.saturating_sub(self.horizon_ms)
    }

    /// Where the window of `column` really starts when it is read at `x`, in ms: `floor((x − offset − W) / g) · g`, and
    /// `i64::MIN` for `all`.
    ///
    /// # Panics
    /// When the group has no such column.
    #[must_use]
    pub fn window_start(&self, column: usize, x: i64) -> i64 {
        let span = self.span_of(column);
        if span.is_lifetime() { i64::MIN } else { span.start(x) }
    }

    /// Events before this time are seen by no window, neither now nor later: the earliest start of any window at the floor
    /// `now − horizon`. The floor itself and not the ms after it, because an exclusive read there asks for `x = floor`.
    #[must_use]
    pub fn late_before(&self, now: i64) -> i64 {
        let floor = self.floor(now);
        self.levels.iter().map(|level| level.longest.start(floor)).min().unwrap_or(i64::MIN)
    }

    /// The time that a read of `column` below the floor `now − horizon` is answered for instead of `x`.
    ///
    /// The nearest tile edge at or before `x` whose window is still kept whole; else the first such edge after it, but not
    /// beyond the floor, where everything is kept. A distinct count is kept back to the floor only: its state remembers the
    /// newest tile of each value, not all of them. At or above the floor this is `x` itself.
    ///
    /// # Panics
    /// When the group has no such column.
    #[must_use]
    pub fn snap_x(&self, column: usize, x: i64, now: i64) -> i64 {
        let floor = self.floor(now);
        let span = self.span_of(column);
        let output = self.outputs.get(column);
        let is_distinct =
            output.is_some_and(|output| super::Needs::of(output.function, false).distinct);
        if x >= floor {
            return x;
        }
        if is_distinct || span.is_lifetime() {
            return floor;
        }
        let Some(level) = self.levels.get(span.level) else { return floor };
        // A window read at edge k·g starts at k·g + floor(−W/g)·g.
        let reach = (-span.reach_ms()).div_euclid(span.hop_ms);
        let first = (level.first_live_tile(floor) - reach).saturating_mul(span.hop_ms);
        floor_to(clamped(x), span.hop_ms).max(first).min(floor)
    }

    fn span_of(&self, column: usize) -> &Span {
        let output = self.outputs.get(column);
        let span = output.and_then(|output| self.windows.get(output.window));
        span.expect("columns are numbered by the group's definition")
    }
}

#[cfg(test)]
mod tests {
    use model::time::DAY_MS;

    use super::*;
    use crate::plan::tests::plan;

    /// Windows 5m and 1h on tiles of 15s, 24h on tiles of 1h, 60s of horizon; columns are count_5m, count_1h, count_24h.
    fn three_windows() -> WindowPlan {
        plan("windows = [\"5m\", \"1h\", \"24h\"]", "n = \"count(*)\"\nd = \"approx_distinct(s)\"")
    }

    #[test]
    fn windows_start_at_the_tile_edge_before_their_length() {
        let plan = three_windows();
        // The example of docs/semantics.md: as-of 12:07:08.250, inclusive.
        let x = 12 * HOUR_MS + 7 * MINUTE_MS + 8 * SECOND_MS + 251;
        assert_eq!(plan.window_start(0, x), 12 * HOUR_MS + 2 * MINUTE_MS);
        assert_eq!(plan.window_start(2, x), 12 * HOUR_MS - DAY_MS);
        // Negative times are floored too.
        assert_eq!(plan.window_start(0, 1), -300_000);
        assert_eq!(plan.window_start(0, 0), -300_000);
        assert_eq!(plan.window_start(0, -1), -315_000);
    }

    #[test]
    fn an_event_is_late_when_no_window_at_the_floor_sees_it() {
        let plan = three_windows();
        // The floor is 00:59:30, its day starts at 00:00 the day before.
        let now = DAY_MS + HOUR_MS + 30 * SECOND_MS;
        assert_eq!(plan.late_before(now), 0);
        assert_eq!(plan.late_before(now + 30 * SECOND_MS), HOUR_MS);
    }

    #[test]
    fn reads_below_the_floor_snap_to_an_edge_whose_window_is_kept() {
        let plan = three_windows();
        let now = 10 * HOUR_MS + 7 * SECOND_MS;
        let floor = now - MINUTE_MS;
        assert_eq!(plan.snap_x(0, floor, now), floor);
        assert_eq!(plan.snap_x(0, floor + 1, now), floor + 1);
        // 5m shares tiles that are kept for 1h: there are 55 minutes of edges.
        let x = floor - 20 * MINUTE_MS;
        assert_eq!(plan.snap_x(0, x, now), floor_to(x, 15_000));
        // The longest window of a level has one edge.
        let edge = floor_to(floor, 15_000);
        assert_eq!(plan.snap_x(1, x, now), edge);
        assert_eq!(plan.snap_x(0, 0, now), edge - 55 * MINUTE_MS);
        // 24h: its one edge would be the hour.
        assert_eq!(plan.snap_x(2, 0, now), 9 * HOUR_MS);
        // Distinct counts go back to the floor only.
        assert_eq!(plan.snap_x(3, x, now), floor);
    }

    #[test]
    fn extreme_times_are_answered() {
        let plan = three_windows();
        for x in [i64::MIN, i64::MAX] {
            let _start = plan.window_start(0, x);
            assert!(plan.snap_x(0, x, 0) >= -HOUR_MS);
            let _late = plan.late_before(x);
        }
    }
}
