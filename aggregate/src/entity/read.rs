//! Reading: the values of selected columns at one time, in one pass over the raw events and one over each level's tiles.
//!
//! All windows end at `x`, so they are nested. Their starts cut time into slots; an event or tile is added to one slot only,
//! and adding the slots up from the newest gives every window:
//!
//! ```text
//!          start 7d        start 24h   start 1h  start 5m  x
//! ────────────┼────────────────┼───────────┼─────────┼─────┼──►
//!             │    slot 3      │   slot 2  │  slot 1 │  0  │
//! ```

use model::value::ValueRef;

use super::EntityWindows;
use crate::{
    Overflow,
    accumulate::Partials,
    distinct::count::{self, Seen},
    finalize::finalize,
    plan::{ColumnSelection, WindowPlan},
    raw::{ColumnValue, Records},
    tile::{CellFields, FieldAt},
};

/// Takes the value at each position of a selection: `None` is null, an error is one of that value alone.
type Sink<'s> = &'s mut dyn FnMut(usize, Result<Option<ValueRef<'_>>, Overflow>);

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
    slots: Vec<Slot>,
    raw: Partials<'static>,
    tiles: Partials<'static>,
    values: Vec<ColumnValue<'static>>,
    places: Vec<FieldAt>,
    fields: Vec<CellFields>,
    seen: Seen,
}

/// A window of a read.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Its place in the selection.
    window: usize,
    level: usize,
    start: i64,
}

