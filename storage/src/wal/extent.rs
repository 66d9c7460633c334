//! How far each segment is written, for those who count the log's bytes or copy it while it goes on.

use stdx::sync::Mutex;

use super::segment::BATCHES_AT;
use crate::{Lsn, dir};

/// A mark is kept every so many bytes at most.
const MARK_BYTES: u64 = 16 << 10;

/// A segment of an open log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its name.
    pub name: String,
    /// The first record it is for.
    pub first_lsn: Lsn,
    /// Bytes from its start that are synced whole batches: they do not change any more.
    pub bytes: u64,
}

#[derive(Debug)]
struct Span {
    first_lsn: u64,
    written: u64,
    synced: u64,
    /// First record and offset of some batches, ascending.
    marks: Vec<(u64, u64)>,
}

impl Span {
    /// Bytes of batches, from the last mark at or before `lsn` on.
    fn bytes_since(&self, lsn: u64) -> u64 {
        let after = self.marks.partition_point(|(first_lsn, _)| *first_lsn <= lsn);
        let mark = after.checked_sub(1).and_then(|index| self.marks.get(index));
        self.written - mark.map_or(BATCHES_AT as u64, |(_, offset)| *offset)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Extent {
    spans: Mutex<Spans>,
}

#[derive(Debug, Default)]
struct Spans {
    list: Vec<Span>,
    /// The record to come.
    next_lsn: u64,
}

impl Extent {
    /// The log goes on in a new segment.
    pub(crate) fn begin(&self, first_lsn: u64) {
        let (written, synced) = (BATCHES_AT as u64, BATCHES_AT as u64);
        let mut spans = self.spans.lock();
        // The one before was synced before this one came to be, also when both are read at a start.
        if let Some(before) = spans.list.last_mut() {
            before.synced = before.written;
        }
        spans.list.push(Span { first_lsn, written, synced, marks: Vec::new() });
        spans.next_lsn = spans.next_lsn.max(first_lsn);
    }

    /// A batch of the records from `first_lsn` to before `next_lsn` stands in the newest segment, to before the byte `end`.
    pub(crate) fn wrote(&self, first_lsn: u64, next_lsn: u64, end: u64) {
        let mut spans = self.spans.lock();
        spans.next_lsn = next_lsn;
        let Some(span) = spans.list.last_mut() else { return };
        let start = std::mem::replace(&mut span.written, end);
        let due = span.marks.last().is_none_or(|(_, offset)| start >= offset + MARK_BYTES);
        if due {
            span.marks.push((first_lsn, start));
        }
    }

    /// What is written is synced.
    pub(crate) fn synced(&self) {
        if let Some(span) = self.spans.lock().list.last_mut() {
            span.synced = span.written;
        }
    }

    /// Segments before the one that begins with `first_lsn` are gone.
    pub(crate) fn forget_before(&self, first_lsn: u64) {
        self.spans.lock().list.retain(|span| span.first_lsn >= first_lsn);
    }

    /// Bytes of batches that hold the records from `lsn` on: too many by at most [`MARK_BYTES`] and one batch.
    pub(crate) fn bytes_since(&self, lsn: Lsn) -> u64 {
        let spans = self.spans.lock();
        if lsn.0 >= spans.next_lsn {
            return 0;
        }
        let ends = spans.list.iter().skip(1).map(|span| span.first_lsn).chain([u64::MAX]);
        let needed = spans.list.iter().zip(ends).filter(|(_, end)| *end > lsn.0);
        needed.map(|(span, _)| span.bytes_since(lsn.0)).sum()
    }

    /// The segments, first to last.
    pub(crate) fn files(&self) -> Vec<SegmentFile> {
        let file = |span: &Span| SegmentFile {
            name: dir::segment(span.first_lsn),
            first_lsn: Lsn(span.first_lsn),
            bytes: span.synced,
        };
        self.spans.lock().list.iter().map(file).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_since_a_record_are_those_of_the_batches_that_hold_what_follows() {
        let extent = Extent::default();
        extent.begin(1);
        // A hundred batches of 1,000 bytes with ten records each, then a segment with one batch.
        for batch in 0..100 {
            extent.wrote(1 + batch * 10, 11 + batch * 10, 4096 + (batch + 1) * 1000);
        }
        extent.begin(1001);
        extent.wrote(1001, 1011, 4096 + 1000);
        assert_eq!(extent.bytes_since(Lsn(1)), 101_000);
        assert_eq!(extent.bytes_since(Lsn(1011)), 0, "nothing is behind it");
        assert_eq!(extent.bytes_since(Lsn(1001)), 1000);
        for lsn in 1..=1000 {
            let exact = 1000 + (100 - (lsn - 1) / 10) * 1000;
            let more = extent.bytes_since(Lsn(lsn)) - exact;
            assert!(more <= MARK_BYTES + 1000, "record {lsn}: {more} bytes too many");
        }
        extent.forget_before(1001);
        assert_eq!(extent.bytes_since(Lsn(1)), 1000);
    }

    #[test]
    fn only_what_is_synced_can_be_copied() {
        let extent = Extent::default();
        extent.begin(1);
        extent.wrote(1, 2, 5000);
        let bytes = |extent: &Extent| extent.files().first().map(|file| file.bytes);
        assert_eq!(bytes(&extent), Some(4096));
        extent.synced();
        assert_eq!(bytes(&extent), Some(5000));
    }

    /// A copy of a log that was read at a start cut every segment but the last behind its header: what was not synced by this
    /// process did not count.
    #[test]
    fn a_segment_counts_whole_once_there_is_one_behind_it() {
        let extent = Extent::default();
        extent.begin(1);
        extent.wrote(1, 3, 5000);
        extent.begin(3);
        extent.synced();
        let bytes: Vec<_> = extent.files().iter().map(|file| file.bytes).collect();
        assert_eq!(bytes, [5000, 4096]);
    }
}
