//! The manifest: which files of the directory count. One small file, replaced as a whole.
//!
//! ```text
//!  0  magic             8 bytes "LARDRMAN"
//!  8  format            u16     1
//! 10  reserved          6 bytes 0
//! 16  cluster           u128    names the database, as every segment and snapshot does
//! 32  number            u64     1, 2, 3, …: grows with every manifest of the directory
//! 40  key_seed          u64     seed of the hash that places keys; a snapshot's indexes depend on it
//! 48  snapshot          u64     its number; 0: there is none
//! 56  snapshot bytes    u64     length of its file
//! 64  snapshot checksum u64     of its footer, to which everything in it is chained
//! 72  replay_from       u64     first LSN that the snapshot does not hold for every shard; 1 without one
//! 80  durable           u64     newest LSN known to be on the disk when this was written
//! 88  count             u32     segments
//! 92  reserved          u32     0
//! 96  segments                  count × (first LSN u64, bytes u64 that its file has at least), ascending
//!     checksum          u64     CRC-64/NVME of all before, seed 0
//! ```

use stdx::{
    checksum::crc64,
    cursor::{OutOfBytes, Reader, Writer},
};

use crate::{Error, Lsn, Remedy, snapshot::SnapshotRef};

const MAGIC: &[u8; 8] = b"LARDRMAN";
/// Version of the format that is written.
const FORMAT: u16 = 1;
/// Bytes before the segments.
const HEAD_BYTES: usize = 96;
/// Bytes of one segment's entry.
const ENTRY_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 8;

/// A segment as the manifest lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedSegment {
    /// The first record it is for: its name.
    pub first_lsn: u64,
    /// Its file is at least so long, in bytes: a shorter one was cut by somebody else.
    pub bytes_min: u64,
}

/// Which files of a directory count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Names the database.
    pub cluster: u128,
    /// Grows with every manifest of the directory; 0 before the first was written.
    pub number: u64,
    /// Seed of the hash that places keys.
    pub key_seed: u64,
    /// The snapshot that counts.
    pub snapshot: Option<SnapshotRef>,
    /// First record that the snapshot does not hold for every shard.
    pub replay_from: Lsn,
    /// Newest record known to be on the disk when this was written: a log that ends before it has lost some.
    pub durable: Lsn,
    /// The log, first to last.
    pub segments: Vec<ListedSegment>,
}

impl Manifest {
    /// The manifest of a database without a file.
    pub(crate) fn new(cluster: u128, key_seed: u64) -> Self {
        let (number, snapshot, replay_from) = (0, None, Lsn(1));
        let (durable, segments) = (Lsn(0), Vec::new());
        Self { cluster, number, key_seed, snapshot, replay_from, durable, segments }
    }

    /// Its bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let none = SnapshotRef { number: 0, bytes: 0, checksum: 0 };
        let snapshot = self.snapshot.as_ref().unwrap_or(&none);
        // A log of more segments than 32 bits count cannot be: each has a file.
        let count = u32::try_from(self.segments.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::new();
        let mut out = Writer::new(&mut bytes);
        out.bytes(MAGIC).u16(FORMAT).bytes(&[0; 6]).u128(self.cluster);
        out.u64(self.number).u64(self.key_seed);
        out.u64(snapshot.number).u64(snapshot.bytes).u64(snapshot.checksum);
        out.u64(self.replay_from.0).u64(self.durable.0).u32(count).u32(0);
        for segment in &self.segments {
            out.u64(segment.first_lsn).u64(segment.bytes_min);
        }
        let checksum = crc64(0, &[&bytes]);
        Writer::new(&mut bytes).u64(checksum);
        bytes
    }

    /// The manifest in `bytes`, which are all of `file`.
    ///
    /// # Errors
    /// [`Error::UnsupportedFormat`] for an undamaged one of a newer release, [`Error::Damaged`].
    pub(crate) fn decode(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        let damaged = |offset: usize, why: &str| Error::Damaged {
            file: file.to_owned(),
            offset: offset as u64,
            why: why.to_owned(),
            remedy: Remedy::Manifest,
        };
        let body = bytes.len().saturating_sub(CHECKSUM_BYTES);
        let (body, sum) = bytes.split_at(body);
        if body.len() < HEAD_BYTES {
            return Err(damaged(bytes.len(), "the manifest is cut off"));
        }
        if sum != crc64(0, &[body]).to_le_bytes() {
            return Err(damaged(0, "the manifest's checksum does not fit its bytes"));
        }
        let mut input = Reader::new(body);
        let (magic, format) = head(&mut input).map_err(|end| damaged(end.offset, "cut off"))?;
        if &magic != MAGIC {
            return Err(damaged(0, "the file is no manifest"));
        }
        if format > FORMAT {
            let (file, found) = (file.to_owned(), format);
            return Err(Error::UnsupportedFormat { file, found, supported: FORMAT });
        }
        let manifest = Self::fields(&mut input);
        let manifest = manifest.map_err(|end| damaged(end.offset, "a field is cut off"))?;
        if !input.is_empty() {
            return Err(damaged(input.offset(), "something stands behind the last segment"));
        }
        manifest.contradiction().map_or(Ok(manifest), |why| Err(damaged(HEAD_BYTES, why)))
    }

