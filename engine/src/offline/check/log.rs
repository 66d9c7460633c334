//! The log's part of a check: every batch, every record, and which records are lost to each gap.

use storage::{
    Lsn, TornTail, Vfs,
    inspect::{self, Found, SegmentFound},
    wal::{Piece, Verdict},
};

use super::{
    super::{
        problem::{self, Problem},
        record::RecordReader,
    },
    Report,
};
use crate::Error;

/// Bytes that are no batch.
#[derive(Debug)]
struct Gap {
    segment: String,
    offset: u64,
    bytes: u64,
    /// The record before.
    before: u64,
    /// The record behind, once it is known.
    behind: Option<u64>,
    /// Batches, seals and records of the segment behind it.
    rest: (u64, u64, u64),
}

/// Follows the log.
#[derive(Debug, Default)]
struct Follower {
    gaps: Vec<Gap>,
    /// The newest record so far.
    last: u64,
    /// The newest record that anything says was there.
    known: u64,
    first: Option<u64>,
    undecoded: Vec<(String, u64, String)>,
}

impl Follower {
    /// Record `lsn` comes next.
    fn next_is(&mut self, lsn: u64) {
        for gap in self.gaps.iter_mut().filter(|gap| gap.behind.is_none()) {
            gap.behind = Some(lsn);
        }
        self.last = lsn.saturating_sub(1);
        self.known = self.known.max(self.last);
    }

    fn see(&mut self, segment: &str, piece: Piece<'_>, reader: &mut RecordReader) {
        for gap in self.gaps.iter_mut().filter(|gap| gap.segment == segment) {
            match piece {
                Piece::Batch(batch) if batch.is_seal => gap.rest.1 += 1,
                Piece::Batch(_) => gap.rest.0 += 1,
                Piece::Record { .. } => gap.rest.2 += 1,
                Piece::Header(_) | Piece::Gap { .. } => {}
            }
        }
        match piece {
            Piece::Header(header) => self.next_is(header.first_lsn.0),
            Piece::Batch(batch) => {
                self.next_is(batch.first_lsn.0);
                self.known = self.known.max(batch.durable_before.0);
            }
            Piece::Record { lsn: Lsn(lsn), kind, payload } => {
                self.last = lsn;
                self.known = self.known.max(lsn);
                self.first.get_or_insert(lsn);
                if let Err(error) = reader.read(kind, payload) {
                    self.undecoded.push((segment.to_owned(), lsn, error.to_string()));
                }
            }
            Piece::Gap { offset, bytes } => {
                let (segment, before) = (segment.to_owned(), self.last);
                self.gaps.push(Gap {
                    segment,
                    offset,
                    bytes,
                    before,
                    behind: None,
                    rest: (0, 0, 0),
                });
            }
        }
    }
}

/// Reads the whole log into `report`.
///
/// # Errors
/// [`StorageError::Io`](crate::StorageError::Io).
pub(super) fn walk<V: Vfs>(
    vfs: &V,
    reader: &mut RecordReader,
    report: &mut Report,
) -> Result<Found, Error> {
    let mut follower = Follower::default();
    let mut see = |segment: &str, piece: Piece<'_>| follower.see(segment, piece, reader);
    let found = inspect::walk(vfs, &mut see)?;
    let durable = found.manifest.as_ref().map_or(0, |manifest| manifest.durable.0);
    follower.known = follower.known.max(durable);
    for error in &found.problems {
        report.problems.push(Problem::from_storage(error, &vfs.path("MANIFEST")));
    }
    report.segments = found.segments.len() as u64;
    for segment in &found.segments {
        report.batches += segment.walked.batches;
        report.seals += segment.walked.seals;
        report.records += segment.walked.records;
        report.judge(vfs, segment, &follower);
    }
    let torn = report.torn_tail.as_ref().map(|torn| torn.last_lsn.0);
    let last = torn.unwrap_or(follower.last).min(follower.last);
    let first = follower.first.filter(|first| *first <= last);
    report.range = first.map(|first| (Lsn(first), Lsn(last)));
    for (segment, lsn, why) in follower.undecoded.iter().filter(|(_, lsn, _)| *lsn <= last) {
        let what = format!("record {lsn} cannot be decoded: {why}");
        let remedy =
            "use the release that wrote it, or cut the log before it: larder repair --cut-at";
        let told = Problem::of(&vfs.path(segment), what, &format!("{remedy} {lsn}"));
        report.problems.push(Problem { records: Some((*lsn, *lsn)), ..told });
    }
    Ok(found)
}

impl Report {
    /// Tells what is wrong with a segment.
    fn judge<V: Vfs>(&mut self, vfs: &V, segment: &SegmentFound, follower: &Follower) {
        let file = vfs.path(&segment.name);
        if !segment.listed && segment.walked.records > 0 {
            let unlisted = crate::StorageError::Unlisted { file: file.clone() };
            self.problems.push(Problem::from_storage(&unlisted, &file));
        }
        if let Some(at) = segment.walked.written_padding {
            let what = "the space between header and batches is not all zeros";
            let told = Problem::of(&file, what, problem::NOTHING_LOST);
            self.problems.push(Problem { offset: Some(at), ..told });
        }
        let (offset, why) = match &segment.walked.verdict {
            Verdict::Clean => return,
            Verdict::TornTail { offset, bytes } => {
                let (offset, bytes, last_lsn) = (*offset, *bytes, segment.walked.last_lsn);
                // Whole batches behind an unfinished one go with it: they were not acknowledged either.
                let gaps = follower.gaps.iter().filter(|gap| gap.segment == segment.name);
                if let Some(gap) = gaps.min_by_key(|gap| gap.offset) {
                    self.batches -= gap.rest.0;
                    self.seals -= gap.rest.1;
                    self.records -= gap.rest.2;
                }
                self.torn_tail = Some(TornTail { file, offset, bytes, last_lsn });
                return;
            }
            Verdict::Corrupt { offset, why } => (*offset, why.clone()),
        };
        let gaps: Vec<_> = follower.gaps.iter().filter(|gap| gap.segment == segment.name).collect();
        if !gaps.iter().any(|gap| gap.offset == offset) {
            // The header, or the end of a file that was cut off.
            let first = segment.walked.last_lsn.0 + 1;
            let records = (follower.known >= first).then_some((first, follower.known));
            let told = Problem::of(&file, why.clone(), problem::CUT);
            self.problems.push(Problem { offset: Some(offset), records, ..told });
        }
        for gap in gaps {
            let last = gap.behind.map_or(follower.known, |behind| behind.saturating_sub(1));
            let records = (last > gap.before).then_some((gap.before + 1, last));
            let what = if gap.offset == offset {
                why.clone()
            } else {
                format!("{} bytes are no valid batch", gap.bytes)
            };
            let told = Problem::of(&file, what, problem::CUT);
            self.problems.push(Problem { offset: Some(gap.offset), records, ..told });
        }
    }
}
