//! A table as bytes, and back with every field checked.

use model::limits::EVENT_TIME_ABS_MAX;

use super::{CellFields, TileTable};
use crate::{
    Error,
    partial::{Edge, EdgeValue},
    plan::{TileFieldKind, WindowPlan},
    summary::SummaryState,
};

/// Greatest tile number, either way: twice the times there are, in tiles of a millisecond.
const TILE_ABS_MAX: u64 = 2 * EVENT_TIME_ABS_MAX.unsigned_abs();

/// The four parts of a table: base, widths, records without padding, heap.
pub(crate) type Parts<'a> = (i64, &'a [u8], &'a [u8], &'a [u8]);

impl TileTable {
    /// What the codec writes.
    pub(crate) fn parts(&self) -> Parts<'_> {
        let end = self.records.len().saturating_sub(super::PADDING);
        (self.base, &self.widths, self.records.get(..end).unwrap_or(&[]), &self.heap)
    }

    /// The table of [`TileTable::parts`], checked: a field of the wrong width or a blob that is none is refused.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub(crate) fn from_parts(
        plan: &WindowPlan,
        (base, widths, records, heap): Parts<'_>,
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
        let stride = widths.iter().map(|width| usize::from(*width)).sum();
        let (widths, heap, records) = (widths.into(), heap.to_vec(), records.to_vec());
        let mut table = Self { base, widths, stride, records, heap, garbage: 0 };
        if !table.records.len().is_multiple_of(stride) {
            return Err(Error::Malformed("length of tiles"));
        }
        table.records.extend_from_slice(&[0; super::PADDING]);
        let (stride, len) = (table.stride(), table.len());
        let numbers: Vec<_> =
            (0..len).filter_map(|index| Some(table.tile(index, stride)?.number)).collect();
        // Far more than any time in tiles of a millisecond.
        let is_far = |number: &i64| number.unsigned_abs() > TILE_ABS_MAX;
        if numbers.len() != len || !numbers.is_sorted_by(|a, b| a < b) || numbers.iter().any(is_far)
        {
            return Err(Error::Malformed("order of tiles"));
        }
        table.check_blobs(plan)?;
        Ok(table)
    }

    fn check_blobs(&self, plan: &WindowPlan) -> Result<(), Error> {
        let mut places = Vec::new();
        self.places(&mut places);
        let (stride, len) = (self.stride(), self.len());
        // Every record has blobs of its own: a fold copies each of them.
        let mut blob_bytes = 0;
        for tile in (0..len).filter_map(|index| self.tile(index, stride)) {
            for field in plan.blob_fields() {
                let place = places.get(field + 1).copied().unwrap_or_default();
                blob_bytes += tile.blob(place).map_or(0, |blob| blob.len() + 1);
            }
            if blob_bytes > self.heap.len() {
                return Err(Error::Malformed("blobs of tiles"));
            }
            for cell in plan.cells().iter().filter(|cell| cell.edge.is_some()) {
                let fields = CellFields::new(cell, &places);
                let is_alike = |edge: Edge<'_>| {
                    matches!(edge.value, EdgeValue::Number(_)) == cell.number.is_some()
                };
                for field in [fields.first, fields.last] {
                    let is_none = super::load(tile.record, field) == 0;
                    if !is_none && !tile.edge(field).is_some_and(is_alike) {
                        return Err(Error::Malformed("edges of tiles"));
                    }
                }
            }
            for summary in plan.summaries() {
                let place = places.get(summary.tile_field + 1).copied().unwrap_or_default();
                let is_number = plan.cells().get(summary.cell).is_some_and(|c| c.number.is_some());
                let mut state = SummaryState::new(summary.kind);
                let is_valid = match tile.blob(place) {
                    Some(blob) => state.merge_bytes(blob).is_some() && state.is_of(is_number),
                    None => super::load(tile.record, place) == 0,
                };
                if !is_valid {
                    return Err(Error::Malformed("summaries of tiles"));
                }
            }
        }
        Ok(())
    }
}
