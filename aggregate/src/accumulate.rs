//! Accumulating: partials of several spans of time and several cells at once, from raw events and from tiles.
//!
//! A *slot* is a span: a tile that is being built, or the part of a read between the starts of two windows.

use crate::{
    partial::{Edges, Numbers},
    plan::{CellUse, WindowPlan},
    raw::{ColumnValue, Record},
    tile::{CellFields, Tile},
};

/// Partials of slots × cells in use.
#[derive(Debug, Default)]
pub(crate) struct Partials<'a> {
    cells: usize,
    edge_cells: usize,
    numbers: Vec<Numbers>,
    edges: Vec<Edges<'a>>,
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

    /// The memory of partials whose borrows have ended.
    pub(crate) fn recycle<'b>(mut self) -> Partials<'b> {
        self.edges.clear();
        // Collecting a vector's own iterator into the same layout keeps its allocation.
        let edges = self.edges.into_iter().map(|_| Edges::default()).collect();
        Partials { cells: 0, edge_cells: 0, numbers: self.numbers, edges }
    }

    pub(crate) fn numbers(&self, slot: usize) -> &[Numbers] {
        self.numbers.get(slot * self.cells..(slot + 1) * self.cells).unwrap_or(&[])
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
        for (place, used) in uses.iter().enumerate() {
            if !record.counts_in(used.bit) {
                continue;
            }
            if let Some(numbers) = self.numbers.get_mut(slot * self.cells + place) {
                numbers.count = numbers.count.wrapping_add(1);
                let value = used.number.and_then(|column| values.get(column));
                if let Some(ColumnValue::Number(number)) = value {
                    numbers.update(*number, used.needs.squares);
                }
            }
            let Some(edges) = self.edge_mut(slot, used) else { continue };
            let cell = plan.cells().get(used.cell);
            if let Some(edge) = cell.and_then(|cell| record.edge(cell, values)) {
                edges.update(edge);
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
        for (place, (used, fields)) in uses.iter().zip(fields).enumerate() {
            if let Some(numbers) = self.numbers.get_mut(slot * self.cells + place) {
                tile.merge_numbers(fields, used, numbers);
            }
            if let Some(edges) = self.edge_mut(slot, used) {
                tile.merge_edges(fields, used, edges);
            }
        }
    }

    /// Merges slot `from` of `other`, which has the same cells, into slot `to`.
    pub(crate) fn merge_from(&mut self, to: usize, other: &Self, from: usize) {
        for (into, numbers) in
            self.numbers.iter_mut().skip(to * self.cells).zip(other.numbers(from))
        {
            into.merge(numbers);
        }
        for (into, edges) in self.edges.iter_mut().skip(to * self.edge_cells).zip(other.edges(from))
        {
            into.merge(edges);
        }
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
