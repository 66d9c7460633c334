//! An entity's window state as bytes: snapshots and transfers.
//!
//! ```text
//! version   u8, 2
//! log       u32 length, the raw event log as it is
//! grown     u8: 0, or 1 with
//!   young   u32 count, then of each tile: i64 number | u32 length, its raw log
//!   levels  u8: the number of levels, then for each
//!     tiles     i64 base | u32 length, width of each field | u32 length, records | u32 length, blobs
//!     distinct  for each cell that counts distinct values: u32 length, its state
//! ```
//!
//! Little-endian. Sums of young tiles and blocks of tiles are not written: they are made of the rest. The state is that of one
//! definition: whoever stores it stores which.

use model::limits::EVENT_TIME_ABS_MAX;
use stdx::cursor::{OutOfBytes, Reader, Writer};

use super::{
    EntityView, EntityWindows, Grown,
    level::{Events, FoldScratch, LevelState},
    young::Young,
};
use crate::{
    Error,
    distinct::state::DistinctState,
    plan::{ColumnSelection, WindowPlan},
    raw::Records,
    tile::TileTable,
};

const VERSION: u8 = 2;

impl From<OutOfBytes> for Error {
    fn from(_: OutOfBytes) -> Self {
        Self::Malformed("it ends too early")
    }
}

impl EntityView<'_> {
    /// True when there is more than the log.
    #[must_use]
    pub fn has_tiles(self) -> bool {
        self.grown.is_some()
    }

    /// Appends the state to `out`.
    pub fn encode(self, out: &mut Vec<u8>) {
        let mut out = Writer::new(out);
        out.u8(VERSION).block(self.log);
        let Some(grown) = self.grown else {
            out.u8(0);
            return;
        };
        let logs = &grown.young.logs;
        out.u8(1).u32(u32::try_from(logs.len()).unwrap_or(u32::MAX));
        for (number, log) in logs {
            out.i64(*number).block(log);
        }
        // At most three.
        out.u8(u8::try_from(grown.levels.len()).unwrap_or(u8::MAX));
        for level in &grown.levels {
            let (base, widths, records, heap) = level.tiles.parts();
            out.i64(base).block(widths).block(records).block(heap);
            for state in &level.distinct {
                let mut bytes = Vec::new();
                state.write(&mut bytes);
                out.block(&bytes);
            }
        }
    }

    /// A hash of the values of all columns at `x`: equal for equal sets of events, whatever their layout.
    #[must_use]
    pub fn digest(self, plan: &WindowPlan, x: i64) -> u64 {
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

/// A state as [`EntityView::encode`] wrote it, of which only the log is looked at: it can be read where it lies.
#[derive(Debug, Clone, Copy)]
pub struct EncodedState<'a> {
    log: &'a [u8],
    has_tiles: bool,
}

impl<'a> EncodedState<'a> {
    /// Takes `bytes` for a state.
    ///
    /// # Errors
    /// [`Error::Malformed`] when they do not begin like one. The log is not looked into: its bytes must be those that were
    /// written.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(bytes);
        if input.u8()? != VERSION {
            return Err(Error::Malformed("an unknown version"));
        }
        let log = input.block()?;
        Ok(Self { log, has_tiles: input.u8()? != 0 })
    }

    /// The raw event log.
    #[must_use]
    pub fn log(self) -> &'a [u8] {
        self.log
    }

    /// True when there is more than the log: then [`EntityWindows::decode`] is needed.
    #[must_use]
    pub fn has_tiles(self) -> bool {
        self.has_tiles
    }
}

impl EntityWindows {
    /// See [`EntityView::encode`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.view().encode(out);
    }

    /// See [`EntityView::digest`].
    #[must_use]
    pub fn digest(&self, plan: &WindowPlan, x: i64) -> u64 {
        self.view().digest(plan, x)
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
        let log = input.block()?.to_vec();
        check_log(plan, &log)?;
        let grown = match input.u8()? {
            0 => None,
            1 => Some(Box::new(decode_grown(plan, &mut input)?)),
            _ => return Err(Error::Malformed("whether it has tiles")),
        };
        if !input.is_empty() {
            return Err(Error::Malformed("bytes after the last level"));
        }
        Ok(Self { log, grown })
    }
}

fn check_log(plan: &WindowPlan, log: &[u8]) -> Result<(), Error> {
    let mut records = Records::new(plan, log);
    let mut values = Vec::new();
    while let Some(record) = records.next(&mut values) {
        if record.time.unsigned_abs() > EVENT_TIME_ABS_MAX.unsigned_abs() {
            return Err(Error::Malformed("the time of a raw event"));
        }
    }
    if records.is_at_end() { Ok(()) } else { Err(Error::Malformed("a raw event")) }
}

fn decode_grown(plan: &WindowPlan, input: &mut Reader<'_>) -> Result<Grown, Error> {
    let mut scratch = FoldScratch::default();
    let mut young = Young::default();
    for _ in 0..input.u32()? {
        let number = input.i64()?;
        let log = input.block()?;
        check_log(plan, log)?;
        if log.is_empty() || young.logs.back().is_some_and(|(before, _)| *before >= number) {
            return Err(Error::Malformed("order of young tiles"));
        }
        let events = Events::of_log(plan, log);
        let tile = |time: i64| time.div_euclid(plan.young_hop_ms());
        if events.iter().any(|(record, _)| tile(record.time) != number) {
            return Err(Error::Malformed("a young event outside its tile"));
        }
        young.restore(plan, (number, log), &events, &mut scratch);
    }
    let count = usize::from(input.u8()?);
    if count != plan.levels().len() && count != 0 {
        return Err(Error::Malformed("number of levels"));
    }
    let mut levels =
        (0..count).map(|_| decode_level(plan, input)).collect::<Result<Vec<_>, _>>()?;
    for level in &mut levels {
        level.check_blocks(plan, &mut scratch);
    }
    Ok(Grown { levels, young })
}

fn decode_level(plan: &WindowPlan, input: &mut Reader<'_>) -> Result<LevelState, Error> {
    let base = input.i64()?;
    let tiles =
        TileTable::from_parts(plan, (base, input.block()?, input.block()?, input.block()?))?;
    let mut distinct = Vec::with_capacity(plan.distinct_cells());
    for cell in plan.cells().iter().filter(|cell| cell.distinct.is_some()) {
        let state = DistinctState::read(cell.precision, input.block()?);
        distinct.push(state.ok_or(Error::Malformed("distinct tokens"))?);
    }
    Ok(LevelState { tiles, blocks: TileTable::default(), distinct })
}
