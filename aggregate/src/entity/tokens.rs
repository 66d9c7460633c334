//! The distinct counts of a read: raw tokens are gathered once, and every level counts all of its windows at once.

use super::{EntityView, read::WindowAt};
use crate::{
    distinct::counter::Counter,
    plan::{CellUse, ColumnSelection, Level, WindowPlan},
    raw::{ColumnValue, Record},
};

/// Tokens that one read came across, and what they count to.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Of each cell, event times and tokens of raw events.
    raw: Vec<Vec<(i64, u32)>>,
    counter: Counter,
    first_tiles: Vec<i64>,
    counted: Vec<i64>,
    /// Of each cell and window.
    counts: Vec<i64>,
}

impl Tokens {
    /// Forgets everything, for a read of `cells` cells.
    pub(super) fn reset(&mut self, cells: usize) {
        self.raw.iter_mut().for_each(Vec::clear);
        if self.raw.len() < cells {
            self.raw.resize(cells, Vec::new());
        }
    }

    /// Notes the tokens of a raw event.
    pub(super) fn record(
        &mut self,
        cells: &[CellUse],
        record: &Record<'_>,
        values: &[ColumnValue<'_>],
    ) {
        for used in cells.iter().filter(|used| used.distinct.is_some()) {
            let value = used.token.and_then(|column| values.get(column));
            let tokens = used.distinct.and_then(|place| self.raw.get_mut(place));
            if let (true, Some(ColumnValue::Token(token)), Some(tokens)) =
                (record.counts_in(used.bit), value, tokens)
            {
                tokens.push((record.time, *token));
            }
        }
    }

    /// Counts every window of every cell.
    pub(super) fn count(
        &mut self,
        plan: &WindowPlan,
        selection: &ColumnSelection,
        (entity, x): (EntityView<'_>, i64),
        windows: &[WindowAt],
    ) {
        self.counts.clear();
        self.counts.resize(selection.distinct_cells * windows.len(), 0);
        for (index, level) in plan.levels().iter().enumerate() {
            let is_of_level = |window: &&WindowAt| window.level == index;
            self.first_tiles.clear();
            let first = windows.iter().filter(is_of_level).map(|window| level.tile(window.start));
            self.first_tiles.extend(first);
            if self.first_tiles.is_empty() {
                continue;
            }
            for used in selection.cells.iter().filter(|used| used.distinct.is_some()) {
                self.count_cell(plan, (entity, x), used, (index, level));
                let place = used.distinct.unwrap_or(0) * windows.len();
                let of_level =
                    windows.iter().enumerate().filter(|(_, window)| window.level == index);
                for ((window, _), count) in of_level.zip(&self.counted) {
                    if let Some(into) = self.counts.get_mut(place + window) {
                        *into = *count;
                    }
                }
            }
        }
    }

    /// Counts every window of each of `cells` one by one, where raw tokens are all there is and as few as are counted so: windows are
    /// those that begin at `starts` and end after all of them.
    pub(super) fn count_raw(&mut self, cells: usize, starts: &[i64]) {
        self.counts.clear();
        for tokens in self.raw.iter_mut().take(cells) {
            // Each once, with its newest time: of those that are equal the later one gives the earlier its own.
            tokens.sort_unstable_by_key(|(time, token)| (*token, *time));
            tokens.dedup_by(|later, kept| {
                let is_same = later.1 == kept.1;
                if is_same {
                    kept.0 = later.0;
                }
                is_same
            });
            let seen = |start: &i64| tokens.iter().filter(|(time, _)| time >= start).count();
            let counts = starts.iter().map(|start| i64::try_from(seen(start)).unwrap_or(i64::MAX));
            self.counts.extend(counts);
        }
    }

    fn count_cell(
        &mut self,
        plan: &WindowPlan,
        (entity, x): (EntityView<'_>, i64),
        used: &CellUse,
        (index, level): (usize, &Level),
    ) {
        let Some(cell) = plan.cells().get(used.cell) else { return };
        self.counter.reset(cell.precision);
        for (time, token) in
            used.distinct.and_then(|place| self.raw.get(place)).into_iter().flatten()
        {
            self.counter.raw(level.tile(*time), *token);
        }
        let place = cell.distinct.unwrap_or(0);
        let folded = entity.grown.and_then(|grown| grown.levels.get(index)?.distinct.get(place));
        let young =
            entity.grown.and_then(|grown| grown.young.tokens_before(x, index, place)).flatten();
        self.counter.counts(folded, young, &self.first_tiles, &mut self.counted);
    }

    /// The count of a cell's place in a window of the read, of `windows`.
    pub(super) fn of(&self, place: Option<usize>, window: usize, windows: usize) -> i64 {
        let count = place.and_then(|place| self.counts.get(place * windows + window));
        count.copied().unwrap_or(0)
    }
}