    /// What follows magic, format and reserved bytes.
    fn fields(input: &mut Reader<'_>) -> Result<Self, OutOfBytes> {
        let (cluster, number, key_seed) = (input.u128()?, input.u64()?, input.u64()?);
        let snapshot =
            SnapshotRef { number: input.u64()?, bytes: input.u64()?, checksum: input.u64()? };
        let (replay_from, durable) = (Lsn(input.u64()?), Lsn(input.u64()?));
        let (count, _reserved) = (input.u32()?, input.u32()?);
        // Nothing is allocated for a count that the bytes do not bear out.
        let possible = input.left() / ENTRY_BYTES;
        let mut segments = Vec::with_capacity(possible.min(count as usize));
        for _ in 0..count {
            segments.push(ListedSegment { first_lsn: input.u64()?, bytes_min: input.u64()? });
        }
        let snapshot = (snapshot.number > 0).then_some(snapshot);
        Ok(Self { cluster, number, key_seed, snapshot, replay_from, durable, segments })
    }

    /// What in it cannot be: a writer was defective.
    fn contradiction(&self) -> Option<&'static str> {
        let snapshot = self.snapshot.map_or(0, |snapshot| snapshot.number);
        let counts = [self.number, snapshot, self.replay_from.0, self.durable.0];
        let firsts = self.segments.iter().map(|segment| segment.first_lsn);
        if counts.into_iter().chain(firsts).any(|number| number > Lsn::MAX.0) {
            return Some("a number in it is higher than any that is given");
        }
        let ascending = self.segments.is_sorted_by(|a, b| a.first_lsn < b.first_lsn);
        if !ascending {
            return Some("its segments are not in ascending order");
        }
        let first = self.segments.first().map_or(1, |segment| segment.first_lsn);
        if first == 0 || first > self.replay_from.0 {
            return Some("records between its snapshot and its first segment are missing");
        }
        (self.snapshot.is_none() && self.replay_from != Lsn(1))
            .then_some("it begins in the middle of the log without a snapshot")
    }
}

/// Magic and format.
fn head(input: &mut Reader<'_>) -> Result<([u8; 8], u16), OutOfBytes> {
    let magic_and_format = (input.array::<8>()?, input.u16()?);
    input.bytes(6)?;
    Ok(magic_and_format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        Manifest {
            cluster: 3,
            number: 4,
            key_seed: 5,
            snapshot: Some(SnapshotRef { number: 6, bytes: 7, checksum: 8 }),
            replay_from: Lsn(120),
            durable: Lsn(130),
            segments: vec![
                ListedSegment { first_lsn: 100, bytes_min: 8192 },
                ListedSegment { first_lsn: 200, bytes_min: 8192 },
            ],
        }
    }

    fn refused(manifest: &Manifest) -> String {
        Manifest::decode("MANIFEST", &manifest.encode()).expect_err("refused").to_string()
    }

    #[test]
    fn a_manifest_comes_back_as_it_was_written() {
        for manifest in [example(), Manifest::new(1, 2)] {
            assert_eq!(Manifest::decode("MANIFEST", &manifest.encode()).expect("valid"), manifest);
        }
    }

    #[test]
    fn every_flipped_bit_every_truncation_and_every_addition_is_noticed() {
        let bytes = example().encode();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let error = Manifest::decode("MANIFEST", &damaged).expect_err("refused");
            assert!(matches!(error, Error::Damaged { .. }), "bit {bit}: {error}");
        }
        for end in 0..bytes.len() {
            assert!(Manifest::decode("MANIFEST", &bytes[..end]).is_err(), "cut at {end}");
        }
        for more in 1..40 {
            let mut longer = bytes.clone();
            longer.resize(bytes.len() + more, 0);
            assert!(Manifest::decode("MANIFEST", &longer).is_err(), "{more} zeros behind it");
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let mut bytes = example().encode();
        let body = bytes.len() - CHECKSUM_BYTES;
        bytes[8] = 2;
        let checksum = crc64(0, &[&bytes[..body]]);
        bytes[body..].copy_from_slice(&checksum.to_le_bytes());
        let error = Manifest::decode("MANIFEST", &bytes).expect_err("newer").to_string();
        assert!(error.contains("MANIFEST has format 2, this release knows up to 1"), "{error}");
    }

    #[test]
    fn what_cannot_be_is_refused_although_the_checksum_fits() {
        let mut swapped = example();
        swapped.segments.swap(0, 1);
        assert!(refused(&swapped).contains("ascending"));
        let gap = Manifest { replay_from: Lsn(99), ..example() };
        assert!(refused(&gap).contains("missing"));
        let endless = Manifest { number: u64::MAX, ..example() };
        assert!(refused(&endless).contains("higher than any"));
        let headless = Manifest { snapshot: None, ..example() };
        assert!(refused(&headless).contains("without a snapshot"));
    }
}
