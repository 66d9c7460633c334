//! Reads a segment to its end whatever is in it: damage is told and stepped over.
//!
//! Recovery (`reader`) stops at the first thing that is wrong; this one looks behind it, for people who want to know what is
//! left. Both judge by the same rules.

use super::{
    batch::Batch,
    reader::{self, Position, Segment},
    segment::{self, BATCHES_AT, Header},
};
use crate::{Error, Lsn};

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Names the database.
    pub cluster: u128,
    /// Seeds the checksums of its batches.
    pub salt: u64,
    /// The first record it is for.
    pub first_lsn: Lsn,
    /// Checksum of the last batch of the segment before.
    pub previous: u64,
}

/// A valid batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchInfo {
    /// Where it stands, in bytes from the start of the segment.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Its first record; of a seal, the record to come.
    pub first_lsn: Lsn,
    /// Its records.
    pub count: u32,
    /// Newest record that was synced when it was built.
    pub durable_before: Lsn,
    /// It holds no record: it says that what stands before it is synced.
    pub is_seal: bool,
}

/// One thing in a segment, in the order of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The segment's header.
    Header(SegmentHeader),
    /// A batch; its records follow.
    Batch(BatchInfo),
    /// A record.
    Record {
        /// Its number.
        lsn: Lsn,
        /// Its kind: the engine's.
        kind: u8,
        /// Its payload: the engine's.
        payload: &'a [u8],
    },
    /// Bytes that are no valid batch and no unwritten space.
    Gap {
        /// Where they begin, in bytes from the start of the segment.
        offset: u64,
        /// How many.
        bytes: u64,
    },
}

/// How a segment was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Whole.
    Clean,
    /// An unfinished write at the end of the log: never acknowledged, cut off by the next start.
    TornTail {
        /// Where it begins, in bytes.
        offset: u64,
        /// Up to its last byte that is not zero.
        bytes: u64,
    },
    /// What was acknowledged cannot be read: a start is refused.
    Corrupt {
        /// Where, in bytes.
        offset: u64,
        /// What is wrong.
        why: String,
    },
}

/// What a walk through a segment found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// Valid batches, seals not counted.
    pub batches: u64,
    /// Seals.
    pub seals: u64,
    /// Records in them.
    pub records: u64,
    /// End of the last batch before the first damage, in bytes.
    pub end: u64,
    /// Newest record before the first damage.
    pub last_lsn: Lsn,
    /// The judgement, by the first damage.
    pub verdict: Verdict,
    /// The first byte between header and batches that is not zero. Nothing is ever written there, and nothing reads it: a start
    /// goes well, but somebody else wrote into the file.
    pub written_padding: Option<u64>,
}

impl Walked {
    /// A last segment is damaged, too, when it ends before `durable`, which is known to have been on the disk.
    pub(crate) fn expect_up_to(&mut self, durable: Lsn) {
        if self.last_lsn < durable && !matches!(self.verdict, Verdict::Corrupt { .. }) {
            let (offset, why) = (self.end, reader::LOST_END.to_owned());
            self.verdict = Verdict::Corrupt { offset, why };
        }
    }
}

