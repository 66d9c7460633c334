//! Accumulating: partials of several spans of time and several cells at once, from raw events and from tiles.
//!
//! A *slot* is a span: a tile that is being built, or the part of a read between the starts of two windows.

use crate::{
    partial::{Edges, Numbers},
    plan::{CellUse, SummaryUse, WindowPlan},
    raw::{ColumnValue, Record},
    summary::SummaryState,
    tile::{CellFields, FieldAt, Tile, Tiles},
};

/// Partials of slots × cells in use, and of slots × summaries in use.
#[derive(Debug, Default)]
pub(crate) struct Partials<'a> {
    cells: usize,
    edge_cells: usize,
    numbers: Vec<Numbers>,
    edges: Vec<Edges<'a>>,
    summaries: Vec<SummaryState<'a>>,
    summary_count: usize,
}

impl<'a> Partials<'a> {
    /// Empty partials of `slots` slots; memory is kept.
    pub(crate) fn reset(&mut self, slots: usize, cells: usize, edge_cells: usize) {
        (self.cells, self.edge_cells) = (cells, edge_cells);
        self.numbers.clear();
        self.numbers.resize(slots * cells, Numbers::default());
        self.edges.clear();
        self.edges.resize(slots * edge_cells, Edges::default());
    }

    /// Empty summaries of `slots` slots.
    pub(crate) fn reset_summaries(&mut self, slots: usize, uses: &[SummaryUse]) {
        self.summary_count = uses.len();
        let wanted = (0..slots).flat_map(|_| uses.iter().map(|used| used.kind));
        if self.summaries.iter().map(SummaryState::kind).eq(wanted.clone()) {
            self.summaries.iter_mut().for_each(SummaryState::clear);
        } else {
            self.summaries = wanted.map(SummaryState::new).collect();
        }
    }

