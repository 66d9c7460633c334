//! Recovery: reads segments in order and tells a torn tail from damage.
//!
//! ```text
//! batch ok ─► batch ok ─► bad bytes ─┬─ nothing valid follows ─────────────────────► torn tail: cut here
//!                                    ├─ a valid batch follows that was built when
//!                                    │  records after the good ones were synced ───► corruption: refuse
//!                                    ├─ a valid batch follows that continues right
//!                                    │  after the good ones: between was a seal ────► corruption: seals are synced
//!                                    ├─ other valid batches follow ────────────────► torn tail (written out of order)
//!                                    └─ another segment follows ───────────────────► corruption: the old one was synced
//! ```

use std::ops::ControlFlow;

use super::{
    batch::{self, Batch},
    extent::Extent,
    segment::{BATCHES_AT, Header},
    walk::Verdict,
};
use crate::{Error, Lsn, fs::VFile};

/// What is wrong with a log whose end is gone.
pub(crate) const LOST_END: &str =
    "the log ends here, but MANIFEST says that more of it was on the disk";

/// Gets every record in order.
pub(crate) type Replay<'a> = dyn FnMut(Lsn, u8, &[u8]) -> Result<(), Box<str>> + 'a;

/// Is asked after the last record, before anything is changed.
pub(crate) type AllRead<'a> = dyn FnMut() -> Result<(), Box<str>> + 'a;

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
    /// Behind `end`, up to the last byte that is not zero: a torn tail.
    pub(crate) torn: u64,
    /// From here to `end` nothing proves that the bytes are on the disk and not just in the system's memory: no later batch
    /// says that they had been synced.
    pub(crate) unproven_from: u64,
}

/// One segment to read.
#[derive(Clone, Copy)]
pub(crate) struct Segment<'a> {
    /// For messages.
    pub(crate) path: &'a str,
    /// First record by its name.
    pub(crate) first_lsn: u64,
    /// First record of the segment after it, by that one's name.
    pub(crate) next_first_lsn: Option<u64>,
    /// Names the database.
    pub(crate) cluster: u128,
    /// It is the first of the directory: what it continues is gone.
    pub(crate) is_first: bool,
    /// Bytes that its file has at least.
    pub(crate) bytes_min: u64,
    pub(crate) bytes: &'a [u8],
    /// How far from an offset on there are bytes other than zeros: the end of the last of them.
    pub(crate) data_end: &'a dyn Fn(usize) -> Result<usize, Error>,
}

impl Segment<'_> {
    /// Records after `position` cannot be read, at least up to `last_lsn`.
    fn corrupt(&self, offset: usize, position: &Position, last_lsn: u64, why: &str) -> Error {
        let first_lsn = position.last_lsn + 1;
        let last_lsn =
            last_lsn.max(self.next_first_lsn.unwrap_or(0).saturating_sub(1)).max(first_lsn);
        let (file, offset, why) = (self.path.to_owned(), offset as u64, why.to_owned());
        Error::Corrupt { file, offset, first_lsn, last_lsn, why }
    }

    pub(crate) fn after(&self, offset: usize) -> &[u8] {
        self.bytes.get(offset..).unwrap_or_default()
    }

    /// The header, when it is the one that must stand here after `position`.
    pub(crate) fn header(&self, position: &Position) -> Result<Header, Error> {
        let Some(header) = Header::decode(self.path, self.bytes)? else {
            let why = "the segment's header is damaged or missing";
            return Err(self.corrupt(0, position, 0, why));
        };
        if header.cluster != self.cluster {
            return Err(self.corrupt(16, position, 0, "the segment belongs to another database"));
        }
        if header.first_lsn != self.first_lsn {
            let why = "the segment has the name of another: it was renamed or copied";
            return Err(self.corrupt(0, position, 0, why));
        }
        // What came before the first one is in a snapshot, if anything did.
        let free = self.is_first && header.first_lsn > 1;
        let continues = header.first_lsn == position.last_lsn + 1
            && (free || header.previous == position.previous);
        if !continues {
            let why =
                "the segment does not continue the one before: that one is missing or was replaced";
            return Err(self.corrupt(0, position, header.first_lsn.saturating_sub(1), why));
        }
        Ok(header)
    }
}

/// Reads `segment` after what `position` says, moves `position`, and tells `extent` of each batch.
///
/// A segment gets its name when its header is on the disk: one without a header has lost it.
///
/// # Errors
/// [`Error::Corrupt`], [`Error::UnsupportedFormat`], [`Error::Replay`].
pub(crate) fn scan(
    segment: &Segment<'_>,
    position: &mut Position,
    extent: &Extent,
    replay: &mut Replay<'_>,
) -> Result<Scan, Error> {
    let header = segment.header(position)?;
    position.previous = header.checksum();
    let (mut at, mut unproven_from) = (BATCHES_AT, BATCHES_AT);
    while let ControlFlow::Continue(batch) = step(&header, segment.after(at), position, replay)? {
        if batch.durable_before.saturating_add(1) == batch.first_lsn {
            unproven_from = at;
        }
        at += batch.bytes;
        extent.wrote(batch.first_lsn, batch.next_lsn(), at as u64);
    }
    let torn = (segment.data_end)(at)?.saturating_sub(at);
    if let Some(damage) = damage(segment, &header, at, torn, position.last_lsn) {
        return Err(segment.corrupt(damage.offset, position, damage.last_lsn, &damage.why));
    }
    let (end, torn, unproven_from) = (at as u64, torn as u64, unproven_from as u64);
    Ok(Scan { header, end, torn, unproven_from })
}

