//! Levels and the arithmetic of time: where windows start, what no window can see any more, where a read snaps to.

use model::{definition::Window, time::floor_to};

use super::WindowPlan;

/// A window of the group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) length_ms: i64,
    pub(crate) level: usize,
    hop_ms: i64,
}

impl Span {
    /// Where it starts when it is read at `x`: its length before, snapped outward to a tile.
    pub(crate) fn start(&self, x: i64) -> i64 {
        floor_to(x.saturating_sub(self.length_ms), self.hop_ms)
    }
}

/// The windows of one hop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) hop_ms: i64,
    /// Its longest window: the one that starts first, whatever x is, because all of a level snap to the same edges.
    longest: Span,
}

impl Level {
    /// The first tile that one of its windows can see at `floor` or later.
    pub(crate) fn first_live_tile(&self, floor: i64) -> i64 {
        self.longest.start(floor).div_euclid(self.hop_ms)
    }

    /// The tile of an event time.
    pub(crate) fn tile(&self, time: i64) -> i64 {
        time.div_euclid(self.hop_ms)
    }
}

pub(super) fn of_windows(windows: &[Window]) -> (Vec<Span>, Vec<Level>) {
    let mut levels: Vec<Level> = Vec::new();
    let mut spans = Vec::with_capacity(windows.len());
    for window in windows {
        let (length_ms, hop_ms) = (window.length_ms, window.hop_ms.max(1));
        let known = levels.iter().position(|level| level.hop_ms == hop_ms);
        let level = known.unwrap_or(levels.len());
        let span = Span { length_ms, level, hop_ms };
        match levels.get_mut(level) {
            Some(known) if known.longest.length_ms < length_ms => known.longest = span,
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

    /// Where the window of `column` really starts when it is read at `x`, in ms: `floor((x − W) / g) · g`.
    ///
    /// # Panics
    /// When the group has no such column.
    #[must_use]
    pub fn window_start(&self, column: usize, x: i64) -> i64 {
        self.span_of(column).start(x)
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
        let is_distinct = output.is_some_and(|output| super::Needs::of(output.function).distinct);
        if x >= floor {
            return x;
        }
        if is_distinct {
            return floor;
        }
        let Some(level) = self.levels.get(span.level) else { return floor };
        // A window read at edge k·g starts at k·g + floor(−W/g)·g.
        let reach = (-span.length_ms).div_euclid(span.hop_ms);
        let first = (level.first_live_tile(floor) - reach).saturating_mul(span.hop_ms);
        floor_to(x, span.hop_ms).max(first).min(floor)
    }

    fn span_of(&self, column: usize) -> &Span {
        let output = self.outputs.get(column);
        let span = output.and_then(|output| self.windows.get(output.window));
        span.expect("columns are numbered by the group's definition")
    }
}
