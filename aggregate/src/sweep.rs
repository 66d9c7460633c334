//! Sweeping: what many reads of one entity see, where its events and the reads come in the order of time, as in a replay.
//!
//! Windows then only move forward. An event is added once when it comes, to what all windows have, and once for each window when
//! that leaves it behind; a count or sum is the difference of the two. The least number of a window is the first in a row of those
//! that no later one is below, and likewise the greatest:
//!
//! ```text
//! numbers             5   2   7   4   9   6        4 and 6 are kept: nothing after them is below them
//!                         ├── window ──────────►   its least is the first of these within it: 4
//! least after them        2       4       6
//! ```
//!
//! All of it is integers, added up and taken away without a rounding, and values are made of them by the code that makes all
//! values: they are those of [`crate::EntityView::read`] to the bit. Tests compare the two.

use model::value::ValueRef;

use crate::{
    Overflow,
    finalize::{Found, finalize},
    partial::{Numbers, Squares},
    plan::{CellUse, ColumnSelection, StoredEvent, WindowPlan},
    raw::{ColumnValue, Layout},
};

/// The events of one entity in the order of their times, and where the windows of a selection stand among them.
#[derive(Debug)]
pub struct EntitySweep<'p> {
    plan: &'p WindowPlan,
    selection: &'p ColumnSelection,
    layout: Layout<'p>,
    times: Vec<i64>,
    /// One for each cell of the selection.
    tracks: Vec<Track>,
    /// As the selection lists them.
    windows: Vec<WindowPlace>,
    /// Windows × cells: what a window has left behind, and what it sees.
    behind: Vec<Behind>,
    seen: Vec<Numbers>,
    text: String,
}

/// A window as the last read left it.
#[derive(Debug, Clone, Copy)]
struct WindowPlace {
    /// In ms.
    start: i64,
    /// The first event that is not before it.
    first: usize,
}

const NOWHERE: WindowPlace = WindowPlace { start: i64::MIN, first: 0 };

/// The events as one cell counts them.
#[derive(Debug, Default)]
struct Track {
    /// Of every event: whether it counts; empty as long as all do.
    counts: Vec<bool>,
    /// Of every event: its number, empty where none is asked for.
    numbers: Vec<i64>,
    totals: Totals,
    /// Times of the first and last event that count.
    times: Option<(i64, i64)>,
    least: Vec<Extreme>,
    greatest: Vec<Extreme>,
}

/// What can be taken away again. As in [`Numbers`], nothing passes its width.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    count: u64,
    sum: i128,
    squares: Squares,
}

/// What a window has left behind of one cell.
#[derive(Debug, Clone, Copy, Default)]
struct Behind {
    totals: Totals,
    /// Where its least and greatest number were found last.
    least: usize,
    greatest: usize,
}

/// A number that none after it passes, and its event.
#[derive(Debug, Clone, Copy)]
struct Extreme {
    place: usize,
    number: i64,
}

impl Totals {
    #[inline]
    fn add(&mut self, number: i64, squares: bool) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(i128::from(number));
        if squares {
            let magnitude = u128::from(number.unsigned_abs());
            self.squares.add(Squares { low: magnitude * magnitude, high: 0 });
        }
    }

    fn less(mut self, behind: &Self) -> Self {
        self.count -= behind.count;
        self.sum = self.sum.wrapping_sub(behind.sum);
        self.squares.take_away(behind.squares);
        self
    }
}

impl Track {
    fn clear(&mut self) {
        self.counts.clear();
        self.numbers.clear();
        (self.totals, self.times) = (Totals::default(), None);
        self.least.clear();
        self.greatest.clear();
    }

