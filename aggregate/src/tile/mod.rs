//! The tiles of one level: partials of the hops that have events, sorted, in records of one width.
//!
//! ```text
//! record   tile number, zigzag, relative to `base` | the fields of every cell, as the plan lists them
//! field    unsigned little-endian, as many bytes as the largest of its column needs (0 when all are 0); signed are zigzag
//! blob     position in `heap`, plus one, of: length | an edge or a summary
//! edge     zigzag time | id length, id | 0, zigzag number or 1, packed value
//! ```
//!
//! One width for all records makes them searchable without an index, and a field a single load. Records are written in place:
//! what a fold costs depends on the tiles it touches, not on how many there are.

mod codec;
mod record;

pub(crate) use record::TileRecord;

use crate::{
    partial::{Edge, EdgeValue, Edges, Numbers, Squares},
    plan::{Cell, CellUse, TileFieldKind},
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
    /// Bytes of a record: the sum of all widths.
    stride: usize,
    /// Records and padding.
    records: Vec<u8>,
    /// Blobs of the records, and some that no record has any more.
    heap: Vec<u8>,
    /// Bytes of those, roughly.
    garbage: usize,
}

/// Where a field is in a record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FieldAt {
    at: usize,
    width: usize,
    /// Of its first eight bytes.
    mask: u64,
}

impl FieldAt {
    #[inline]
    fn new(at: usize, width: usize) -> Self {
        let mask = match width {
            0 => 0,
            1..8 => (1 << (8 * width)) - 1,
            _ => u64::MAX,
        };
        Self { at, width, mask }
    }
}

/// Where the fields of one cell are in the records of a table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CellFields {
    count: FieldAt,
    sum: FieldAt,
    squares: FieldAt,
    min: FieldAt,
    max: FieldAt,
    oldest: FieldAt,
    newest: FieldAt,
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
        self.stride
    }

    pub(crate) fn len(&self) -> usize {
        (self.records.len().saturating_sub(PADDING)).checked_div(self.stride()).unwrap_or(0)
    }

    #[inline]
    fn tile(&self, index: usize, stride: usize) -> Option<Tile<'_>> {
        let record = self.records.get(index * stride..(index + 1) * stride + PADDING)?;
        let width = usize::from(*self.widths.first()?);
        let number = self.base.wrapping_add(varint::unzigzag(load(record, FieldAt::new(0, width))));
        Some(Tile { number, record, heap: &self.heap })
    }

    /// The first tile's number.
    pub(crate) fn first(&self) -> Option<i64> {
        Some(self.tile(0, self.stride)?.number)
    }

    /// The tiles, to be searched and passed over.
    #[inline]
    pub(crate) fn tiles(&self) -> Tiles<'_> {
        let (stride, len) = (self.stride(), self.len());
        Tiles { table: self, stride, len }
    }

    /// Tiles from number `first` on and before number `end`, ascending.
    pub(crate) fn range(&self, first: i64, end: i64) -> impl Iterator<Item = Tile<'_>> {
        self.tiles().range(first, end)
    }

    /// All tiles, ascending.
    pub(crate) fn all(&self) -> impl Iterator<Item = Tile<'_>> {
        self.range(i64::MIN, i64::MAX)
    }

    /// The tile of `number`.
    pub(crate) fn find(&self, number: i64) -> Option<Tile<'_>> {
        self.range(number, number.saturating_add(1)).next()
    }

    /// The index of the first tile from `number` on.
    fn position(&self, number: i64) -> usize {
        self.tiles().position(number)
    }

    /// Where every field is in a record, the tile number first.
    pub(crate) fn places(&self, out: &mut Vec<FieldAt>) {
        out.clear();
        let mut at = 0;
        for width in &self.widths {
            let width = usize::from(*width);
            out.push(FieldAt::new(at, width));
            at += width;
        }
    }
}

/// A table with what its tiles have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiles<'a> {
    table: &'a TileTable,
    stride: usize,
    len: usize,
}