/// Shows every piece of `segment` to `visit`. `position` is where the log stood before it, when that is known, and is moved to
/// the end of what was read without a gap.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read.
pub(crate) fn walk(
    segment: &Segment<'_>,
    position: &mut Option<Position>,
    visit: &mut dyn FnMut(Piece<'_>),
) -> Result<Walked, Error> {
    let known = position.take();
    let unknown = Position { last_lsn: segment.first_lsn.saturating_sub(1), previous: 0 };
    let expected = known.unwrap_or(unknown);
    let segment = &Segment { is_first: known.is_none(), ..*segment };
    let corrupt = |offset: u64, why: String| Walked {
        verdict: Verdict::Corrupt { offset, why },
        end: 0,
        last_lsn: Lsn(expected.last_lsn),
        batches: 0,
        seals: 0,
        records: 0,
        written_padding: segment::written_padding(segment.bytes),
    };
    let header = match segment.header(&expected) {
        Ok(header) => header,
        Err(Error::Corrupt { offset, why, .. }) => {
            // What is in it can be shown all the same, as long as its salt is known.
            let found = Header::decode(segment.path, segment.bytes).ok().flatten();
            let Some(header) = found else { return Ok(corrupt(offset, why)) };
            let walked = batches(segment, &header, position, visit)?;
            return Ok(Walked { verdict: Verdict::Corrupt { offset, why }, ..walked });
        }
        Err(error @ Error::UnsupportedFormat { .. }) => return Ok(corrupt(0, error.to_string())),
        Err(error) => return Err(error),
    };
    batches(segment, &header, position, visit)
}

/// The segment behind its header.
fn batches(
    segment: &Segment<'_>,
    header: &Header,
    position: &mut Option<Position>,
    visit: &mut dyn FnMut(Piece<'_>),
) -> Result<Walked, Error> {
    let Header { cluster, salt, first_lsn, previous } = *header;
    visit(Piece::Header(SegmentHeader { cluster, salt, first_lsn: Lsn(first_lsn), previous }));
    let mut at = BATCHES_AT;
    let mut now = Position { last_lsn: first_lsn.saturating_sub(1), previous: header.checksum() };
    let mut walked = Walked {
        verdict: Verdict::Clean,
        end: at as u64,
        last_lsn: Lsn(now.last_lsn),
        batches: 0,
        seals: 0,
        records: 0,
        written_padding: segment::written_padding(segment.bytes),
    };
    loop {
        while let Some(batch) = reader::next(header, segment.after(at), &now) {
            show(at, &batch, &mut walked, visit);
            now = Position { last_lsn: batch.last_lsn(), previous: batch.checksum };
            at += batch.bytes;
        }
        let torn = (segment.data_end)(at)?.saturating_sub(at);
        if walked.verdict == Verdict::Clean {
            (walked.end, walked.last_lsn) = (at as u64, Lsn(now.last_lsn));
            walked.verdict = reader::judge(segment, header, at, torn, now.last_lsn);
            *position = (walked.verdict == Verdict::Clean).then_some(now);
        }
        let rest = segment.bytes.get(at..at + torn).unwrap_or_default();
        let Some((skipped, batch)) = reader::valid_batches(header, rest).next() else {
            if torn > 0 {
                visit(Piece::Gap { offset: at as u64, bytes: torn as u64 });
            }
            return Ok(walked);
        };
        if skipped > 0 {
            visit(Piece::Gap { offset: at as u64, bytes: skipped as u64 });
        }
        at += skipped;
        now = Position { last_lsn: batch.first_lsn.saturating_sub(1), previous: batch.previous };
    }
}

/// Shows a batch and its records.
fn show(at: usize, batch: &Batch<'_>, walked: &mut Walked, visit: &mut dyn FnMut(Piece<'_>)) {
    let is_seal = batch.count == 0;
    let batch_or_seal = if is_seal { &mut walked.seals } else { &mut walked.batches };
    *batch_or_seal += 1;
    visit(Piece::Batch(BatchInfo {
        offset: at as u64,
        bytes: batch.bytes as u64,
        first_lsn: Lsn(batch.first_lsn),
        count: batch.count,
        durable_before: Lsn(batch.durable_before),
        is_seal,
    }));
    for (lsn, (kind, payload)) in (batch.first_lsn..).zip(batch.records()) {
        walked.records += 1;
        visit(Piece::Record { lsn: Lsn(lsn), kind, payload });
    }
}

/// Where the log would have to be cut so that record `before` and all after it are gone: the end of the last batch that holds
/// none of them, and its last record. Batches behind damage do not count.
pub(crate) fn cut_before(segment: &Segment<'_>, header: &Header, before: Lsn) -> (u64, Lsn) {
    let mut at = BATCHES_AT;
    let mut now =
        Position { last_lsn: header.first_lsn.saturating_sub(1), previous: header.checksum() };
    let whole = |batch: &Batch<'_>| batch.last_lsn() < before.0;
    while let Some(batch) = reader::next(header, segment.after(at), &now).filter(whole) {
        now = Position { last_lsn: batch.last_lsn(), previous: batch.checksum };
        at += batch.bytes;
    }
    (at as u64, Lsn(now.last_lsn))
}