    #[inline]
    fn push(&mut self, used: &CellUse, (place, time): (usize, i64), (counts, number): (bool, i64)) {
        if !counts && self.counts.is_empty() {
            self.counts.resize(place, true);
        }
        if !counts || !self.counts.is_empty() {
            self.counts.push(counts);
        }
        if used.number.is_some() {
            self.numbers.push(number);
        }
        if !counts {
            return;
        }
        self.totals.add(number, used.needs.squares);
        self.times = Some((self.times.map_or(time, |(first, _)| first), time));
        if used.needs.min {
            put_extreme(&mut self.least, place, number, |before| before >= number);
        }
        if used.needs.max {
            put_extreme(&mut self.greatest, place, number, |before| before <= number);
        }
    }

    /// Adds the events `from..to` to what is behind.
    fn leave(&self, behind: &mut Totals, (from, to): (usize, usize), squares: bool) {
        let counts = self.counts.get(from..to).unwrap_or_default();
        let numbers = self.numbers.get(from..to).unwrap_or_default();
        match (counts, numbers) {
            ([], []) => behind.count += (to - from) as u64,
            ([], numbers) => numbers.iter().for_each(|number| behind.add(*number, squares)),
            (counts, []) => {
                behind.count += counts.iter().filter(|counts| **counts).count() as u64;
            }
            (counts, numbers) => {
                for (counts, number) in counts.iter().zip(numbers) {
                    if *counts {
                        behind.add(*number, squares);
                    }
                }
            }
        }
    }

    /// What a window that begins with event `first` sees.
    fn seen(&self, behind: &mut Behind, first: usize) -> Numbers {
        let Totals { count, sum, squares } = self.totals.less(&behind.totals);
        let (oldest, newest) = self.times.unwrap_or((i64::MAX, i64::MIN));
        let min = extreme(&self.least, &mut behind.least, first).unwrap_or(i64::MAX);
        let max = extreme(&self.greatest, &mut behind.greatest, first).unwrap_or(i64::MIN);
        Numbers { count, sum, squares, min, max, oldest, newest }
    }
}

/// Puts a number behind the others, in place of those that it passes.
#[inline]
fn put_extreme(
    extremes: &mut Vec<Extreme>,
    place: usize,
    number: i64,
    passes: impl Fn(i64) -> bool,
) {
    while extremes.pop_if(|last| passes(last.number)).is_some() {}
    extremes.push(Extreme { place, number });
}

/// Of the events from `first` on, which is mostly near to where it was `found` last.
#[inline]
fn extreme(extremes: &[Extreme], found: &mut usize, first: usize) -> Option<i64> {
    let is_before = |extreme: &Extreme| extreme.place < first;
    // What was passed since may have taken the place with it.
    if !found.checked_sub(1).is_none_or(|last| extremes.get(last).is_some_and(is_before)) {
        *found = extremes.partition_point(is_before);
    }
    while extremes.get(*found).is_some_and(is_before) {
        *found += 1;
    }
    extremes.get(*found).map(|extreme| extreme.number)
}

impl<'p> EntitySweep<'p> {
    /// An entity without events, to be read for `selection`; `None` where that asks for more than numbers of windows that end at
    /// the time of the read: sketches, first and last values, distinct counts, offsets.
    #[must_use]
    pub fn new(plan: &'p WindowPlan, selection: &'p ColumnSelection) -> Option<Self> {
        if !selection.is_of_numbers() && !selection.is_empty() {
            return None;
        }
        let (windows, cells) = (selection.windows.len(), selection.cells.len());
        Some(Self {
            plan,
            selection,
            layout: Layout::new(plan),
            times: Vec::new(),
            tracks: (0..cells).map(|_| Track::default()).collect(),
            windows: vec![NOWHERE; windows],
            behind: vec![Behind::default(); windows * cells],
            seen: vec![Numbers::default(); windows * cells],
            text: String::new(),
        })
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        self.times.clear();
        self.tracks.iter_mut().for_each(Track::clear);
        self.windows.fill(NOWHERE);
        self.behind.fill(Behind::default());
    }

