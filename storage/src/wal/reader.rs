//! Recovery: reads segments in order and tells a torn tail from damage.
//!
//! ```text
//! batch ok ─► batch ok ─► bad bytes ─┬─ nothing valid follows ─────────────────────► torn tail: cut here
//!                                    ├─ a valid batch follows that was built when
//!                                    │  records after the good ones were synced ───► corruption: refuse
//!                                    ├─ valid batches follow, none built so late ──► torn tail (written out of order)
//!                                    └─ another segment follows ───────────────────► corruption: the old one was synced
//! ```

use std::ops::ControlFlow;

use super::{
    batch::{self, Batch},
    segment::{self, BATCHES_AT, Header},
};
use crate::{Error, Lsn};

/// Gets every record in order.
pub(crate) type Replay<'a> = dyn FnMut(Lsn, u8, &[u8]) -> Result<(), Box<str>> + 'a;

/// How far the log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Newest record read.
    pub(crate) last_lsn: u64,
    /// Checksum of the batch (or segment header) before what comes next.
    pub(crate) previous: u64,
}

/// What one segment holds.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) header: Header,
    /// End of the last valid batch, in bytes.
    pub(crate) end: u64,
    /// True when bytes after `end` are not zero: a torn tail.
    pub(crate) torn: bool,
}

/// Reads the segment `file`, whose bytes are `bytes`, after what `position` says, and moves `position`.
///
/// `Ok(None)` when it is a segment that was being made: without a header and without batches.
///
/// # Errors
/// [`Error::Corrupt`], [`Error::UnsupportedFormat`], [`Error::Replay`].
pub(crate) fn scan(
    file: &str,
    bytes: &[u8],
    is_last: bool,
    position: &mut Position,
    replay: &mut Replay<'_>,
) -> Result<Option<Scan>, Error> {
    let corrupt = |offset: usize, position: &Position, last_lsn: u64, why: &str| Error::Corrupt {
        file: file.to_owned(),
        offset: offset as u64,
        first_lsn: position.last_lsn + 1,
        last_lsn,
        why: why.to_owned(),
    };
    let Some(header) = Header::decode(file, bytes)? else {
        let body = bytes.get(BATCHES_AT..).unwrap_or_default();
        if is_last && body.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let why = "the segment's header is damaged";
        return Err(corrupt(0, position, position.last_lsn + 1, why));
    };
    if (header.first_lsn, header.previous) != (position.last_lsn + 1, position.previous) {
        let why = "the segment does not continue the one before";
        return Err(corrupt(0, position, header.first_lsn.saturating_sub(1), why));
    }
    position.previous = header.checksum();
    let mut at = BATCHES_AT;
    while let ControlFlow::Continue(next) = step(&header, bytes, at, position, replay)? {
        at = next;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let torn = rest.iter().any(|byte| *byte != 0);
    if torn {
        if let Some(last_lsn) = acknowledged_after(&header, rest, position.last_lsn) {
            let why = "a damaged batch is followed by one written after it had been synced";
            return Err(corrupt(at, position, last_lsn, why));
        }
        if !is_last {
            let why = "a damaged batch is followed by another segment";
            return Err(corrupt(at, position, position.last_lsn + 1, why));
        }
    }
    Ok(Some(Scan { header, end: at as u64, torn }))
}

/// Replays the batch at `at`, if a valid one that continues the log stands there; breaks otherwise.
fn step(
    header: &Header,
    bytes: &[u8],
    at: usize,
    position: &mut Position,
    replay: &mut Replay<'_>,
) -> Result<ControlFlow<(), usize>, Error> {
    let found = batch::decode(header.salt, bytes.get(at..).unwrap_or_default());
    let continues = |batch: &Batch<'_>| {
        (batch.first_lsn, batch.previous) == (position.last_lsn + 1, position.previous)
    };
    let Some(batch) = found.filter(continues) else { return Ok(ControlFlow::Break(())) };
    for (lsn, (kind, payload)) in (batch.first_lsn..).zip(batch.records()) {
        replay(Lsn(lsn), kind, payload).map_err(|why| Error::Replay { lsn, why: why.into() })?;
    }
    *position = Position { last_lsn: batch.last_lsn(), previous: batch.checksum };
    Ok(ControlFlow::Continue(at + batch.bytes))
}

/// The newest record after `last_good` that a later batch knows to have been synced, if any.
fn acknowledged_after(header: &Header, rest: &[u8], last_good: u64) -> Option<u64> {
    let magic = batch::MAGIC.to_le_bytes();
    let starts = rest.windows(magic.len()).enumerate().filter(|(_, window)| *window == magic);
    let batches = starts.filter_map(|(at, _)| batch::decode(header.salt, rest.get(at..)?));
    batches.map(|batch| batch.durable_before).filter(|durable| *durable > last_good).max()
}

/// Names of the segments in `names`, first to last.
pub(crate) fn segments(names: Vec<String>) -> Vec<String> {
    let mut segments: Vec<_> =
        names.into_iter().filter_map(|name| Some((segment::first_lsn(&name)?, name))).collect();
    segments.sort();
    segments.into_iter().map(|(_, name)| name).collect()
}