impl EntityWindows {
    /// Gives `sink` the value of every selected column, by its position in `selection`. No events: counts and sums are 0,
    /// everything else is null. Exact for every `x` from the floor `now − horizon` on.
    pub fn read(
        &self,
        plan: &WindowPlan,
        selection: &ColumnSelection,
        at: ReadAt,
        scratch: &mut ReadScratch,
        sink: Sink<'_>,
    ) {
        match at {
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

    fn read_at(
        &self,
        plan: &WindowPlan,
        selection: &ColumnSelection,
        x: i64,
        scratch: &mut ReadScratch,
        sink: Sink<'_>,
    ) {
        let memory = std::mem::take(scratch);
        let mut values: Vec<ColumnValue<'_>> =
            memory.values.into_iter().map(|_| ColumnValue::Absent).collect();
        let mut pass = Pass {
            plan,
            selection,
            x,
            slots: memory.slots,
            raw: memory.raw.recycle(),
            tiles: memory.tiles.recycle(),
            places: memory.places,
            fields: memory.fields,
            seen: memory.seen,
        };
        pass.lay_out();
        pass.raw_events(self, &mut values);
        pass.add_up_raw();
        for (index, level) in self.levels.iter().flat_map(|levels| levels.0.iter().enumerate()) {
            pass.level_tiles(index, &level.tiles);
        }
        pass.finish(self, sink);
        values.clear();
        *scratch = ReadScratch {
            slots: pass.slots,
            raw: pass.raw.recycle(),
            tiles: pass.tiles.recycle(),
            values: values.into_iter().map(|_| ColumnValue::Absent).collect(),
            places: pass.places,
            fields: pass.fields,
            seen: pass.seen,
        };
    }
}

/// One read under way.
struct Pass<'p, 'a> {
    plan: &'p WindowPlan,
    selection: &'p ColumnSelection,
    x: i64,
    /// By start, the latest first.
    slots: Vec<Slot>,
    /// Raw events of each slot; added up, of each window.
    raw: Partials<'a>,
    /// Tiles of each slot.
    tiles: Partials<'a>,
    places: Vec<FieldAt>,
    fields: Vec<CellFields>,
    seen: Seen,
}

impl<'a> Pass<'_, 'a> {
    fn lay_out(&mut self) {
        self.slots.clear();
        for (window, of_group) in self.selection.windows.iter().enumerate() {
            let Some(span) = self.plan.window(*of_group) else { continue };
            self.slots.push(Slot { window, level: span.level, start: span.start(self.x) });
        }
        self.slots.sort_unstable_by_key(|slot| std::cmp::Reverse(slot.start));
        let (cells, edges) = (self.selection.cells.len(), self.selection.edge_cells);
        self.raw.reset(self.slots.len(), cells, edges);
        self.tiles.reset(self.slots.len(), cells, edges);
        self.seen.reset(self.selection.distinct_cells);
    }

    fn raw_events(&mut self, entity: &'a EntityWindows, values: &mut Vec<ColumnValue<'a>>) {
        let mut records = Records::new(self.plan, &entity.raw);
        while let Some(record) = records.next(values) {
            if record.time >= self.x {
                continue;
            }
            let Some(slot) = self.slots.iter().position(|slot| slot.start <= record.time) else {
                continue;
            };
            self.raw.update(self.plan, &self.selection.cells, slot, &record, values);
            if self.selection.distinct_cells == 0 {
                continue;
            }
            for used in self.selection.cells.iter().filter(|used| used.distinct.is_some()) {
                let value = used.token.and_then(|column| values.get(column));
                if let (true, Some(ColumnValue::Token(token))) = (record.counts_in(used.bit), value)
                {
                    self.seen.raw(used.distinct, record.time, *token);
                }
            }
        }
    }

    /// Makes of slots windows: each one also has what the shorter ones have.
    fn add_up_raw(&mut self) {
        for slot in 1..self.slots.len() {
            self.raw.merge_within(slot, slot - 1);
        }
    }

    fn level_tiles(&mut self, index: usize, table: &'a crate::tile::TileTable) {
        let Some(level) = self.plan.levels().get(index) else { return };
        let of_level = |slot: &Slot| slot.level == index;
        let Some(oldest) = self.slots.iter().rfind(|slot| of_level(slot)) else { return };
        table.places(&mut self.places);
        self.fields.clear();
        for used in &self.selection.cells {
            let cell = self.plan.cells().get(used.cell);
            self.fields.push(
                cell.map_or_else(CellFields::default, |cell| CellFields::new(cell, &self.places)),
            );
        }
        for tile in table.from(level.tile(oldest.start)) {
            let start = tile.number.saturating_mul(level.hop_ms);
            if start >= self.x {
                break;
            }
            let slot = self.slots.iter().position(|slot| of_level(slot) && slot.start <= start);
            let Some(slot) = slot else { continue };
            self.tiles.merge_tile(&self.selection.cells, &self.fields, slot, &tile);
        }
        let mut before = None;
        for slot in 0..self.slots.len() {
            if !self.slots.get(slot).is_some_and(of_level) {
                continue;
            }
            if let Some(before) = before.replace(slot) {
                self.tiles.merge_within(slot, before);
            }
            self.raw.merge_from(slot, &self.tiles, slot);
        }
    }

    fn finish(&mut self, entity: &EntityWindows, sink: Sink<'_>) {
        for (position, selected) in self.selection.columns.iter().enumerate() {
            let slot = self.slots.iter().position(|slot| slot.window == selected.window);
            let used = self.selection.cells.get(selected.cell);
            let (Some(slot), Some(used)) = (slot, used) else { continue };
            if used.distinct.is_none() || !selected.is_distinct() {
                let numbers = self.raw.numbers(slot).get(selected.cell);
                let edges = used.edge.and_then(|edge| self.raw.edges(slot).get(edge));
                let Some(numbers) = numbers else { continue };
                sink(position, finalize(&selected.output, numbers, edges));
                continue;
            }
            let Some(slot) = self.slots.get(slot) else { continue };
            let Some(level) = self.plan.levels().get(slot.level) else { continue };
            let cell = self.plan.cells().get(used.cell);
            let state = entity
                .levels
                .as_ref()
                .and_then(|levels| levels.0.get(slot.level)?.distinct.get(cell?.distinct?));
            let window = count::Window { start: slot.start, hop_ms: level.hop_ms };
            let count = self.seen.count(used.distinct, slot.level, state, window);
            sink(position, Ok(Some(ValueRef::I64(count))));
        }
    }
}