    /// Adds an accepted event: no earlier than the one before it, and before the `x` of every read to come.
    pub fn push(&mut self, event: StoredEvent<'_>) {
        debug_assert!(self.times.last().is_none_or(|last| *last <= event.time), "in order");
        let (place, mut rest) = (self.times.len(), event.body);
        let tracks = self.tracks.iter_mut().zip(&self.selection.cells);
        // What is kept was written by a plan: all of it can be read.
        if self.layout.is_number() {
            let Some((number, word)) = self.layout.number(event.is_full, &mut rest) else { return };
            for (track, used) in tracks {
                let counts = used.bit.is_none_or(|bit| word >> bit & 1 == 1);
                track.push(used, (place, event.time), (counts, number));
            }
        } else {
            let (head, mut values) = ((event.time, event.is_full), Vec::new());
            let Some(record) = self.layout.record(head, &mut rest, &mut values) else { return };
            for (track, used) in tracks {
                let number = match used.number.and_then(|column| values.get(column)) {
                    Some(ColumnValue::Number(number)) => *number,
                    _ => 0,
                };
                track.push(used, (place, event.time), (record.counts_in(used.bit), number));
            }
        }
        self.times.push(event.time);
    }

    /// Gives `sink` the value of every selected column at `x`, no earlier than the read before it, by its position in the
    /// selection; with it where its window starts, `i64::MIN` for `all`. Values are words, as all that is swept has 8 bytes: the bits of
    /// a float, a number as it is.
    pub fn read(
        &mut self,
        x: i64,
        mut sink: impl FnMut(usize, i64, Result<Option<u64>, Overflow>),
    ) {
        self.advance(x);
        let cells = self.selection.cells.len();
        for (position, selected) in self.selection.columns.iter().enumerate() {
            let window = self.windows.get(selected.window).zip(
                self.selection.windows.get(selected.window).and_then(|of| self.plan.window(*of)),
            );
            let numbers = self.seen.get(selected.window * cells + selected.cell);
            let (Some((place, span)), Some(numbers)) = (window, numbers) else { continue };
            let (start, since) = if span.is_lifetime() {
                (i64::MIN, numbers.oldest)
            } else {
                (place.start, place.start)
            };
            let found = Found { numbers, edges: None, summary: None, start: since, head: x };
            self.text.clear();
            let value = finalize(&selected.output, &found, &mut self.text);
            let word = value.map(|value| value.and_then(ValueRef::to_word));
            sink(position, start, word.map(|word| word.map(u64::from_le_bytes)));
        }
    }

