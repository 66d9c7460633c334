//! A snapshot that is read where it is mapped.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use super::{
    Progress, Section, SectionTag, SnapshotRef, blocks::Blocks, format::BLOCK_BYTES, layout::Layout,
};
use crate::{Error, Remedy, Vfs, dir, fs::VFile};

/// An open snapshot. Its file stays mapped as long as it or a [`Section`] of it lives, even if it is removed meanwhile.
#[derive(Debug)]
pub struct Snapshot {
    /// For messages.
    file: String,
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
        let map = vfs.open(&name)?.map()?;
        let layout = Layout::read(&file, &map, reference, cluster)?;
        let blocks = Blocks::new(layout.salt, layout.body);
        Ok(Arc::new(Self { file, map, layout, blocks }))
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
        let (body, checksums) = self.parts();
        let verified = self.blocks.verify_next(body, checksums, blocks);
        verified.map_err(|block| self.damaged_block(block))?;
        Ok(self.blocks.progress())
    }

    /// The first damage that anybody met: file, byte and what is wrong.
    #[must_use]
    pub fn damage(&self) -> Option<Arc<str>> {
        self.blocks.first_damage()
    }

    /// Every block was found good.
    #[inline]
    pub(super) fn all_good(&self) -> bool {
        self.blocks.all_good()
    }

    /// Verifies the blocks of `range`, bytes of the body, as far as they are not.
    pub(super) fn verify_range(&self, range: Range<usize>) -> Result<(), Error> {
        let (body, checksums) = self.parts();
        let verified = self.blocks.verify_range(body, checksums, range);
        verified.map_err(|block| self.damaged_block(block))
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

    /// The body, and the checksums of its blocks.
    fn parts(&self) -> (&[u8], &[u8]) {
        let body = self.map.get(..self.layout.body).unwrap_or_default();
        (body, self.map.get(self.layout.checksums.clone()).unwrap_or_default())
    }
}
