//! Writing tiles in place: a record replaces the one of its tile or is inserted; fields grow when a value does not fit.

use super::{FieldAt, PADDING, TileTable, load};
use crate::{
    accumulate::Partials,
    partial::{Edge, EdgeValue},
    plan::{TileFieldKind, WindowPlan},
    varint,
};

/// Widest field: a sum of squares below 2^192.
const FIELD_BYTES_MAX: usize = 24;

/// A tile as it will be stored. Reusable.
#[derive(Debug, Default)]
pub(crate) struct TileRecord {
    fields: Vec<Field>,
    /// Blobs, each with its length in front.
    heap: Vec<u8>,
    scratch: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Field {
    /// Low 128 bits and what is above.
    Number(u128, u64),
    /// Where its blob begins in the record's heap.
    Blob(usize),
}

impl TileRecord {
    /// Takes the partials of slot 0: every cell and summary of the plan.
    pub(crate) fn fill(&mut self, plan: &WindowPlan, partials: &Partials<'_>) {
        self.fields.clear();
        self.heap.clear();
        let (numbers, edges) = (partials.numbers(0), partials.edges(0));
        for field in plan.tile_fields() {
            let Some(partial) = numbers.get(field.cell) else { continue };
            let cell = plan.cells().get(field.cell);
            let edges = || cell.and_then(|cell| edges.get(cell.edge?));
            let signed = |number| Field::Number(u128::from(varint::zigzag(number)), 0);
            let field = match field.kind {
                TileFieldKind::Count => Field::Number(u128::from(partial.count), 0),
                _ if partial.count == 0 => Field::Number(0, 0),
                TileFieldKind::Sum => Field::Number(zigzag_wide(partial.sum), 0),
                TileFieldKind::Squares => Field::Number(partial.squares.low, partial.squares.high),
                TileFieldKind::Min => signed(partial.min),
                TileFieldKind::Max => signed(partial.max),
                TileFieldKind::Oldest => signed(partial.oldest),
                TileFieldKind::Newest => signed(partial.newest),
                TileFieldKind::First => self.put_edge(edges().and_then(|edges| edges.first)),
                TileFieldKind::Last => self.put_edge(edges().and_then(|edges| edges.last)),
                TileFieldKind::Summary(index) => match partials.summary(0, index) {
                    Some(summary) => {
                        self.scratch.clear();
                        summary.write(&mut self.scratch);
                        self.put_blob()
                    }
                    None => Field::Number(0, 0),
                },
            };
            self.fields.push(field);
        }
    }

    fn put_edge(&mut self, edge: Option<Edge<'_>>) -> Field {
        let Some(edge) = edge else { return Field::Number(0, 0) };
        self.scratch.clear();
        varint::put(&mut self.scratch, varint::zigzag(edge.time));
        varint::put_block(&mut self.scratch, edge.id);
        match edge.value {
            EdgeValue::Number(number) => {
                self.scratch.push(0);
                varint::put(&mut self.scratch, varint::zigzag(number));
            }
            EdgeValue::Packed(bytes) => {
                self.scratch.push(1);
                self.scratch.extend_from_slice(bytes);
            }
        }
        self.put_blob()
    }

    fn put_blob(&mut self) -> Field {
        let start = self.heap.len();
        varint::put_block(&mut self.heap, &self.scratch);
        Field::Blob(start)
    }
}

impl TileTable {
    /// Stores `record` as tile `number`, in place of what it had.
    pub(crate) fn store(&mut self, plan: &WindowPlan, number: i64, record: &TileRecord) {
        if self.widths.is_empty() {
            self.base = number;
            self.widths = vec![0; record.fields.len() + 1].into();
            // A record is at least one byte, so that records can be counted.
            self.widen(0, 1);
        }
        let heap_start = self.heap.len();
        self.heap.extend_from_slice(&record.heap);
        let offset = u128::from(varint::zigzag(number.wrapping_sub(self.base)));
        let value = |field: &Field| match *field {
            Field::Number(low, high) => (low, high),
            Field::Blob(start) => ((heap_start + start + 1) as u128, 0),
        };
        let values = || std::iter::once((offset, 0)).chain(record.fields.iter().map(value));
        for (field, value) in values().enumerate() {
            let needed = bytes_of(value).1;
            if self.widths.get(field).is_some_and(|width| usize::from(*width) < needed) {
                self.widen(field, needed);
            }
        }
        let stride = self.stride();
        let index = self.position(number);
        if self.tile(index, stride).is_some_and(|tile| tile.number == number) {
            // What is replaced was about as long.
            self.garbage += record.heap.len();
        } else {
            self.insert(index * stride, stride);
        }
        let mut at = index * stride;
        for (width, value) in self.widths.iter().zip(values()) {
            let (end, (bytes, _)) = (at + usize::from(*width), bytes_of(value));
            if let Some(place) = self.records.get_mut(at..end) {
                place.copy_from_slice(bytes.get(..usize::from(*width)).unwrap_or(&bytes));
            }
            at = end;
        }
        self.collect_garbage(plan);
    }