    /// Moves all windows on to `x` and adds up what they see.
    fn advance(&mut self, x: i64) {
        let cells = self.selection.cells.len();
        for (window, place) in self.windows.iter_mut().enumerate() {
            let of_group = self.selection.windows.get(window);
            let Some(span) = of_group.and_then(|of| self.plan.window(*of)) else { continue };
            place.start = span.start(x);
            let from = place.first;
            let waiting = self.times.get(from..).unwrap_or_default();
            place.first += waiting.iter().take_while(|time| **time < place.start).count();
            let of_window = window * cells..(window + 1) * cells;
            let behind = self.behind.get_mut(of_window.clone()).unwrap_or_default();
            let seen = self.seen.get_mut(of_window).unwrap_or_default();
            let tracks = self.tracks.iter().zip(&self.selection.cells);
            for ((track, used), (behind, seen)) in tracks.zip(behind.iter_mut().zip(seen)) {
                track.leave(&mut behind.totals, (from, place.first), used.needs.squares);
                *seen = track.seen(behind, place.first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;
    use crate::{EntityWindows, PreparedEvent, ReadAt, ReadScratch, plan::tests::plan};

    const FEATURES: &str = "n = \"count(*)\"\nsum = \"sum(d)\"\navg = \"avg(d)\"\nmin = \"min(d)\"\nmax = \"max(d)\"\n\
        std = \"stddev(d)\"\nvar = \"variance_pop(i)\"\ncount = \"count(i) filter (where b)\"\n\
        low = \"min(i) filter (where b)\"\nhigh = \"max(i) filter (where i > 3)\"\nrate = \"rate()\"\nlag = \"time_since_last()\"\n\
        some = \"count(s)\"";

    fn random_event(plan: &WindowPlan, random: &mut Prng, time: i64) -> PreparedEvent {
        let number = match random.below(10) {
            0 => i64::MAX,
            1 => i64::MIN,
            _ => random.between(-20, 20),
        };
        let fields = [
            Some(ValueRef::Timestamp(time)),
            random.chance(0.8).then_some(ValueRef::I64(random.between(-9, 9))),
            random.chance(0.9).then_some(ValueRef::Decimal(number, 2)),
            random.chance(0.5).then_some(ValueRef::String("s")),
            random.chance(0.7).then_some(ValueRef::Bool(random.chance(0.5))),
        ];
        let mut event = PreparedEvent::default();
        plan.prepare(&fields, time, b"id", &mut event).expect("nothing overflows");
        event
    }

    /// Random events and reads in order: the sweep and the state that serves agree, whatever that has folded.
    fn agree(plan: &WindowPlan, seed: u64) {
        let columns: Vec<_> = (0..plan.column_count()).collect();
        let selection = plan.select(&columns);
        let mut sweep = EntitySweep::new(plan, &selection).expect("it is numbers only");
        let (mut random, mut scratch) = (Prng::new(seed), ReadScratch::default());
        for entity in 0..4 {
            sweep.clear();
            let mut state = EntityWindows::default();
            // Also before 1970, and at several paces.
            let (mut time, pace) = (random.between(-100_000_000, 100_000_000), 1 << (5 * entity));
            for _ in 0..400 {
                time += random.between(0, pace);
                if random.chance(0.7) {
                    let event = random_event(plan, &mut random, time);
                    state.update(plan, &event, time);
                    event.stored().into_iter().for_each(|event| sweep.push(event));
                    continue;
                }
                let x = time + 1;
                let (mut expected, mut given) = (Vec::new(), Vec::new());
                let at = ReadAt::Exact { x };
                state.read(plan, &selection, at, &mut scratch, &mut |position, value| {
                    let start = plan.window_start(selection.columns[position].column, x);
                    let word = value.map(|value| value.and_then(ValueRef::to_word));
                    expected.push((position, start, word.map(|word| word.map(u64::from_le_bytes))));
                });
                sweep.read(x, |position, start, value| {
                    given.push((position, start, value));
                });
                assert_eq!(given, expected, "seed {seed}, entity {entity} at {x}");
            }
        }
    }

    #[test]
    fn a_sweep_sees_what_a_read_sees() {
        let windows = "windows = [\"5m\", \"1h\", \"24h\", \"7d\", \"all\"]";
        for seed in 0..6 {
            agree(&plan(windows, FEATURES).with_fold_threshold(20), seed);
            agree(&plan("windows = [\"5s\", \"1m\"]", "n = \"count(*)\"\nmax = \"max(d)\""), seed);
        }
    }

    #[test]
    fn what_is_more_than_numbers_is_not_swept() {
        for feature in ["last(s)", "approx_distinct(s)", "approx_quantile(i, 0.5)", "top_k(s, 3)"] {
            let plan = plan("windows = [\"5m\"]", &format!("n = \"count(*)\"\na = \"{feature}\""));
            assert!(EntitySweep::new(&plan, &plan.select(&[0, 1])).is_none(), "{feature}");
            assert!(EntitySweep::new(&plan, &plan.select(&[0])).is_some(), "{feature}");
        }
        let plan = plan("windows = [\"1h offset 1d\"]", "n = \"count(*)\"");
        assert!(EntitySweep::new(&plan, &plan.select(&[0])).is_none());
    }
}
