//! Bounds-checked little-endian reading and writing: every codec of the product is built on these two.
//!
//! A read that would pass the end is an [`OutOfBytes`] with the offset, what was needed and what was left; nothing is
//! allocated before a length was checked against the bytes that are really there.

use std::fmt;

/// A read passed the end of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfBytes {
    /// Where the read began, in bytes from the start of the input.
    pub offset: usize,
    /// How many bytes it needed.
    pub needed: usize,
    /// How many were left.
    pub left: usize,
}

impl fmt::Display for OutOfBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {} bytes needed, {} left", self.offset, self.needed, self.left)
    }
}

impl std::error::Error for OutOfBytes {}

/// Reads from a byte slice, front to back.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    whole: usize,
    rest: &'a [u8],
}

macro_rules! read_number {
    ($($name:ident: $type:ty),*) => {$(
        /// Reads one little-endian number.
        ///
        /// # Errors
        /// [`OutOfBytes`] at the end of the input.
        #[inline]
        pub fn $name(&mut self) -> Result<$type, OutOfBytes> {
            self.array().map(<$type>::from_le_bytes)
        }
    )*};
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { whole: bytes.len(), rest: bytes }
    }

    /// Bytes read so far.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.whole - self.rest.len()
    }

    /// Bytes left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// True at the end.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes, in place.
    ///
    /// # Errors
    /// [`OutOfBytes`] when fewer are left.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], OutOfBytes> {
        match self.rest.split_at_checked(count) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(OutOfBytes { offset: self.offset(), needed: count, left: self.rest.len() }),
        }
    }

    /// The next `N` bytes by value.
    ///
    /// # Errors
    /// [`OutOfBytes`] when fewer are left.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], OutOfBytes> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(*head)
            }
            None => Err(OutOfBytes { offset: self.offset(), needed: N, left: self.rest.len() }),
        }
    }

    /// A block written by [`Writer::block`]: u32 length, then that many bytes, in place.
    ///
    /// # Errors
    /// [`OutOfBytes`] when length or bytes are missing.
    #[inline]
    pub fn block(&mut self) -> Result<&'a [u8], OutOfBytes> {
        let length = self.u32()?;
        self.bytes(length as usize)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    read_number!(u8: u8, u16: u16, u32: u32, u64: u64, i32: i32, i64: i64, u128: u128, i128: i128, f32: f32, f64: f64);
}

/// Appends little-endian numbers and blocks to a growing buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

macro_rules! write_number {
    ($($name:ident: $type:ty),*) => {$(
        /// Appends one little-endian number.
        #[inline]
        pub fn $name(&mut self, value: $type) -> &mut Self {
            self.out.extend_from_slice(&value.to_le_bytes());
            self
        }
    )*};
}

impl<'a> Writer<'a> {
    /// A writer at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Bytes in the buffer, those that stood there before included.
    #[must_use]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Appends `bytes` as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Appends a u32 length and `bytes`.
    ///
    /// # Panics
    /// When `bytes` is longer than 4 GiB: every caller has a far lower limit.
    #[inline]
    pub fn block(&mut self, bytes: &[u8]) -> &mut Self {
        let Ok(length) = u32::try_from(bytes.len()) else {
            panic!("a block of {} bytes passes 4 GiB", bytes.len())
        };
        self.u32(length).bytes(bytes)
    }

    /// Overwrites four bytes at `position`, which must already be written: lengths and counts known only afterwards.
    ///
    /// # Panics
    /// When `position` was never written.
    pub fn patch_u32(&mut self, position: usize, value: u32) -> &mut Self {
        let slot = self
            .out
            .get_mut(position..position + 4)
            .expect("a patched position was written before");
        slot.copy_from_slice(&value.to_le_bytes());
        self
    }

    write_number!(u8: u8, u16: u16, u32: u32, u64: u64, i32: i32, i64: i64, u128: u128, i128: i128, f32: f32, f64: f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).u8(1).i64(-2).block(b"abc").f64(0.5);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.i64(), Ok(-2));
        assert_eq!(reader.block(), Ok(&b"abc"[..]));
        assert_eq!(reader.f64(), Ok(0.5));
        assert!(reader.is_empty());
    }

    #[test]
    fn a_read_past_the_end_says_where_and_how_much() {
        let mut reader = Reader::new(&[5, 0, 0, 0, 1]);
        assert_eq!(reader.block(), Err(OutOfBytes { offset: 4, needed: 5, left: 1 }));
    }
}
