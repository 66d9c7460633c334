//! One section of an open snapshot.

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;

use super::Snapshot;
use crate::Error;

/// A section, read in place. A clone costs two counters; each keeps the file mapped.
#[derive(Clone)]
pub struct Section {
    snapshot: Arc<Snapshot>,
    /// Offset in the file.
    start: usize,
    bytes: Bytes,
}

impl Section {
    pub(super) fn new(snapshot: Arc<Snapshot>, start: usize, bytes: Bytes) -> Self {
        Self { snapshot, start, bytes }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True without a byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes of `range`, counted from the section's start. Blocks of 64 KiB that it touches are verified at their first
    /// use; once all of the file are, this is a check of bounds and one relaxed load.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a touched block is, or when `range` is not in the section: what led there was damaged.
    #[inline]
    pub fn bytes(&self, range: Range<usize>) -> Result<&[u8], Error> {
        let Some(bytes) = self.bytes.get(range.clone()) else { return Err(self.outside(range)) };
        if !self.snapshot.all_good() {
            self.snapshot.verify_range(self.start + range.start..self.start + range.end)?;
        }
        Ok(bytes)
    }

    /// The bytes of `range` are about to be asked for: the disk may begin to bring them, nobody waits for it here.
    pub fn will_need(&self, range: Range<usize>) {
        let end = range.end.min(self.len());
        self.snapshot.will_need(self.start + range.start..self.start + end);
    }

    /// The error of a reader who finds sense missing at byte `offset` of the section although the checksums fit. It counts as
    /// damage of the snapshot.
    #[must_use]
    pub fn damaged(&self, offset: usize, why: &str) -> Error {
        self.snapshot.damaged(self.start as u64 + offset as u64, why)
    }

    #[cold]
    fn outside(&self, range: Range<usize>) -> Error {
        let (length, Range { start, end }) = (self.len(), range);
        self.damaged(
            0,
            &format!("bytes {start}..{end} of a section of {length} bytes are asked for"),
        )
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, bytes) = (self.start, self.len());
        f.debug_struct("Section")
            .field("start", &start)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}
