//! An entity's window state as bytes: snapshots and transfers.
//!
//! ```text
//! version   u8, 1
//! raw       u32 length, the raw event log as it is
//! levels    u8: 0, or the number of levels, then for each
//!   tiles     i64 base | u32 length, width of each field | u32 length, records | u32 length, edges
//!   distinct  for each cell that counts distinct values: u32 length, newest | u32 length, sliding
//! ```
//!
//! Little-endian. The state is that of one definition: whoever stores it stores which.

use stdx::cursor::{OutOfBytes, Reader, Writer};

use super::{EntityWindows, LevelState, Levels};
use crate::{
    Error,
    distinct::Distinct,
    plan::{ColumnSelection, WindowPlan},
    raw::Records,
    tile::TileTable,
};

const VERSION: u8 = 1;

impl From<OutOfBytes> for Error {
    fn from(_: OutOfBytes) -> Self {
        Self::Malformed("it ends too early")
    }
}

impl EntityWindows {
    /// Appends the state to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut out = Writer::new(out);
        out.u8(VERSION).block(&self.raw);
        let levels = self.levels.as_ref().map_or(&[][..], |levels| &levels.0);
        // At most two.
        out.u8(u8::try_from(levels.len()).unwrap_or(u8::MAX));
        for level in levels {
            let (base, widths, records, heap) = level.tiles.parts();
            out.i64(base).block(widths).block(records).block(heap);
            for state in &level.distinct {
                out.block(&state.newest).block(&state.sliding);
            }
        }
    }

    /// Reads a state written by [`EntityWindows::encode`] under the same definition, and checks all of it.
    ///
    /// # Errors
    /// [`Error::Malformed`] says what is wrong.
    pub fn decode(plan: &WindowPlan, bytes: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(bytes);
        if input.u8()? != VERSION {
            return Err(Error::Malformed("an unknown version"));
        }
        let raw = input.block()?.to_vec();
        let mut records = Records::new(plan, &raw);
        let mut values = Vec::new();
        while records.next(&mut values).is_some() {}
        if !records.is_at_end() {
            return Err(Error::Malformed("a raw event"));
        }
        let count = usize::from(input.u8()?);
        if count != 0 && count != plan.levels().len() {
            return Err(Error::Malformed("number of levels"));
        }
        let levels =
            (0..count).map(|_| decode_level(plan, &mut input)).collect::<Result<Vec<_>, _>>()?;
        if !input.is_empty() {
            return Err(Error::Malformed("bytes after the last level"));
        }
        Ok(Self { raw, levels: (count > 0).then(|| Box::new(Levels(levels))) })
    }

    /// A hash of the values of all columns at `x`: equal for equal sets of events, whatever their layout.
    #[must_use]
    pub fn digest(&self, plan: &WindowPlan, x: i64) -> u64 {
        let columns: Vec<_> = (0..plan.column_count()).collect();
        let selection: ColumnSelection = plan.select(&columns);
        let mut shown = Vec::new();
        let mut scratch = super::ReadScratch::default();
        self.read(plan, &selection, super::ReadAt::Exact { x }, &mut scratch, &mut |_, value| {
            let mut out = Writer::new(&mut shown);
            match value {
                Ok(Some(value)) => model::packed::write_value(out.u8(1), value),
                Ok(None) => drop(out.u8(0)),
                Err(_) => drop(out.u8(2)),
            }
        });
        stdx::checksum::crc64(0, &[&shown])
    }
}

fn decode_level(plan: &WindowPlan, input: &mut Reader<'_>) -> Result<LevelState, Error> {
    let base = input.i64()?;
    let tiles =
        TileTable::from_parts(plan, base, (input.block()?, input.block()?, input.block()?))?;
    let mut distinct = Vec::with_capacity(plan.distinct_cells());
    for _ in 0..plan.distinct_cells() {
        let state = Distinct::from_packed(input.block()?, input.block()?);
        distinct.push(state.ok_or(Error::Malformed("distinct tokens"))?);
    }
    Ok(LevelState { tiles, distinct })
}
