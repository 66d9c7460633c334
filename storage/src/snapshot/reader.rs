//! A snapshot that is read where it is mapped.

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;

use super::{
    Progress, Section, SectionTag, SnapshotRef,
    blocks::{Blocks, Source},
    format::{BLOCK_BYTES, CHECKSUM_BYTES},
    layout::Layout,
};
use crate::{Error, Remedy, Vfs, dir, fs::VFile};

/// Bytes for which there is a checksum of one byte in the file's tables.
const BYTES_OF_A_CHECKSUM: u64 = (BLOCK_BYTES / CHECKSUM_BYTES) as u64;
/// Bytes of directory and footer, unless there are more than 8,000 sections.
const TABLES_BYTES: u64 = 256 << 10;

/// An open snapshot. Its file stays mapped as long as it or a [`Section`] of it lives, even if it is removed meanwhile.
#[derive(Debug)]
pub struct Snapshot {
    number: u64,
    /// For messages.
    file: String,
    opened: Opened,
    map: Bytes,
    layout: Layout,
    blocks: Blocks,
}

impl Snapshot {
    /// Maps the snapshot `reference` of the database `cluster`. Checks header, footer, the checksums of the blocks and the
    /// directory, but no block: that costs time in proportion to an eight-thousandth of the file.
    ///
    /// # Errors
    /// [`Error::UnsupportedFormat`] when it is of a newer release; [`Error::Damaged`] when it is cut off, or longer than the
    /// manifest says, or not the file that the manifest means; [`Error::Io`] when it cannot be mapped.
    pub fn open<V: Vfs>(
        vfs: &V,
        reference: &SnapshotRef,
        cluster: u128,
    ) -> Result<Arc<Self>, Error> {
        let name = dir::snapshot(reference.number);
        let file = vfs.path(&name);
        let opened = vfs.open(&name)?;
        let map = opened.map_scattered()?;
        // Of the file as it is: what the manifest says of its length is not looked at yet.
        let bytes = map.len() as u64;
        let tables = bytes.saturating_sub(TABLES_BYTES + bytes / BYTES_OF_A_CHECKSUM);
        opened.will_need(0..BLOCK_BYTES as u64);
        opened.will_need(tables..bytes);
        let layout = Layout::read(&file, &map, reference, cluster)?;
        let blocks = Blocks::new(layout.salt, layout.body);
        let (number, opened) = (reference.number, Opened(Box::new(opened)));
        Ok(Arc::new(Self { number, file, opened, map, layout, blocks }))
    }

    /// Its number, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Tags and lengths in bytes of all sections, in the order they were written.
    #[must_use]
    pub fn sections(&self) -> &[(SectionTag, u64)] {
        &self.layout.sections
    }

    /// The section called `tag`.
    #[must_use]
    pub fn section(self: &Arc<Self>, tag: SectionTag) -> Option<Section> {
        let place = self.layout.places.get(&tag)?.clone();
        Some(Section::new(Arc::clone(self), place.start, self.map.slice(place)))
    }

    /// Blocks found good, and all there are.
    #[must_use]
    pub fn verified(&self) -> (usize, usize) {
        self.blocks.verified()
    }

    /// Verifies up to `blocks` blocks of 64 KiB that were not used yet, in the order of the file. Once as many are done as there
    /// are, [`Snapshot::damage`] says whether all were good.
    ///
    /// # Errors
    /// [`Error::Damaged`] names a damaged one; the next call goes on behind it.
    pub fn verify(&self, blocks: usize) -> Result<Progress, Error> {
        let verified = self.blocks.verify_next(self, blocks);
        verified.map_err(|block| self.damaged_block(block))?;
        Ok(self.blocks.progress())
    }

    /// The first damage that anybody met: file, byte and what is wrong.
    #[must_use]
    pub fn damage(&self) -> Option<Arc<str>> {
        self.blocks.first_damage()
    }

    /// Takes back that the block at byte `offset` of the file was found good, because somebody who looked at the file again found
    /// it damaged: from here on its bytes are given to nobody. False when no section lies there, so that nobody reads it again.
    pub fn revoke(&self, offset: u64, why: &str) -> bool {
        let place = usize::try_from(offset).ok().filter(|offset| *offset < self.layout.body);
        let is_there = place.is_some_and(|offset| self.blocks.revoke(offset / BLOCK_BYTES));
        if is_there {
            self.damaged(offset, why);
        }
        is_there
    }

    /// Every block was found good.
    #[inline]
    pub(super) fn all_good(&self) -> bool {
        self.blocks.all_good()
    }

    /// Verifies the blocks of `range`, bytes of the body, as far as they are not.
    pub(super) fn verify_range(&self, range: Range<usize>) -> Result<(), Error> {
        let verified = self.blocks.verify_range(self, range);
        verified.map_err(|block| self.damaged_block(block))
    }

    /// The disk begins to bring the blocks of `range`, bytes of the body.
    pub(super) fn will_need(&self, range: Range<usize>) {
        if !range.is_empty() {
            self.bring(range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES));
        }
    }

    /// The error for damage at byte `offset` of the file; remembered if it is the first.
    pub(super) fn damaged(&self, offset: u64, why: &str) -> Error {
        self.blocks.note_damage(|| format!("{} at byte {offset}: {why}", self.file));
        let (file, why, remedy) = (self.file.clone(), why.to_owned(), Remedy::Snapshot);
        Error::Damaged { file, offset, why, remedy }
    }

    #[cold]
    fn damaged_block(&self, block: usize) -> Error {
        let offset = block as u64 * BLOCK_BYTES as u64;
        self.damaged(offset, "the checksum of the block of 64 KiB there does not fit its bytes")
    }
}

impl Source for Snapshot {
    fn body(&self) -> &[u8] {
        self.map.get(..self.layout.body).unwrap_or_default()
    }

    fn checksums(&self) -> &[u8] {
        self.map.get(self.layout.checksums.clone()).unwrap_or_default()
    }

    fn bring(&self, blocks: Range<usize>) {
        let block_bytes = BLOCK_BYTES as u64;
        self.opened.0.will_need(blocks.start as u64 * block_bytes..blocks.end as u64 * block_bytes);
    }
}

/// The file itself, for advice on how it will be read.
struct Opened(Box<dyn VFile>);

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}
