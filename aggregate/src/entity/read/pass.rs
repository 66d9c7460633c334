//! The passes of a read: slots cut out of time, raw events and tiles added to them, and windows put together from slots.

use super::WindowAt;
use crate::{
    accumulate::Partials,
    entity::{EntityView, level::LevelState, tokens::Tokens},
    plan::{ColumnSelection, WindowPlan},
    raw::{ColumnValue, Records},
    tile::{CellFields, FieldAt, TileTable},
};

/// One read under way.
pub(super) struct Pass<'p, 'a> {
    pub(super) plan: &'p WindowPlan,
    pub(super) selection: &'p ColumnSelection,
    pub(super) entity: EntityView<'a>,
    pub(super) x: i64,
    /// As the selection lists them.
    pub(super) windows: Vec<WindowAt>,
    /// Ends of windows, the latest first: `x`, or the start of slot 0, 1, …
    pub(super) cuts: Vec<i64>,
    /// What every slot sees of raw events; added up where all windows end at `x`.
    pub(super) raw: Partials<'a>,
    /// The same of the tiles of one level.
    pub(super) tiles: Partials<'a>,
    /// What every window sees.
    pub(super) results: Partials<'a>,
    pub(super) places: Vec<FieldAt>,
    pub(super) fields: Vec<CellFields>,
    pub(super) tokens: Tokens,
    pub(super) text: String,
}

