//! One checksum for every byte that reaches a disk: CRC-64/NVME.
//!
//! 64 bits, because a 32-bit sum accepts one random sector in 4·10^9 and crash tests aim at more images than that.

use crc_fast::{CrcAlgorithm, Digest};

/// Checksum of `parts`, in order, seeded with `salt`. Parts may be split anywhere without changing the result.
#[must_use]
pub fn crc64(salt: u64, parts: &[&[u8]]) -> u64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(&salt.to_le_bytes());
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

/// The plain sum of bytes that come in pieces: no salt, so that any tool that knows CRC-64/NVME finds the same.
#[derive(Debug)]
pub struct Crc64(Digest);

impl Default for Crc64 {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Nvme))
    }
}

impl Crc64 {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum of all that was added.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting_the_input_does_not_change_the_sum() {
        assert_eq!(crc64(7, &[b"hello ", b"world"]), crc64(7, &[b"hello world"]));
    }

    #[test]
    fn the_salt_and_every_bit_matter() {
        let reference = crc64(1, &[b"hello"]);
        assert_ne!(reference, crc64(2, &[b"hello"]));
        for bit in 0..40 {
            let mut bytes = *b"hello";
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(reference, crc64(1, &[&bytes]), "bit {bit}");
        }
    }

    #[test]
    fn bytes_in_pieces_have_the_plain_sum() {
        let mut sum = Crc64::default();
        sum.update(b"12345");
        sum.update(b"6789");
        assert_eq!(sum.value(), 0xae8b_1486_0a79_9888);
    }

    /// The polynomial is part of the disk format: this value may never change.
    #[test]
    fn the_check_value_is_pinned() {
        let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
        digest.update(b"123456789");
        assert_eq!(digest.finalize(), 0xae8b_1486_0a79_9888);
    }
}
