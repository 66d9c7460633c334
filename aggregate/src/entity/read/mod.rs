//! Reading: the values of selected columns at one time, in one pass over the raw events and one over each level's tiles.
//!
//! The ends of windows cut time into slots. An event or tile is added to one slot only, and a window is the sum of the slots
//! between its ends; when all windows end at `x` they are nested, and one sum serves them all:
//!
//! ```text
//!          start 7d        start 24h   start 1h  start 5m  x
//! ────────────┼────────────────┼───────────┼─────────┼─────┼──►
//!             │    slot 3      │   slot 2  │  slot 1 │  0  │
//! ```

mod distinct;
mod finish;
mod numbers;
mod pass;

use model::value::ValueRef;

use super::{EntityView, EntityWindows, tokens::Tokens};
use crate::{
    Overflow,
    accumulate::Partials,
    plan::{ColumnSelection, WindowPlan},
    raw::ColumnValue,
    tile::{CellFields, FieldAt},
};
use numbers::{NumbersPass, NumbersScratch};
use pass::Pass;

/// Takes the value at each position of a selection: `None` is null, an error is one of that value alone.
type Sink<'s> = &'s mut dyn FnMut(usize, Result<Option<ValueRef<'_>>, Overflow>);

/// A value of eight bytes as it is sent; `None` is null, an error is one of that value alone.
pub type Word = Result<Option<[u8; 8]>, Overflow>;

/// The time of a read, in ms: `x` is one more than the as-of, or the as-of itself for an exclusive read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadAt {
    /// At or above the floor: exactly at `x`.
    Exact {
        /// Events before it are seen.
        x: i64,
    },
    /// Anywhere: each column at [`WindowPlan::snap_x`].
    Snapped {
        /// Where it was asked for.
        x: i64,
        /// The stream's now.
        now: i64,
    },
}

/// Memory that reads reuse; one for each thread or request. It holds nothing between reads.
#[derive(Debug, Default)]
pub struct ReadScratch {
    windows: Vec<WindowAt>,
    cuts: Vec<i64>,
    raw: Partials<'static>,
    tiles: Partials<'static>,
    results: Partials<'static>,
    values: Vec<ColumnValue<'static>>,
    places: Vec<FieldAt>,
    fields: Vec<CellFields>,
    tokens: Tokens,
    text: String,
    numbers: NumbersScratch,
}

/// A window of a read.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowAt {
    pub(super) level: usize,
    pub(super) start: i64,
    pub(super) head: i64,
    is_lifetime: bool,
}

impl EntityWindows {
    /// See [`EntityView::read`].
    pub fn read(
        &self,
        plan: &WindowPlan,
        selection: &ColumnSelection,
        at: ReadAt,
        scratch: &mut ReadScratch,
        sink: Sink<'_>,
    ) {
        self.view().read(plan, selection, at, scratch, sink);
    }
}

impl<'a> EntityView<'a> {
    /// Gives `sink` the value of every selected column, by its position in `selection`. No events: counts and sums are 0,
    /// everything else is null. Exact for every `x` from the floor `now − horizon` on.
    pub fn read(
        self,
        plan: &WindowPlan,
        selection: &ColumnSelection,
        at: ReadAt,
        scratch: &mut ReadScratch,
        sink: Sink<'_>,
    ) {
        match at {
            ReadAt::Exact { x } if selection.is_of_distinct() && self.has_few_tokens() => {
                self.read_distinct(plan, selection, x, scratch, sink);
            }
            ReadAt::Exact { x } => self.read_at(plan, selection, x, scratch, sink),
            ReadAt::Snapped { x, now } => {
                // Every column may have an edge of its own.
                for (position, selected) in selection.columns.iter().enumerate() {
                    let alone = plan.select(&[selected.column]);
                    let x = plan.snap_x(selected.column, x, now);
                    self.read_at(plan, &alone, x, scratch, &mut |_, value| sink(position, value));
                }
            }
        }
    }

    /// The same values, exactly at `x`, of a selection that [is of numbers](ColumnSelection::is_of_numbers), sooner. Any other selection
    /// gives nothing.
    #[inline]
    pub fn read_numbers(
        self,
        plan: &WindowPlan,
        selection: &ColumnSelection,
        x: i64,
        scratch: &mut ReadScratch,
        sink: impl FnMut(usize, Word),
    ) {
        self.look_at_numbers(plan, selection, x, scratch).finish(sink);
    }

    fn look_at_numbers<'s>(
        self,
        plan: &'s WindowPlan,
        selection: &'s ColumnSelection,
        x: i64,
        scratch: &'s mut ReadScratch,
    ) -> NumbersPass<'s, 's> {
        let mut values = emptied(std::mem::take(&mut scratch.values));
        let mut pass = NumbersPass::new((plan, selection), x, &mut scratch.numbers);
        pass.look(self, &mut values);
        scratch.values = emptied(values);
        pass
    }

    fn read_at(
        self,
        plan: &WindowPlan,
        selection: &ColumnSelection,
        x: i64,
        scratch: &mut ReadScratch,
        sink: Sink<'_>,
    ) {
        let memory = std::mem::take(scratch);
        let mut values = emptied(memory.values);
        let mut pass = Pass {
            plan,
            selection,
            entity: self,
            x,
            windows: memory.windows,
            cuts: memory.cuts,
            raw: memory.raw.recycle(),
            tiles: memory.tiles.recycle(),
            results: memory.results.recycle(),
            places: memory.places,
            fields: memory.fields,
            tokens: memory.tokens,
            text: memory.text,
        };
        pass.lay_out();
        pass.raw_events(&mut values);
        pass.levels();
        pass.finish(sink);
        *scratch = ReadScratch {
            windows: pass.windows,
            cuts: pass.cuts,
            raw: pass.raw.recycle(),
            tiles: pass.tiles.recycle(),
            results: pass.results.recycle(),
            values: emptied(values),
            places: pass.places,
            fields: pass.fields,
            tokens: pass.tokens,
            text: pass.text,
            numbers: memory.numbers,
        };
    }
}

/// The memory of values whose borrows have ended: collecting a vector's own iterator into the same layout keeps its allocation.
fn emptied<'b>(mut values: Vec<ColumnValue<'_>>) -> Vec<ColumnValue<'b>> {
    values.clear();
    values.into_iter().map(|_| ColumnValue::Absent).collect()
}