/// Where the last byte of `bytes` ends that is not zero, `from` when there is none behind it. What `file` knows to be a hole is
/// not touched: most of a segment is space that was never written.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn data_end<F: VFile>(file: &F, bytes: &[u8], from: usize) -> Result<usize, Error> {
    let offset = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let (mut at, mut end) = (from as u64, from);
    while let Some(data) = file.data_from(at)? {
        let (first, last) = (offset(data.start).max(from), offset(data.end));
        end =
            last_data(bytes.get(first..last).unwrap_or_default()).map_or(end, |last| first + last);
        at = data.end;
    }
    Ok(end)
}

/// Where the last byte that is not zero ends.
fn last_data(bytes: &[u8]) -> Option<usize> {
    const CHUNK: usize = 4096;
    let is_data = |chunk: &&[u8]| chunk.iter().fold(0, |all, byte| all | byte) != 0;
    let (index, chunk) = bytes.chunks(CHUNK).enumerate().rev().find(|(_, chunk)| is_data(chunk))?;
    let last = chunk.iter().rposition(|byte| *byte != 0)?;
    Some(index * CHUNK + last + 1)
}

/// Replays the batch at the start of `bytes`, if a valid one that continues the log stands there; breaks otherwise.
fn step<'a>(
    header: &Header,
    bytes: &'a [u8],
    position: &mut Position,
    replay: &mut Replay<'_>,
) -> Result<ControlFlow<(), Batch<'a>>, Error> {
    let Some(batch) = next(header, bytes, position) else {
        return Ok(ControlFlow::Break(()));
    };
    for (lsn, (kind, payload)) in (batch.first_lsn..).zip(batch.records()) {
        replay(Lsn(lsn), kind, payload).map_err(|why| Error::Replay { lsn, why: why.into() })?;
    }
    *position = Position { last_lsn: batch.last_lsn(), previous: batch.checksum };
    Ok(ControlFlow::Continue(batch))
}

/// The batch at the start of `bytes`, if a valid one that continues the log stands there.
pub(crate) fn next<'a>(header: &Header, bytes: &'a [u8], position: &Position) -> Option<Batch<'a>> {
    let continues = |batch: &Batch<'_>| {
        (batch.first_lsn, batch.previous) == (position.last_lsn + 1, position.previous)
    };
    batch::decode(header.salt, bytes).filter(continues)
}

/// Why what stands behind the last good batch is more than an unfinished write.
struct Damage {
    offset: usize,
    /// Newest record known to be lost; 0 when none is known.
    last_lsn: u64,
    why: String,
}

/// Judges the `torn` bytes at `at`, behind the last good batch, and the length of the file.
fn damage(
    segment: &Segment<'_>,
    header: &Header,
    at: usize,
    torn: usize,
    last_good: u64,
) -> Option<Damage> {
    let rest = segment.bytes.get(at..at + torn).unwrap_or_default();
    if let Some((last_lsn, why)) = proof(header, rest, last_good) {
        return Some(Damage { offset: at, last_lsn, why: why.to_owned() });
    }
    if torn > 0 && segment.next_first_lsn.is_some() {
        let why = "a damaged batch is followed by another segment".to_owned();
        return Some(Damage { offset: at, last_lsn: 0, why });
    }
    let length = segment.bytes.len();
    ((length as u64) < segment.bytes_min).then(|| {
        let why = format!("the file was cut off: it had {} bytes at least", segment.bytes_min);
        Damage { offset: length, last_lsn: 0, why }
    })
}

/// The judgement of a segment whose good batches end at `at`.
pub(crate) fn judge(
    segment: &Segment<'_>,
    header: &Header,
    at: usize,
    torn: usize,
    last_good: u64,
) -> Verdict {
    match damage(segment, header, at, torn, last_good) {
        Some(Damage { offset, why, .. }) => Verdict::Corrupt { offset: offset as u64, why },
        None if torn > 0 => Verdict::TornTail { offset: at as u64, bytes: torn as u64 },
        None => Verdict::Clean,
    }
}

/// Every valid batch of this segment in `bytes`, wherever it stands, with its offset.
pub(crate) fn valid_batches<'a>(
    header: &Header,
    bytes: &'a [u8],
) -> impl Iterator<Item = (usize, Batch<'a>)> {
    let (magic, salt) = (batch::MAGIC.to_le_bytes(), header.salt);
    let starts = bytes.windows(magic.len()).enumerate().filter(move |(_, window)| *window == magic);
    starts.filter_map(move |(at, _)| Some((at, batch::decode(salt, bytes.get(at..)?)?)))
}

/// Whether the bad bytes at the start of `rest` had been synced: the newest record known to be lost, and how it is known.
pub(crate) fn proof(header: &Header, rest: &[u8], last_good: u64) -> Option<(u64, &'static str)> {
    let proof = |batch: Batch<'_>| {
        if batch.durable_before > last_good {
            let why = "a damaged batch is followed by one written after it had been synced";
            Some((batch.durable_before, why))
        } else if batch.count > 0 && batch.first_lsn == last_good + 1 {
            let why = "a damaged seal is followed by a batch, and seals are synced before that";
            Some((batch.last_lsn(), why))
        } else {
            None
        }
    };
    let batches = valid_batches(header, rest).map(|(_, batch)| batch);
    batches.filter_map(proof).max_by_key(|(last_lsn, _)| *last_lsn)
}