    /// Forgets tiles before number `first`.
    pub(crate) fn forget_before(&mut self, plan: &WindowPlan, first: i64) {
        let (stride, len) = (self.stride(), self.len());
        let dead = self.position(first);
        if dead == 0 {
            return;
        }
        if dead == len {
            *self = Self::default();
            return;
        }
        self.records.drain(..dead * stride);
        if self.records.len() < self.records.capacity() / 2 {
            self.records.shrink_to(self.records.len() + self.records.len() / 8);
        }
        self.garbage += self.heap.len() / len * dead;
        self.collect_garbage(plan);
    }

    /// Forgets the tile of `number`.
    pub(crate) fn remove(&mut self, plan: &WindowPlan, number: i64) {
        let (stride, len) = (self.stride(), self.len());
        let index = self.position(number);
        if self.tile(index, stride).is_none_or(|tile| tile.number != number) {
            return;
        }
        if len == 1 {
            *self = Self::default();
            return;
        }
        self.records.drain(index * stride..(index + 1) * stride);
        self.garbage += self.heap.len() / len;
        self.collect_garbage(plan);
    }

    /// Room for `stride` bytes at `at`.
    fn insert(&mut self, at: usize, stride: usize) {
        if self.records.is_empty() {
            self.records.resize(PADDING, 0);
        }
        if self.records.capacity() - self.records.len() < stride {
            // By an eighth: most tables are small, and there are many.
            self.records.reserve_exact(stride + self.records.len() / 8);
        }
        let end = self.records.len();
        self.records.resize(end + stride, 0);
        self.records.copy_within(at..end, at + stride);
    }

    /// Rewrites all records with `field` as wide as `width` bytes.
    fn widen(&mut self, field: usize, width: usize) {
        let (before, after) = self.widths.split_at(field);
        let sum = |widths: &[u8]| widths.iter().map(|width| usize::from(*width)).sum::<usize>();
        let (at, stride) = (sum(before), sum(&self.widths));
        let old = after.first().copied().map_or(0, usize::from);
        if let (Some(place), Ok(width)) = (self.widths.get_mut(field), u8::try_from(width)) {
            *place = width;
        }
        self.stride = stride + width - old;
        if self.records.is_empty() {
            return;
        }
        let len = (self.records.len() - PADDING).checked_div(stride).unwrap_or(0);
        let mut records = Vec::with_capacity(len * (stride + width - old) + PADDING);
        for record in self.records.chunks_exact(stride.max(1)).take(len) {
            let (head, tail) = record.split_at(at + old);
            records.extend_from_slice(head);
            records.resize(records.len() + width - old, 0);
            records.extend_from_slice(tail);
        }
        records.resize(records.len() + PADDING, 0);
        self.records = records;
    }

    /// Leaves in the heap what records point to, once the rest has become half of it. Positions only get smaller, so every
    /// field stays wide enough.
    fn collect_garbage(&mut self, plan: &WindowPlan) {
        if self.garbage <= self.heap.len() / 2 {
            return;
        }
        self.garbage = 0;
        let mut heap = Vec::new();
        let mut places = Vec::new();
        self.places(&mut places);
        let (stride, len) = (self.stride(), self.len());
        let mut blobs: Vec<(usize, usize, FieldAt)> = Vec::new();
        for index in 0..len {
            let Some(tile) = self.tile(index, stride) else { continue };
            for field in plan.blob_fields() {
                let Some(place) = places.get(field + 1).copied() else { continue };
                if let Ok(position @ 1..) = usize::try_from(load(tile.record, place)) {
                    blobs.push((position - 1, index * stride, place));
                }
            }
        }
        // In the order they lie in, so that none moves up.
        blobs.sort_unstable_by_key(|(position, ..)| *position);
        for (position, record, place) in blobs {
            let mut rest = self.heap.get(position..).unwrap_or(&[]);
            let Some(blob) = varint::take_block(&mut rest) else { continue };
            let (at, moved) = (record + place.at, (heap.len() as u64 + 1).to_le_bytes());
            varint::put_block(&mut heap, blob);
            if let Some(bytes) = self.records.get_mut(at..at + place.width) {
                bytes.copy_from_slice(moved.get(..place.width).unwrap_or(&moved));
            }
        }
        self.heap = heap;
    }
}

/// Little-endian bytes of a value and how many of them are needed.
fn bytes_of((low, high): (u128, u64)) -> ([u8; FIELD_BYTES_MAX], usize) {
    let mut bytes = [0; FIELD_BYTES_MAX];
    let (low_bytes, high_bytes) = bytes.split_at_mut(16);
    low_bytes.copy_from_slice(&low.to_le_bytes());
    high_bytes.copy_from_slice(&high.to_le_bytes());
    let bits = if high == 0 { 128 - low.leading_zeros() } else { 192 - high.leading_zeros() };
    (bytes, bits.div_ceil(8) as usize)
}

fn zigzag_wide(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}
