//! The fixed parts of a snapshot file, in both directions.
//!
//! ```text
//! header     0 magic 8 "LARDRSNP" | 8 format u16 1 | 10 reserved 6 | 16 cluster u128 | 32 number u64 | 40 salt u64
//!           48 block bytes u32 | 52 reserved u32 | 56 checksum u64: CRC-64/NVME of bytes 0..56, seed 0
//! sections   each at a multiple of 64, the rest up to the next multiple is zeros; here the body ends
//! checksums  u64 a block of the body: CRC-64/NVME of its bytes, seed salt + number of the block
//! directory  32 bytes a section, in their order: kind u32 | shard u32 | group u32 | reserved u32 | offset u64 | length u64
//! footer     0 magic 8 "LARDREND" | 8 number u64 | 16 salt u64 | 24 body bytes u64 | 32 sections u64
//!           40 checksum u64: CRC-64/NVME of checksums, directory and bytes 0..40 of the footer, seed salt
//! ```

use stdx::{
    checksum::crc64,
    cursor::{OutOfBytes, Reader, Writer},
};

use super::SectionTag;

/// Version of the format that is written.
pub(super) const FORMAT: u16 = 1;
/// Bytes that are verified together. A first read of any byte costs the checksum of so many; and so much of a file is given up
/// for one damaged bit.
pub(super) const BLOCK_BYTES: usize = 64 << 10;
/// Sections start at multiples of a cache line.
pub(super) const ALIGNMENT: usize = 64;
/// Bytes of the header, where the first section starts.
pub(super) const HEADER_BYTES: usize = 64;
/// Bytes of one block's checksum.
pub(super) const CHECKSUM_BYTES: usize = 8;
/// Bytes of one section in the directory.
pub(super) const ENTRY_BYTES: usize = 32;
/// Bytes of the footer, at the very end of the file.
pub(super) const FOOTER_BYTES: usize = 48;

const MAGIC: &[u8; 8] = b"LARDRSNP";
const END_MAGIC: &[u8; 8] = b"LARDREND";
/// Where the checksum of the header stands, and where that of the footer does: they cover what is before.
const HEADER_CHECKSUM_AT: usize = 56;
const FOOTER_CHECKSUM_AT: usize = 40;

const _: () = assert!(
    HEADER_CHECKSUM_AT + CHECKSUM_BYTES == HEADER_BYTES
        && FOOTER_CHECKSUM_AT + CHECKSUM_BYTES == FOOTER_BYTES
        && HEADER_BYTES.is_multiple_of(ALIGNMENT)
        && BLOCK_BYTES.is_multiple_of(ALIGNMENT)
);

/// What a file says of itself at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: u16,
    pub(super) cluster: u128,
    pub(super) number: u64,
    pub(super) salt: u64,
    pub(super) block_bytes: u32,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        let mut out = Writer::new(&mut bytes);
        out.bytes(MAGIC).u16(self.format).bytes(&[0; 6]).u128(self.cluster);
        out.u64(self.number).u64(self.salt).u32(self.block_bytes).u32(0);
        let checksum = crc64(0, &[&bytes]);
        Writer::new(&mut bytes).u64(checksum);
        bytes
    }

    /// The header at the start of `file`; `None` when there is no undamaged one.
    pub(super) fn decode(file: &[u8]) -> Option<Self> {
        let covered = file.get(..HEADER_CHECKSUM_AT)?;
        let mut input = Reader::new(file.get(..HEADER_BYTES)?);
        let (magic, header, checksum) = Self::fields(&mut input).ok()?;
        (&magic == MAGIC && checksum == crc64(0, &[covered])).then_some(header)
    }

    fn fields(input: &mut Reader<'_>) -> Result<([u8; 8], Self, u64), OutOfBytes> {
        let (magic, format, _reserved) = (input.array::<8>()?, input.u16()?, input.bytes(6)?);
        let (cluster, number, salt) = (input.u128()?, input.u64()?, input.u64()?);
        let (block_bytes, _reserved) = (input.u32()?, input.u32()?);
        Ok((magic, Self { format, cluster, number, salt, block_bytes }, input.u64()?))
    }
}