impl<'a> Tiles<'a> {
    #[inline]
    fn tile(&self, index: usize) -> Option<Tile<'a>> {
        self.table.tile(index, self.stride)
    }

    /// The index of the first tile from `number` on.
    fn position(&self, number: i64) -> usize {
        let Some(last) = self.len.checked_sub(1).and_then(|last| self.tile(last)) else { return 0 };
        if number > last.number {
            return self.len;
        }
        // Without gaps it would be here; with gaps it is later.
        let behind = usize::try_from(last.number.saturating_sub(number)).unwrap_or(usize::MAX);
        let mut low = self.len.saturating_sub(behind.saturating_add(1));
        let is_before = |index: usize| self.tile(index).is_some_and(|tile| tile.number < number);
        let mut step = 1;
        while low + step < self.len && is_before(low + step - 1) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(self.len);
        while low < high {
            let middle = low.midpoint(high);
            if is_before(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Tiles from number `first` on and before number `end`, ascending.
    #[inline]
    pub(crate) fn range(self, first: i64, end: i64) -> impl Iterator<Item = Tile<'a>> {
        let (from, to) = self.span(first, end);
        (from..to).filter_map(move |index| self.tile(index))
    }

    /// The indexes of those tiles.
    fn span(self, first: i64, end: i64) -> (usize, usize) {
        if first < end { (self.position(first), self.position(end)) } else { (0, 0) }
    }

    /// Adds the numbers of the tiles from number `first` on and before number `end` to partials, one for each of `uses`.
    pub(crate) fn merge_numbers<'n>(
        self,
        (first, end): (i64, i64),
        uses: &[CellUse],
        fields: &[CellFields],
        into: impl Iterator<Item = &'n mut Numbers>,
    ) {
        let (from, to) = self.span(first, end);
        let Some(records) = self.table.records.get(from * self.stride..) else { return };
        if from < to {
            for ((used, fields), into) in uses.iter().zip(fields).zip(into) {
                merge_numbers(records, (to - from, self.stride), fields, used, into);
            }
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
                TileFieldKind::Oldest => &mut found.oldest,
                TileFieldKind::Newest => &mut found.newest,
                TileFieldKind::First => &mut found.first,
                TileFieldKind::Last => &mut found.last,
                TileFieldKind::Summary(_) => continue,
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
        merge_numbers(self.record, (1, 0), fields, used, into);
    }

    /// Adds the edges of the cell at `fields`.
    pub(crate) fn merge_edges(&self, fields: &CellFields, used: &CellUse, into: &mut Edges<'a>) {
        let first = used.needs.first.then(|| self.edge(fields.first)).flatten();
        let last = used.needs.last.then(|| self.edge(fields.last)).flatten();
        into.merge(&Edges { first, last });
    }

    /// The bytes that a field points to; `None` where it has none.
    pub(crate) fn blob(&self, field: FieldAt) -> Option<&'a [u8]> {
        let position = usize::try_from(load(self.record, field)).ok()?.checked_sub(1)?;
        let mut rest = self.heap.get(position..)?;
        varint::take_block(&mut rest)
    }

    fn edge(&self, field: FieldAt) -> Option<Edge<'a>> {
        let mut rest = self.blob(field)?;
        let time = varint::unzigzag(varint::take(&mut rest)?);
        let id = varint::take_block(&mut rest)?;
        let value = match varint::take(&mut rest)? {
            0 => EdgeValue::Number(varint::unzigzag(varint::take(&mut rest)?)),
            1 => EdgeValue::Packed(rest),
            _ => return None,
        };
        Some(Edge { time, id, value })
    }
}

/// Adds the cell at `fields` of `len` records to a partial: field by field, so that what a field is like is looked at once.
fn merge_numbers(
    records: &[u8],
    (len, stride): (usize, usize),
    fields: &CellFields,
    used: &CellUse,
    into: &mut Numbers,
) {
    let (needs, is_total) = (used.needs, used.bit.is_none());
    let places = |field: FieldAt| {
        (0..len).map(move |index| FieldAt { at: index * stride + field.at, ..field })
    };
    let each = |field: FieldAt| places(field).map(|place| load(records, place));
    let signed = |field: FieldAt| each(field).map(varint::unzigzag);
    let counted = |field: FieldAt| {
        // Fields of a record that nothing counts in are 0, which is no extreme.
        let counts = each(fields.count).map(|count| is_total || count > 0);
        signed(field).zip(counts).filter(|(_, is_counted)| *is_counted).map(|(value, _)| value)
    };
    into.count = each(fields.count).fold(into.count, u64::wrapping_add);
    if needs.sum {
        into.sum = if fields.sum.width <= 8 {
            signed(fields.sum).fold(into.sum, |sum, value| sum.wrapping_add(value.into()))
        } else {
            places(fields.sum).fold(into.sum, |sum, place| {
                sum.wrapping_add(unzigzag_wide(load_wide(records, place).0))
            })
        };
    }
    if needs.squares && fields.squares.width <= 8 {
        let low = each(fields.squares).map(u128::from).sum();
        into.squares.add(Squares { low, high: 0 });
    } else if needs.squares {
        for place in places(fields.squares) {
            let (low, high) = load_wide(records, place);
            into.squares.add(Squares { low, high });
        }
    }
    if needs.min {
        into.min = counted(fields.min).fold(into.min, i64::min);
    }
    if needs.max {
        into.max = counted(fields.max).fold(into.max, i64::max);
    }
    if needs.times {
        into.oldest = counted(fields.oldest).fold(into.oldest, i64::min);
        into.newest = counted(fields.newest).fold(into.newest, i64::max);
    }
}

/// A field of up to eight bytes.
#[inline]
fn load(record: &[u8], field: FieldAt) -> u64 {
    let bytes = record.get(field.at..).and_then(|rest| rest.first_chunk::<8>());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes) & field.mask)
}

/// A field of up to 24 bytes: its low 128 bits and what is above.
#[inline]
fn load_wide(record: &[u8], field: FieldAt) -> (u128, u64) {
    if field.width <= 8 {
        return (u128::from(load(record, field)), 0);
    }
    let part = |skip: usize| {
        let width = field.width.saturating_sub(skip).min(8);
        load(record, FieldAt::new(field.at + skip, width))
    };
    (u128::from(part(0)) | u128::from(part(8)) << 64, part(16))
}

#[inline]
fn unzigzag_wide(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}
