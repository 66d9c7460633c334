//! The tiles of one level: partials of the hops that have events, sorted, in records of one width.
//!
//! ```text
//! record   tile number, zigzag, relative to `base` | the fields of every cell, as the plan lists them
//! field    unsigned little-endian, as many bytes as the largest of its column needs (0 when all are 0); signed are zigzag
//! edge     position in `heap`, plus one, of: zigzag time | id length, id | 0, zigzag number or 1, length, packed value
//! ```
//!
//! One width for all records makes them searchable without an index, and a field a single load.

mod writer;

pub(crate) use writer::TileWriter;

use crate::{
    Error,
    partial::{Edge, EdgeValue, Edges, Numbers, Squares},
    plan::{Cell, CellUse, TileFieldKind, WindowPlan},
    varint,
};

/// Bytes behind the last record, so that every load may take eight.
const PADDING: usize = 8;

/// Tiles of one level of one entity.
#[derive(Debug, Clone, Default)]
pub(crate) struct TileTable {
    base: i64,
    /// Bytes of each field, the tile number first.
    widths: Box<[u8]>,
    /// Records and padding.
    records: Vec<u8>,
    /// Edges of the records.
    heap: Vec<u8>,
}

/// Where a field is in a record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FieldAt {
    at: usize,
    width: usize,
}

/// Where the fields of one cell are in the records of a table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CellFields {
    count: FieldAt,
    sum: FieldAt,
    squares: FieldAt,
    min: FieldAt,
    max: FieldAt,
    first: FieldAt,
    last: FieldAt,
}

/// One tile of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tile<'a> {
    pub(crate) number: i64,
    record: &'a [u8],
    heap: &'a [u8],
}

impl TileTable {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.len() <= PADDING
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.widths.len() + self.records.capacity() + self.heap.capacity()
    }

    fn stride(&self) -> usize {
        self.widths.iter().map(|width| usize::from(*width)).sum()
    }

    pub(crate) fn len(&self) -> usize {
        (self.records.len().saturating_sub(PADDING)).checked_div(self.stride()).unwrap_or(0)
    }

    fn tile(&self, index: usize, stride: usize) -> Option<Tile<'_>> {
        let record = self.records.get(index * stride..(index + 1) * stride + PADDING)?;
        let width = usize::from(*self.widths.first()?);
        let number =
            self.base.wrapping_add(varint::unzigzag(load(record, FieldAt { at: 0, width })));
        Some(Tile { number, record, heap: &self.heap })
    }

    /// Tiles from number `first` on, ascending.
    pub(crate) fn from(&self, first: i64) -> impl Iterator<Item = Tile<'_>> {
        let (stride, len) = (self.stride(), self.len());
        let (mut low, mut high) = (0, len);
        while low < high {
            let middle = low.midpoint(high);
            if self.tile(middle, stride).is_some_and(|tile| tile.number < first) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low..len).filter_map(move |index| self.tile(index, stride))
    }

    /// Where every field is in a record, the tile number first.
    pub(crate) fn places(&self, out: &mut Vec<FieldAt>) {
        out.clear();
        let mut at = 0;
        for width in &self.widths {
            let width = usize::from(*width);
            out.push(FieldAt { at, width });
            at += width;
        }
    }
}

impl CellFields {
    /// The fields of `cell` in a table whose fields are at `places`.
    pub(crate) fn new(cell: &Cell, places: &[FieldAt]) -> Self {
        let mut found = Self::default();
        let of_cell = places.iter().skip(cell.tile_field + 1);
        for (kind, place) in cell.needs.tile_fields().zip(of_cell) {
            let field = match kind {
                TileFieldKind::Count => &mut found.count,
                TileFieldKind::Sum => &mut found.sum,
                TileFieldKind::Squares => &mut found.squares,
                TileFieldKind::Min => &mut found.min,
                TileFieldKind::Max => &mut found.max,
                TileFieldKind::First => &mut found.first,
                TileFieldKind::Last => &mut found.last,
            };
            *field = *place;
        }
        found
    }
}

impl<'a> Tile<'a> {
    /// Adds the cell at `fields` to a partial.
    #[inline]
    pub(crate) fn merge_numbers(&self, fields: &CellFields, used: &CellUse, into: &mut Numbers) {
        let count = load(self.record, fields.count);
        if count == 0 {
            return;
        }
        into.count = into.count.wrapping_add(count);
        let needs = used.needs;
        if needs.sum {
            into.sum = into.sum.wrapping_add(unzigzag_wide(load_wide(self.record, fields.sum).0));
        }
        if needs.squares {
            let (low, high) = load_wide(self.record, fields.squares);
            let squares = Squares { low, high };
            into.merge(&Numbers { squares, ..Numbers::default() });
        }
        if needs.min {
            into.min = into.min.min(varint::unzigzag(load(self.record, fields.min)));
        }
        if needs.max {
            into.max = into.max.max(varint::unzigzag(load(self.record, fields.max)));
        }
    }

