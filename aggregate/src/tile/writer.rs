//! Writing tiles: widths begin as those of the table before and grow when a value does not fit.

use super::{PADDING, TileTable};
use crate::{
    partial::{Edge, EdgeValue, Edges, Numbers},
    plan::{TileFieldKind, WindowPlan},
    varint,
};

/// Widest field: a sum of squares below 2^192.
const FIELD_BYTES_MAX: usize = 24;

/// Builds a table from tiles in ascending order.
#[derive(Debug)]
pub(crate) struct TileWriter<'p> {
    plan: &'p WindowPlan,
    table: TileTable,
    /// Records that are whole.
    finished: usize,
}

impl<'p> TileWriter<'p> {
    /// A writer of a table that replaces `before`.
    pub(crate) fn new(plan: &'p WindowPlan, before: &TileTable, first: i64) -> Self {
        let mut table = TileTable { base: first, ..TileTable::default() };
        if before.is_empty() {
            table.widths = vec![0; plan.tile_fields().len() + 1].into();
        } else {
            table.widths.clone_from(&before.widths);
            table.base = before.base;
            table.records.reserve(before.records.len() + PADDING);
        }
        // A record is at least one byte, so that records can be counted.
        if let Some(width) = table.widths.first_mut() {
            *width = (*width).max(1);
        }
        Self { plan, table, finished: 0 }
    }

    /// Appends tile `number` with one partial for each cell of the plan, edges for each that has them.
    pub(crate) fn push(&mut self, number: i64, numbers: &[Numbers], edges: &[Edges<'_>]) {
        let offset = varint::zigzag(number.wrapping_sub(self.table.base));
        self.put(0, (u128::from(offset), 0));
        for (index, field) in self.plan.tile_fields().iter().enumerate() {
            let Some(partial) = numbers.get(field.cell) else { continue };
            let is_empty = partial.count == 0;
            let cell = self.plan.cells().get(field.cell);
            let edges = || cell.and_then(|cell| edges.get(cell.edge?));
            let value = match field.kind {
                TileFieldKind::Count => (u128::from(partial.count), 0),
                _ if is_empty => (0, 0),
                TileFieldKind::Sum => (zigzag_wide(partial.sum), 0),
                TileFieldKind::Squares => (partial.squares.low, partial.squares.high),
                TileFieldKind::Min => (u128::from(varint::zigzag(partial.min)), 0),
                TileFieldKind::Max => (u128::from(varint::zigzag(partial.max)), 0),
                TileFieldKind::First => self.put_edge(edges().and_then(|edges| edges.first)),
                TileFieldKind::Last => self.put_edge(edges().and_then(|edges| edges.last)),
            };
            self.put(index + 1, value);
        }
        self.finished += 1;
    }

    pub(crate) fn finish(mut self) -> TileTable {
        let table = &mut self.table;
        if table.records.is_empty() {
            return TileTable::default();
        }
        table.records.extend_from_slice(&[0; PADDING]);
        table.records.shrink_to_fit();
        table.heap.shrink_to_fit();
        self.table
    }

    fn put(&mut self, field: usize, (low, high): (u128, u64)) {
        let mut bytes = [0; FIELD_BYTES_MAX];
        let (low_bytes, high_bytes) = bytes.split_at_mut(16);
        low_bytes.copy_from_slice(&low.to_le_bytes());
        high_bytes.copy_from_slice(&high.to_le_bytes());
        let needed = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let Some(width) = self.table.widths.get(field).copied().map(usize::from) else { return };
        let width = if needed > width {
            self.widen(field, needed);
            needed
        } else {
            width
        };
        self.table.records.extend_from_slice(bytes.get(..width).unwrap_or(&bytes));
    }

    /// Rewrites the records so far, the unfinished one included, with `field` as wide as `width` bytes.
    fn widen(&mut self, field: usize, width: usize) {
        let table = &mut self.table;
        let (before, after) = table.widths.split_at(field);
        let sum = |widths: &[u8]| widths.iter().map(|width| usize::from(*width)).sum::<usize>();
        let (at, stride) = (sum(before), sum(&table.widths));
        let old = after.first().copied().map_or(0, usize::from);
        let mut records = Vec::with_capacity(table.records.capacity() + self.finished * width);
        let (whole, unfinished) = table.records.split_at(self.finished * stride);
        for record in whole.chunks_exact(stride) {
            let (head, tail) = record.split_at(at + old);
            records.extend_from_slice(head);
            records.resize(records.len() + width - old, 0);
            records.extend_from_slice(tail);
        }
        records.extend_from_slice(unfinished);
        table.records = records;
        if let (Some(place), Ok(width)) = (table.widths.get_mut(field), u8::try_from(width)) {
            *place = width;
        }
    }

    /// Puts an edge into the heap; its field says where.
    fn put_edge(&mut self, edge: Option<Edge<'_>>) -> (u128, u64) {
        let Some(edge) = edge else { return (0, 0) };
        let heap = &mut self.table.heap;
        let position = heap.len() as u64 + 1;
        varint::put(heap, varint::zigzag(edge.time));
        varint::put_block(heap, edge.id);
        match edge.value {
            EdgeValue::Number(number) => {
                heap.push(0);
                varint::put(heap, varint::zigzag(number));
            }
            EdgeValue::Packed(bytes) => {
                heap.push(1);
                varint::put_block(heap, bytes);
            }
        }
        (u128::from(position), 0)
    }
}

fn zigzag_wide(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}
