//! A segment: one file of the log.
//!
//! ```text
//!    0  magic       8 bytes "LARDRWAL"
//!    8  format      u16     1
//!   10  reserved    6 bytes 0
//!   16  cluster     u128    names the database: a segment of another one is not taken for ours
//!   32  salt        u64     random: seeds the checksums of this segment's batches
//!   40  first_lsn   u64     of the first record to come
//!   48  previous    u64     checksum of the last batch of the segment before; 0 in the first
//!   56  checksum    u64     CRC-64/NVME of bytes 0..56
//! 4096  batches, then zeros to the end of the space reserved
//! ```
//!
//! The header is synced, and the directory too, before the first batch is written: a segment with a batch has a whole header.

use stdx::{
    checksum::crc64,
    cursor::{Reader, Writer},
};

use crate::Error;

const MAGIC: &[u8; 8] = b"LARDRWAL";
/// Version of the format that is written.
pub(crate) const FORMAT: u16 = 1;
/// Bytes of the header that mean something.
const HEADER_BYTES: usize = 64;
const CHECKSUM_AT: usize = 56;
/// Where batches begin: the header has a page of its own, so that no batch shares a sector with it.
pub(crate) const BATCHES_AT: usize = 4096;

/// The first byte between the header and the batches of a segment that is not zero.
pub(crate) fn written_padding(segment: &[u8]) -> Option<u64> {
    let padding = segment.get(HEADER_BYTES..BATCHES_AT.min(segment.len()))?;
    let at = padding.iter().position(|byte| *byte != 0)?;
    Some((HEADER_BYTES + at) as u64)
}

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) cluster: u128,
    pub(crate) salt: u64,
    pub(crate) first_lsn: u64,
    pub(crate) previous: u64,
}

impl Header {
    /// The header's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        let mut out = Writer::new(&mut bytes);
        out.bytes(MAGIC).u16(FORMAT).bytes(&[0; 6]).u128(self.cluster);
        out.u64(self.salt).u64(self.first_lsn).u64(self.previous);
        let checksum = crc64(0, &[&bytes]);
        Writer::new(&mut bytes).u64(checksum);
        bytes
    }

    /// The checksum that the first batch of the segment names as its previous.
    pub(crate) fn checksum(&self) -> u64 {
        let bytes = self.encode();
        crc64(0, &[bytes.get(..CHECKSUM_AT).unwrap_or_default()])
    }

    /// The header at the start of `bytes`; `None` when it is damaged or was never written.
    ///
    /// # Errors
    /// [`Error::UnsupportedFormat`] for an undamaged header of a newer format.
    pub(crate) fn decode(file: &str, bytes: &[u8]) -> Result<Option<Self>, Error> {
        let Some(header) = bytes.get(..HEADER_BYTES) else { return Ok(None) };
        let fields = || -> Result<_, stdx::cursor::OutOfBytes> {
            let mut input = Reader::new(header);
            let (magic, format) = (input.array::<8>()?, input.u16()?);
            input.bytes(6)?;
            let cluster = input.u128()?;
            let (salt, first_lsn, previous) = (input.u64()?, input.u64()?, input.u64()?);
            Ok((magic, format, Self { cluster, salt, first_lsn, previous }, input.u64()?))
        };
        let Ok((magic, format, fields, checksum)) = fields() else { return Ok(None) };
        let sum = crc64(0, &[header.get(..CHECKSUM_AT).unwrap_or_default()]);
        if &magic != MAGIC || sum != checksum {
            return Ok(None);
        }
        if format > FORMAT {
            return Err(Error::UnsupportedFormat {
                file: file.to_owned(),
                found: format,
                supported: FORMAT,
            });
        }
        Ok(Some(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { cluster: 3, salt: 4, first_lsn: 5, previous: 6 };

    #[test]
    fn headers_round_trip_and_damage_is_noticed() {
        let bytes = HEADER.encode();
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(Header::decode("f", &bytes).expect("known format"), Some(HEADER));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Header::decode("f", &damaged), Ok(None)), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let mut bytes = HEADER.encode();
        bytes[8] = 2;
        let checksum = crc64(0, &[&bytes[..CHECKSUM_AT]]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        let error = Header::decode("wal-1", &bytes).expect_err("newer");
        assert!(
            error.to_string().contains("wal-1 has format 2, this release knows up to 1"),
            "{error}"
        );
    }
}