    /// Adds the edges of the cell at `fields`.
    pub(crate) fn merge_edges(&self, fields: &CellFields, used: &CellUse, into: &mut Edges<'a>) {
        let first = used.needs.first.then(|| self.edge(fields.first)).flatten();
        let last = used.needs.last.then(|| self.edge(fields.last)).flatten();
        into.merge(&Edges { first, last });
    }

    fn edge(&self, field: FieldAt) -> Option<Edge<'a>> {
        let position = usize::try_from(load(self.record, field)).ok()?.checked_sub(1)?;
        let mut rest = self.heap.get(position..)?;
        let time = varint::unzigzag(varint::take(&mut rest)?);
        let id = varint::take_block(&mut rest)?;
        let value = match varint::take(&mut rest)? {
            0 => EdgeValue::Number(varint::unzigzag(varint::take(&mut rest)?)),
            1 => EdgeValue::Packed(varint::take_block(&mut rest)?),
            _ => return None,
        };
        Some(Edge { time, id, value })
    }
}

/// A field of up to eight bytes.
#[inline]
fn load(record: &[u8], field: FieldAt) -> u64 {
    let bytes = record.get(field.at..).and_then(|rest| rest.first_chunk::<8>());
    let bits = bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    match field.width {
        0 => 0,
        width @ 1..8 => bits & ((1 << (8 * width)) - 1),
        _ => bits,
    }
}

/// A field of up to 24 bytes: its low 128 bits and what is above.
#[inline]
fn load_wide(record: &[u8], field: FieldAt) -> (u128, u64) {
    let part = |skip: usize| {
        let width = field.width.saturating_sub(skip).min(8);
        load(record, FieldAt { at: field.at + skip, width })
    };
    if field.width <= 8 {
        return (u128::from(part(0)), 0);
    }
    (u128::from(part(0)) | u128::from(part(8)) << 64, part(16))
}

#[inline]
fn unzigzag_wide(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

impl TileTable {
    /// The four parts for the codec: base, widths, records without padding, heap.
    pub(crate) fn parts(&self) -> (i64, &[u8], &[u8], &[u8]) {
        let end = self.records.len().saturating_sub(PADDING);
        (self.base, &self.widths, self.records.get(..end).unwrap_or(&[]), &self.heap)
    }

    /// The table of [`TileTable::parts`], checked: a field of the wrong width or an edge that points nowhere is refused.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub(crate) fn from_parts(
        plan: &WindowPlan,
        base: i64,
        (widths, records, heap): (&[u8], &[u8], &[u8]),
    ) -> Result<Self, Error> {
        if records.is_empty() {
            return Ok(Self::default());
        }
        let fields = plan.tile_fields();
        let limits = fields.iter().map(|field| match field.kind {
            TileFieldKind::Squares => 24,
            TileFieldKind::Sum => 16,
            _ => 8,
        });
        let is_wide = |(width, limit): (&u8, u8)| *width > limit;
        if widths.len() != fields.len() + 1
            || widths.first() == Some(&0)
            || widths.iter().zip(std::iter::once(8).chain(limits)).any(is_wide)
        {
            return Err(Error::Malformed("fields of tiles"));
        }
        let mut table =
            Self { base, widths: widths.into(), records: records.to_vec(), heap: heap.to_vec() };
        if !records.len().is_multiple_of(table.stride()) {
            return Err(Error::Malformed("length of tiles"));
        }
        table.records.extend_from_slice(&[0; PADDING]);
        let numbers: Vec<_> = table.from(i64::MIN).map(|tile| tile.number).collect();
        if numbers.len() != table.len() || !numbers.is_sorted_by(|a, b| a < b) {
            return Err(Error::Malformed("order of tiles"));
        }
        let mut places = Vec::new();
        table.places(&mut places);
        for cell in plan.cells().iter().filter(|cell| cell.edge.is_some()) {
            let fields = CellFields::new(cell, &places);
            let is_lost = |tile: &Tile<'_>, field: FieldAt| {
                load(tile.record, field) != 0 && tile.edge(field).is_none()
            };
            if table.from(i64::MIN).any(|t| is_lost(&t, fields.first) || is_lost(&t, fields.last)) {
                return Err(Error::Malformed("edges of tiles"));
            }
        }
        Ok(table)
    }
}
