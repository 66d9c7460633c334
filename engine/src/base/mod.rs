//! The base of a table: what the snapshot holds of it, served straight from the mapped file.
//!
//! ```text
//! lookup   memory ── not there ──► base: index ─► ordinal ─ hidden? ─► record: key, payload
//! write    memory ── not there ──► base: the entity is promoted to memory, hidden in the base
//! delete   from memory, or hidden in the base
//! ```
//!
//! A file holds what was true at its fence and never changes; a bit for each entity says which are true no longer. `section`
//! is the layout and how it is read, `records` what a table hands to its writer, `writer` lays a section out, `fence` keeps what
//! changes while a table is written.

mod fence;
mod ordinals;
mod records;
mod section;
mod verify;
mod writer;

pub(crate) use fence::TableFence;
pub(crate) use ordinals::Ordinals;
pub(crate) use records::Records;
pub(crate) use section::BaseSection;
pub(crate) use verify::{entities, verify};
pub(crate) use writer::{BaseWriter, GoOn};

use storage::snapshot::Section;

/// An entity as a snapshot has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// Canonical entity key.
    pub(crate) key: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// A mapped table, less what memory has instead.
#[derive(Debug)]
pub(crate) struct Base {
    section: BaseSection,
    /// Entities that are no longer true.
    hidden: Ordinals,
    live: usize,
}

impl Base {
    /// The table of `section` is about to be opened: the disk may begin to bring what that reads.
    pub(crate) fn will_open(section: &Section) {
        BaseSection::will_open(section);
    }

    /// The table of `section`.
    ///
    /// # Errors
    /// [`storage::Error::Damaged`] when it is none.
    pub(crate) fn open(section: Section) -> Result<Self, storage::Error> {
        let section = BaseSection::open(section)?;
        let live = section.entities() as usize;
        Ok(Self { section, hidden: Ordinals::default(), live })
    }

    /// Columns of the group when the snapshot was taken; of window groups, entities with tiles.
    pub(crate) fn extra(&self) -> u32 {
        self.section.extra()
    }

    /// Bytes of the states that have tiles.
    pub(crate) fn tile_bytes(&self) -> usize {
        usize::try_from(self.section.tile_bytes()).unwrap_or(usize::MAX)
    }

    /// Where it lies: for whoever reads without locking the table.
    pub(crate) fn section(&self) -> &BaseSection {
        &self.section
    }

    /// Ordinals in `range` that are still true; the file is not looked at.
    pub(crate) fn live_in(&self, range: std::ops::Range<u32>) -> impl Iterator<Item = u32> {
        range.filter(|ordinal| !self.is_hidden(*ordinal))
    }

    /// Ordinals are below this number.
    pub(crate) fn end(&self) -> u32 {
        self.section.entities()
    }

    /// Entities that are still true.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Bytes of memory; the mapped file is none of it.
    pub(crate) fn bytes(&self) -> usize {
        self.hidden.bytes()
    }

    /// The ordinal of `key`, whose hash is `hash`, when it is still true.
    ///
    /// # Errors
    /// [`storage::Error::Damaged`].
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Result<Option<u32>, storage::Error> {
        if self.live == 0 {
            return Ok(None);
        }
        Ok(self.section.find(hash, key)?.filter(|ordinal| !self.is_hidden(*ordinal)))
    }

    /// `count` entities from `ordinal` on are about to be read, one after the other: the disk may begin to bring them.
    pub(crate) fn will_read(&self, ordinal: u32, count: usize) {
        self.section.will_read(ordinal, count);
    }

    /// Key and payload of an entity that is still true.
    ///
    /// # Errors
    /// [`storage::Error::Damaged`].
    pub(crate) fn get(&self, ordinal: u32) -> Result<Option<Record<'_>>, storage::Error> {
        if self.is_hidden(ordinal) || ordinal >= self.end() {
            return Ok(None);
        }
        self.section.record(ordinal).map(Some)
    }

    /// The error of what cannot be right in it.
    pub(crate) fn damaged(&self, why: &str) -> storage::Error {
        self.section.damaged(why)
    }

    /// The error of an entity that cannot be right.
    pub(crate) fn damaged_at(&self, ordinal: u32, why: &str) -> storage::Error {
        self.section.damaged_at(ordinal, why)
    }

    /// The entity is no longer true.
    pub(crate) fn hide(&mut self, ordinal: u32) {
        if ordinal < self.end() && self.hidden.insert(ordinal) {
            self.live -= 1;
        }
    }

    /// The same entities as `section` of a newer snapshot has them, in which those of `carried` come first. Nothing when none are
    /// left that memory does not have.
    ///
    /// # Errors
    /// [`storage::Error::Damaged`].
    pub(crate) fn succeed(
        &self,
        section: Section,
        carried: &Ordinals,
    ) -> Result<Option<Self>, storage::Error> {
        let mut next = Self::open(section)?;
        let mut end = 0;
        for (ordinal, before) in (0..).zip(carried.iter()) {
            if self.is_hidden(before) {
                next.hide(ordinal);
            }
            end = ordinal + 1;
        }
        (end..next.end()).for_each(|ordinal| next.hide(ordinal));
        Ok((next.live > 0).then_some(next))
    }

    fn is_hidden(&self, ordinal: u32) -> bool {
        self.hidden.contains(ordinal)
    }
}