impl<'a> Pass<'_, 'a> {
    pub(super) fn lay_out(&mut self) {
        self.windows.clear();
        for of_group in &self.selection.windows {
            let Some(span) = self.plan.window(*of_group) else { continue };
            self.windows.push(WindowAt {
                level: span.level,
                start: span.start(self.x),
                head: span.head(self.x),
                is_lifetime: span.is_lifetime(),
            });
        }
        let (cells, edges) = (self.selection.cells.len(), self.selection.edge_cells);
        self.results.reset(self.windows.len(), cells, edges);
        self.results.reset_summaries(self.windows.len(), &self.selection.summaries);
        self.tokens.reset(self.selection.distinct_cells);
    }

    /// The slots of all windows, or of those of one level.
    fn cut(&mut self, level: Option<usize>) {
        self.cuts.clear();
        self.cuts.push(self.x);
        for window in self.windows.iter().filter(|w| level.is_none_or(|level| w.level == level)) {
            self.cuts.push(window.start);
            if window.head < self.x {
                self.cuts.push(window.head);
            }
        }
        self.cuts.sort_unstable_by(|a, b| b.cmp(a));
        self.cuts.dedup();
    }

    /// The slot of `time`, which is before `x`; `None` before all windows.
    #[inline]
    fn slot(&self, time: i64) -> Option<usize> {
        self.cuts.iter().skip(1).position(|start| *start <= time)
    }

    /// Ends of slot `slot`: its start and what is after it.
    fn ends(&self, slot: usize) -> (i64, i64) {
        let cut = |at: usize| self.cuts.get(at).copied().unwrap_or(self.x);
        (cut(slot + 1), cut(slot))
    }

    pub(super) fn raw_events(&mut self, values: &mut Vec<ColumnValue<'a>>) {
        self.cut(None);
        let slots = self.cuts.len().saturating_sub(1);
        self.raw.reset(slots, self.selection.cells.len(), self.selection.edge_cells);
        self.records(Records::new(self.plan, self.entity.log), values);
        if let Some(grown) = self.entity.grown {
            let hop_ms = self.plan.young_hop_ms();
            let cut = grown.young.first_cut(self.x, hop_ms);
            let is_listed = self.selection.distinct_cells > 0;
            let end = self.x.div_euclid(hop_ms).saturating_add(1);
            for records in grown.young.raw(self.plan, cut, end) {
                self.records(records, values);
            }
            // Where all of them are before x, their tokens are known without their events.
            if is_listed && grown.young.tokens_before(self.x, 0, 0).is_none() {
                for records in grown.young.raw(self.plan, i64::MIN, cut) {
                    self.only_tokens(records, values);
                }
            }
            self.slots_of(&grown.young.sums, None, |pass, slot| {
                let (start, end) = pass.ends(slot);
                let end = if slot == 0 { cut } else { end.div_euclid(hop_ms) };
                (start.div_euclid(hop_ms), end)
            });
        }
        add_up(&mut self.raw, slots, self.selection.has_offsets);
        for window in 0..self.windows.len() {
            self.collect(window, false);
        }
    }

    fn records(&mut self, mut records: Records<'_, 'a>, values: &mut Vec<ColumnValue<'a>>) {
        if self.selection.needs_numbers_only() && records.are_numbers() {
            return self.numbers(records);
        }
        while let Some(record) = records.next(values) {
            if record.time >= self.x {
                continue;
            }
            let Some(slot) = self.slot(record.time) else { continue };
            self.raw.update(self.plan, &self.selection.cells, slot, &record, values);
            if !self.selection.summaries.is_empty() {
                let uses = &self.selection.summaries;
                for (window, at) in self.windows.iter().enumerate() {
                    if (at.start..at.head).contains(&record.time) {
                        self.results.update_summaries(self.plan, uses, window, &record, values);
                    }
                }
            }
            if self.selection.distinct_cells > 0 {
                self.tokens.record(&self.selection.cells, &record, values);
            }
        }
    }

    /// The same where events are a number each, or nothing but their time, and no more is asked for.
    fn numbers(&mut self, mut records: Records<'_, 'a>) {
        while let Some(event) = records.next_number() {
            if event.time >= self.x {
                continue;
            }
            let Some(slot) = self.slot(event.time) else { continue };
            let at = (self.selection.cells.as_slice(), slot);
            let counts_in = |bit| event.counts_in(bit);
            self.raw.update_numbers(at, event.time, counts_in, |_| Some(event.number));
        }
    }

    /// Only the tokens of events whose numbers are in tiles.
    fn only_tokens(&mut self, mut records: Records<'_, 'a>, values: &mut Vec<ColumnValue<'a>>) {
        while let Some(record) = records.next(values) {
            self.tokens.record(&self.selection.cells, &record, values);
        }
    }

    pub(super) fn levels(&mut self) {
        let Some(grown) = self.entity.grown else { return };
        for (index, state) in grown.levels.iter().enumerate() {
            let Some(level) = self.plan.levels().get(index) else { continue };
            if self.windows.iter().all(|window| window.level != index) {
                continue;
            }
            self.cut(Some(index));
            let slots = self.cuts.len().saturating_sub(1);
            self.tiles.reset(slots, self.selection.cells.len(), self.selection.edge_cells);
            self.slots_of(state, Some(index), |pass, slot| {
                let (start, end) = pass.ends(slot);
                // Folded events are before x, so the tile that x is in belongs to the window as it is.
                let end =
                    if slot == 0 { level.tile(end.saturating_sub(1)) + 1 } else { level.tile(end) };
                (level.tile(start), end)
            });
            add_up(&mut self.tiles, slots, self.selection.has_offsets);
            for window in 0..self.windows.len() {
                if self.windows.get(window).is_some_and(|at| at.level == index) {
                    self.collect(window, true);
                }
            }
        }
    }

    fn places_of(&mut self, table: &TileTable) {
        table.places(&mut self.places);
        self.fields.clear();
        for used in &self.selection.cells {
            let cell = self.plan.cells().get(used.cell);
            self.fields.push(
                cell.map_or_else(CellFields::default, |cell| CellFields::new(cell, &self.places)),
            );
        }
    }

    /// Adds tiles to every slot, whole blocks at a time where there are any: to raw slots, or to those of one level. `bounds`
    /// gives the first tile of a slot and the one after its last.
    fn slots_of(
        &mut self,
        state: &'a LevelState,
        level: Option<usize>,
        bounds: impl Fn(&Self, usize) -> (i64, i64),
    ) {
        if state.tiles.is_empty() {
            return;
        }
        self.places_of(&state.tiles);
        for slot in 0..self.cuts.len().saturating_sub(1) {
            let parts = state.parts(bounds(self, slot));
            for part in parts.iter().flat_map(|parts| parts.tiles) {
                self.table_tiles(&state.tiles, part, slot, level);
            }
        }
        if !state.blocks.is_empty() {
            self.places_of(&state.blocks);
            for slot in 0..self.cuts.len().saturating_sub(1) {
                if let Some(parts) = state.parts(bounds(self, slot)) {
                    self.table_tiles(&state.blocks, parts.blocks, slot, level);
                }
            }
        }
    }

    fn table_tiles(
        &mut self,
        table: &'a TileTable,
        (first, end): (i64, i64),
        slot: usize,
        level: Option<usize>,
    ) {
        let (slot_start, _) = self.ends(slot);
        let tiles = table.tiles();
        let partials = if level.is_some() { &mut self.tiles } else { &mut self.raw };
        let cells = (self.selection.cells.as_slice(), self.fields.as_slice());
        partials.merge_numbers(cells, slot, tiles, (first, end));
        if self.selection.edge_cells == 0 && self.selection.summaries.is_empty() {
            return;
        }
        for tile in tiles.range(first, end) {
            let partials = if level.is_some() { &mut self.tiles } else { &mut self.raw };
            partials.merge_tile_edges(&self.selection.cells, &self.fields, slot, &tile);
            if self.selection.summaries.is_empty() {
                continue;
            }
            for (window, at) in self.windows.iter().enumerate() {
                // A window is a row of slots: it has this one when the slot's start is inside.
                if level.is_none_or(|level| at.level == level)
                    && (at.start..at.head).contains(&slot_start)
                {
                    let uses = &self.selection.summaries;
                    self.results.merge_tile_summaries(self.plan, uses, &self.places, window, &tile);
                }
            }
        }
    }

    /// Adds a window's slots to its result.
    fn collect(&mut self, window: usize, is_level: bool) {
        let Some(at) = self.windows.get(window) else { return };
        let from = self.cuts.iter().position(|cut| *cut == at.head).unwrap_or(0);
        let to = self.cuts.iter().position(|cut| *cut == at.start).unwrap_or(0);
        let source = if is_level { &self.tiles } else { &self.raw };
        if !self.selection.has_offsets {
            if let Some(last) = to.checked_sub(1) {
                self.results.merge_from(window, source, last);
            }
            return;
        }
        for slot in from..to {
            self.results.merge_from(window, source, slot);
        }
    }
}

/// Makes of slots windows that end at `x`: each one also has what the shorter ones have.
fn add_up(partials: &mut Partials<'_>, slots: usize, has_offsets: bool) {
    if !has_offsets {
        for slot in 1..slots {
            partials.merge_within(slot, slot - 1);
        }
    }
}
