//! A batch: what one flush writes. Records are never split between batches, batches never between segments.
//!
//! ```text
//!  0  magic           u32   "LBAT"
//!  4  length          u32   of the whole batch, this header included
//!  8  checksum        u64   CRC-64/NVME of bytes 16.., seeded with the segment's salt
//! 16  first_lsn       u64   of its first record; a seal: of the record to come
//! 24  count           u32   records; 0 is a seal
//! 28  reserved        u32   0
//! 32  durable_before  u64   newest record whose sync had returned when this batch was built
//! 40  previous        u64   checksum of the batch before, or of the segment's header
//! 48  records               count × (length u32 of the payload, kind u8, payload)
//! ```

use stdx::{
    checksum::crc64,
    cursor::{Reader, Writer},
    mutant::{Mutant, is_planted},
};

use crate::Lsn;

/// "LBAT", little-endian.
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"LBAT");
/// Bytes before the records.
pub(crate) const HEADER_BYTES: usize = 48;
/// Bytes before the checksummed part.
const UNCHECKED_BYTES: usize = 16;

/// Bytes of a record before its payload.
const RECORD_HEAD_BYTES: usize = 5;

/// A valid batch in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batch<'a> {
    pub(crate) checksum: u64,
    pub(crate) first_lsn: u64,
    pub(crate) count: u32,
    pub(crate) durable_before: u64,
    pub(crate) previous: u64,
    /// Bytes of the whole batch.
    pub(crate) bytes: usize,
    records: &'a [u8],
}

/// What a new batch says besides its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) salt: u64,
    pub(crate) first_lsn: u64,
    pub(crate) count: u32,
    pub(crate) durable_before: u64,
    pub(crate) previous: u64,
}

/// Appends a record to the records of a batch.
pub(crate) fn push_record(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    // The log refuses records above its limit, which is far below 4 GiB.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    Writer::new(out).u32(length).u8(kind).bytes(payload);
}

/// The bytes of a batch and its checksum.
pub(crate) fn encode(head: &Head, records: &[u8]) -> (Vec<u8>, u64) {
    let length = u32::try_from(HEADER_BYTES + records.len()).unwrap_or(u32::MAX);
    let mut checked = Vec::with_capacity(HEADER_BYTES - UNCHECKED_BYTES);
    let mut out = Writer::new(&mut checked);
    out.u64(head.first_lsn).u32(head.count).u32(0).u64(head.durable_before).u64(head.previous);
    let checksum = crc64(head.salt, &[&checked, records]);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + records.len());
    Writer::new(&mut bytes).u32(MAGIC).u32(length).u64(checksum).bytes(&checked).bytes(records);
    (bytes, checksum)
}

/// The batch at the start of `bytes`, when a whole and undamaged one stands there. Records are counted from 1.
pub(crate) fn decode(salt: u64, bytes: &[u8]) -> Option<Batch<'_>> {
    let mut input = Reader::new(bytes);
    if input.u32().ok()? != MAGIC {
        return None;
    }
    let length = input.u32().ok()? as usize;
    let checksum = input.u64().ok()?;
    let checked = bytes.get(UNCHECKED_BYTES..length)?;
    let intact = is_planted(Mutant::NoBatchChecksum) || crc64(salt, &[checked]) == checksum;
    if length < HEADER_BYTES || !intact {
        return None;
    }
    let (first_lsn, count) = (input.u64().ok()?, input.u32().ok()?);
    let _reserved = input.u32().ok()?;
    let (durable_before, previous) = (input.u64().ok()?, input.u64().ok()?);
    let records = bytes.get(HEADER_BYTES..length)?;
    let batch =
        Batch { checksum, first_lsn, count, durable_before, previous, bytes: length, records };
    ((1..=Lsn::MAX.0).contains(&first_lsn) && batch.is_filled()).then_some(batch)
}

impl<'a> Batch<'a> {
    /// Number of the record to come after it.
    pub(crate) fn next_lsn(&self) -> u64 {
        self.first_lsn.saturating_add(u64::from(self.count))
    }

    /// Number of its last record; of a seal, of the record before it.
    pub(crate) fn last_lsn(&self) -> u64 {
        self.next_lsn().saturating_sub(1)
    }

    /// Its records are as many as it says, and nothing stands behind them: else numbers would be given to records that are not there.
    fn is_filled(&self) -> bool {
        let (mut records, mut bytes) = (0, 0);
        for (_, payload) in self.records() {
            records += 1;
            bytes += RECORD_HEAD_BYTES + payload.len();
        }
        (records, bytes) == (self.count, self.records.len())
    }

    /// Kind and payload of each record.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut input = Reader::new(self.records);
        (0..self.count).map_while(move |_| {
            let length = input.u32().ok()?;
            Some((input.u8().ok()?, input.bytes(length as usize).ok()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { salt: 9, first_lsn: 5, count: 2, durable_before: 4, previous: 7 };

    fn example() -> Vec<u8> {
        let mut records = Vec::new();
        push_record(&mut records, 1, b"one");
        push_record(&mut records, 2, b"");
        encode(&HEAD, &records).0
    }

    #[test]
    fn a_batch_comes_back_as_it_was_written() {
        let bytes = example();
        let batch = decode(9, &bytes).expect("valid");
        assert_eq!((batch.first_lsn, batch.last_lsn(), batch.durable_before), (5, 6, 4));
        assert_eq!(batch.records().collect::<Vec<_>>(), [(1, &b"one"[..]), (2, b"")]);
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let bytes = example();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(9, &damaged), None, "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert_eq!(decode(9, &bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode(8, &bytes), None, "another segment's salt");
    }

    /// Found by fuzzing: a batch that says it has 2^24 records, and holds none, moved the log there.
    #[test]
    fn a_batch_with_other_records_than_it_says_is_none() {
        let mut records = Vec::new();
        push_record(&mut records, 1, b"one");
        for (count, records) in
            [(2, &records[..]), (0, &records), (1, &[]), (1, &[&records[..], &[0]].concat())]
        {
            assert_eq!(decode(9, &encode(&Head { count, ..HEAD }, records).0), None, "{count}");
        }
        // One of record 0 had whoever walks over damage find it again and again.
        for first_lsn in [0, u64::MAX] {
            let head = Head { first_lsn, count: 1, ..HEAD };
            assert_eq!(decode(9, &encode(&head, &records).0), None, "{first_lsn}");
        }
    }
}
