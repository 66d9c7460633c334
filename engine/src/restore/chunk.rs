//! Records of the log, copied so that they can be looked at while the log is read on. Done together, in parallel.

use std::ops::Range;

use storage::Lsn;

/// Records that a chunk has at most: small ones take more memory decoded than their bytes.
const RECORDS_MAX: usize = 32 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    records: Vec<Place>,
}

/// A record in the bytes of its chunk: it begins where the one before ends.
#[derive(Debug)]
struct Place {
    lsn: Lsn,
    kind: u8,
    end: usize,
}

/// A record of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) lsn: Lsn,
    pub(super) kind: u8,
    pub(super) payload: &'a [u8],
}

impl Chunk {
    /// Adds a record.
    pub(super) fn push(&mut self, lsn: Lsn, kind: u8, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        self.records.push(Place { lsn, kind, end: self.bytes.len() });
    }

    /// True with `bytes` of records, or very many of them.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        self.bytes.len() >= bytes || self.records.len() >= RECORDS_MAX
    }

    /// True without a record.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records in `parts` ranges of about as many bytes each; some may be empty.
    pub(super) fn ranges(&self, parts: usize) -> Vec<Range<usize>> {
        let share = self.bytes.len() / parts.max(1) + 1;
        let first_of =
            |part: usize| self.records.partition_point(|place| place.end <= part * share);
        let mut start = 0;
        let ends = (1..parts).map(first_of).chain([self.records.len()]);
        ends.map(|end| std::mem::replace(&mut start, end)..end).collect()
    }

    /// The records of one of the ranges, in log order.
    pub(super) fn records(&self, range: Range<usize>) -> impl Iterator<Item = Record<'_>> {
        let place = |index: usize| self.records.get(index).map_or(0, |place| place.end);
        let mut start = range.start.checked_sub(1).map_or(0, place);
        let places = self.records.get(range).unwrap_or_default().iter();
        places.map(move |Place { lsn, kind, end }| {
            let payload = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            Record { lsn: *lsn, kind: *kind, payload }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_one_range_and_as_it_was() {
        let mut chunk = Chunk::default();
        let payload = |lsn: u8| vec![lsn; usize::from(lsn) % 7 * 10];
        (1..=100).for_each(|lsn| chunk.push(Lsn(lsn.into()), lsn % 3, &payload(lsn)));
        for parts in [1, 2, 3, 16, 200] {
            let ranges = chunk.ranges(parts);
            assert_eq!(ranges.len(), parts);
            let mut expected = 1..=100;
            for record in ranges.into_iter().flat_map(|range| chunk.records(range)) {
                let lsn = expected.next().expect("no more than were added");
                assert_eq!((record.lsn, record.kind), (Lsn(lsn.into()), lsn % 3));
                assert_eq!(record.payload, payload(lsn));
            }
            assert_eq!(expected.next(), None, "{parts} parts");
        }
    }
}