    pub(crate) fn summary(&self, slot: usize, place: usize) -> Option<&SummaryState<'a>> {
        self.summaries.get(slot * self.summary_count + place)
    }

    /// Updates the summaries of `slot` whose cells the event counts in.
    pub(crate) fn update_summaries(
        &mut self,
        plan: &WindowPlan,
        uses: &[SummaryUse],
        slot: usize,
        record: &Record<'a>,
        values: &[ColumnValue<'a>],
    ) {
        let states = self.summaries.iter_mut().skip(slot * self.summary_count);
        for (used, state) in uses.iter().zip(states) {
            let Some(cell) = plan.cells().get(used.cell) else { continue };
            if record.counts_in(cell.bit) {
                state.update(cell, record, values);
            }
        }
    }

    /// Merges the summaries of a tile, whose fields are at `places`, into those of `slot`.
    pub(crate) fn merge_tile_summaries(
        &mut self,
        plan: &WindowPlan,
        uses: &[SummaryUse],
        places: &[FieldAt],
        slot: usize,
        tile: &Tile<'a>,
    ) {
        let states = self.summaries.iter_mut().skip(slot * self.summary_count);
        for (used, state) in uses.iter().zip(states) {
            let field = plan.summaries().get(used.summary).map(|summary| summary.tile_field + 1);
            let place = field.and_then(|field| places.get(field)).copied();
            if let Some(blob) = place.and_then(|place| tile.blob(place)) {
                // What a table holds was written by us or checked when it was decoded.
                let _ = state.merge_bytes(blob);
            }
        }
    }

    /// The memory of partials whose borrows have ended.
    pub(crate) fn recycle<'b>(mut self) -> Partials<'b> {
        self.edges.clear();
        // Collecting a vector's own iterator into the same layout keeps its allocation.
        let edges = self.edges.into_iter().map(|_| Edges::default()).collect();
        let summaries = self.summaries.into_iter().map(SummaryState::recycle).collect();
        Partials { numbers: self.numbers, edges, summaries, ..Partials::default() }
    }

    pub(crate) fn numbers(&self, slot: usize) -> &[Numbers] {
        self.numbers.get(slot * self.cells..(slot + 1) * self.cells).unwrap_or(&[])
    }

    /// The numbers at `place` of slots × cells.
    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<&Numbers> {
        self.numbers.get(place)
    }

    pub(crate) fn edges(&self, slot: usize) -> &[Edges<'a>] {
        self.edges.get(slot * self.edge_cells..(slot + 1) * self.edge_cells).unwrap_or(&[])
    }

    fn edge_mut(&mut self, slot: usize, used: &CellUse) -> Option<&mut Edges<'a>> {
        self.edges.get_mut(slot * self.edge_cells + used.edge?)
    }

    /// Updates every cell of `slot` that the event counts in.
    #[inline]
    pub(crate) fn update(
        &mut self,
        plan: &WindowPlan,
        uses: &[CellUse],
        slot: usize,
        record: &Record<'a>,
        values: &[ColumnValue<'a>],
    ) {
        self.update_numbers(
            (uses, slot),
            record.time,
            |bit| record.counts_in(bit),
            |column| values.get(column).and_then(ColumnValue::number),
        );
        if self.edge_cells == 0 {
            return;
        }
        for used in uses.iter().filter(|used| record.counts_in(used.bit)) {
            let Some(edges) = self.edge_mut(slot, used) else { continue };
            let cell = plan.cells().get(used.cell);
            if let Some(edge) = cell.and_then(|cell| record.edge(cell, values)) {
                edges.update(edge);
            }
        }
    }

    /// The same without edges, of an event of `time`: which bits it counts in, and the number of a column.
    #[inline]
    pub(crate) fn update_numbers(
        &mut self,
        (uses, slot): (&[CellUse], usize),
        time: i64,
        counts_in: impl Fn(Option<usize>) -> bool,
        number: impl Fn(usize) -> Option<i64>,
    ) {
        let into = self.numbers.get_mut(slot * self.cells..).unwrap_or_default();
        for (used, numbers) in uses.iter().zip(into) {
            if !counts_in(used.bit) {
                continue;
            }
            numbers.count_one(time, used.needs.times);
            if let Some(number) = used.number.and_then(&number) {
                numbers.update(number, used.needs.squares);
            }
        }
    }

    /// Merges a tile into `slot`.
    #[inline]
    pub(crate) fn merge_tile(
        &mut self,
        uses: &[CellUse],
        fields: &[CellFields],
        slot: usize,
        tile: &Tile<'a>,
    ) {
        for ((used, fields), into) in
            uses.iter().zip(fields).zip(self.numbers.iter_mut().skip(slot * self.cells))
        {
            tile.merge_numbers(fields, used, into);
        }
        self.merge_tile_edges(uses, fields, slot, tile);
    }

    /// Merges the numbers of a row of tiles into `slot`.
    pub(crate) fn merge_numbers(
        &mut self,
        (uses, fields): (&[CellUse], &[CellFields]),
        slot: usize,
        tiles: Tiles<'_>,
        (first, end): (i64, i64),
    ) {
        #[cfg(test)]
        crate::entity::MERGED
            .with(|merged| merged.set(merged.get() + tiles.range(first, end).count()));
        let into = self.numbers.iter_mut().skip(slot * self.cells);
        tiles.merge_numbers((first, end), uses, fields, into);
    }

    /// Merges the edges of a tile into `slot`.
    pub(crate) fn merge_tile_edges(
        &mut self,
        uses: &[CellUse],
        fields: &[CellFields],
        slot: usize,
        tile: &Tile<'a>,
    ) {
        if self.edge_cells == 0 {
            return;
        }
        for (used, fields) in uses.iter().zip(fields) {
            if let Some(edges) = self.edge_mut(slot, used) {
                tile.merge_edges(fields, used, edges);
            }
        }
    }

    /// Merges slot `from` of `other`, which has the same cells, into slot `to`. Summaries are not kept by slots of other spans.
    pub(crate) fn merge_from(&mut self, to: usize, other: &Self, from: usize) {
        let mine = self.numbers.iter_mut().skip(to * self.cells);
        mine.zip(other.numbers(from)).for_each(|(into, numbers)| into.merge(numbers));
        let mine = self.edges.iter_mut().skip(to * self.edge_cells);
        mine.zip(other.edges(from)).for_each(|(into, edges)| into.merge(edges));
    }

    /// Merges `numbers` into every cell of a slot.
    pub(crate) fn merge_all(&mut self, slot: usize, numbers: &Numbers) {
        let cells = self.numbers.iter_mut().skip(slot * self.cells).take(self.cells);
        cells.for_each(|cell| cell.merge(numbers));
    }

    /// Merges slot `from` into slot `to`.
    pub(crate) fn merge_within(&mut self, to: usize, from: usize) {
        for place in 0..self.cells {
            let Some(numbers) = self.numbers.get(from * self.cells + place).copied() else {
                continue;
            };
            if let Some(into) = self.numbers.get_mut(to * self.cells + place) {
                into.merge(&numbers);
            }
        }
        for place in 0..self.edge_cells {
            let Some(edges) = self.edges.get(from * self.edge_cells + place).copied() else {
                continue;
            };
            if let Some(into) = self.edges.get_mut(to * self.edge_cells + place) {
                into.merge(&edges);
            }
        }
    }
}