/// A section in the directory; offset from the start of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) tag: SectionTag,
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Entry {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let SectionTag { kind, shard, group } = self.tag;
        Writer::new(out).u32(kind).u32(shard).u32(group).u32(0).u64(self.offset).u64(self.length);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self, OutOfBytes> {
        let tag = SectionTag { kind: input.u32()?, shard: input.u32()?, group: input.u32()? };
        let _reserved = input.u32()?;
        Ok(Self { tag, offset: input.u64()?, length: input.u64()? })
    }
}

/// What a file says of itself at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) number: u64,
    pub(super) salt: u64,
    pub(super) body_bytes: u64,
    pub(super) sections: u64,
}

impl Footer {
    /// Appends the footer to `tables`: checksums and directory. Returns its checksum.
    pub(super) fn seal(&self, tables: &mut Vec<u8>) -> u64 {
        let mut out = Writer::new(tables);
        out.bytes(END_MAGIC)
            .u64(self.number)
            .u64(self.salt)
            .u64(self.body_bytes)
            .u64(self.sections);
        let checksum = crc64(self.salt, &[tables]);
        Writer::new(tables).u64(checksum);
        checksum
    }

    /// The footer at the end of `file`, with the checksum it gives; `None` when none stands there.
    pub(super) fn decode(file: &[u8]) -> Option<(Self, u64)> {
        let start = file.len().checked_sub(FOOTER_BYTES)?;
        let mut input = Reader::new(file.get(start..)?);
        let (magic, footer, checksum) = Self::fields(&mut input).ok()?;
        (&magic == END_MAGIC).then_some((footer, checksum))
    }

    fn fields(input: &mut Reader<'_>) -> Result<([u8; 8], Self, u64), OutOfBytes> {
        let (magic, number, salt) = (input.array::<8>()?, input.u64()?, input.u64()?);
        let (body_bytes, sections) = (input.u64()?, input.u64()?);
        Ok((magic, Self { number, salt, body_bytes, sections }, input.u64()?))
    }

    /// The checksum that a file whose tables and footer are `tail` must give.
    pub(super) fn checksum(salt: u64, tail: &[u8]) -> u64 {
        let covered = tail.len().saturating_sub(CHECKSUM_BYTES);
        crc64(salt, &[tail.get(..covered).unwrap_or_default()])
    }
}

/// The checksum of block `number`: at another place, or in another file, the same bytes have another one.
pub(super) fn block_checksum(salt: u64, number: usize, block: &[u8]) -> u64 {
    crc64(salt.wrapping_add(number as u64), &[block])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { format: 1, cluster: 2, number: 3, salt: 4, block_bytes: 5 };
    const FOOTER: Footer = Footer { number: 3, salt: 4, body_bytes: 5, sections: 6 };

    #[test]
    fn headers_come_back_and_damage_is_noticed() {
        let bytes = HEADER.encode();
        assert_eq!((bytes.len(), Header::decode(&bytes)), (HEADER_BYTES, Some(HEADER)));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&damaged), None, "bit {bit}");
        }
        assert_eq!(Header::decode(&bytes[..HEADER_BYTES - 1]), None);
    }

    #[test]
    fn a_footer_comes_back_from_the_end_with_a_checksum_of_all_before() {
        let mut tail = b"tables".to_vec();
        let checksum = FOOTER.seal(&mut tail);
        assert_eq!(tail.len(), 6 + FOOTER_BYTES);
        assert_eq!(Footer::decode(&tail), Some((FOOTER, checksum)));
        assert_eq!(Footer::checksum(FOOTER.salt, &tail), checksum);
        tail[0] ^= 1;
        assert_ne!(Footer::checksum(FOOTER.salt, &tail), checksum);
        assert_eq!(Footer::decode(&tail[10..]), None);
    }

    #[test]
    fn entries_come_back() {
        let tag = SectionTag { kind: 1, shard: 2, group: 3 };
        let (entry, mut bytes) = (Entry { tag, offset: 4, length: 5 }, Vec::new());
        entry.encode(&mut bytes);
        assert_eq!(bytes.len(), ENTRY_BYTES);
        assert_eq!(Entry::decode(&mut Reader::new(&bytes)), Ok(entry));
    }

    #[test]
    fn a_block_has_another_checksum_elsewhere() {
        let sums =
            [block_checksum(1, 0, b"x"), block_checksum(1, 1, b"x"), block_checksum(7, 0, b"x")];
        assert!(sums[0] != sums[1] && sums[0] != sums[2] && sums[1] != sums[2]);
    }
}
