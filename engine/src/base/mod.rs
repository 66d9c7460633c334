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
mod records;
mod section;
mod writer;

pub(crate) use fence::TableFence;
pub(crate) use records::Records;
pub(crate) use section::BaseSection;
pub(crate) use writer::BaseWriter;

use storage::snapshot::Section;

/// A mapped table, less what memory has instead.
#[derive(Debug)]
pub(crate) struct Base {
    section: BaseSection,
    /// A bit for each entity that is no longer true.
    hidden: Vec<u64>,
    live: usize,
}

impl Base {
    /// The table of `section`.
    ///
    /// # Errors
    /// [`storage::Error::Damaged`] when it is none.
    pub(crate) fn open(section: Section) -> Result<Self, storage::Error> {
        let section = BaseSection::open(section)?;
        let live = section.entities() as usize;
        Ok(Self { section, hidden: Vec::new(), live })
    }

    /// Columns of the group when the snapshot was taken; of window groups, entities with tiles.
    pub(crate) fn extra(&self) -> u32 {
        self.section.extra()
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
        self.hidden.capacity() * size_of::<u64>()
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

    /// Key and payload of an entity that is still true.
    ///
    /// # Errors
    /// [`storage::Error::Damaged`].
    pub(crate) fn get(&self, ordinal: u32) -> Result<Option<(&[u8], &[u8])>, storage::Error> {
        if self.is_hidden(ordinal) || ordinal >= self.end() {
            return Ok(None);
        }
        self.section.record(ordinal).map(Some)
    }

    /// True once every byte was found good: nothing of it can be damaged any more.
    pub(crate) fn is_verified(&self) -> bool {
        self.section.is_verified()
    }

    /// The error of what cannot be right in it.
    pub(crate) fn damaged(&self, why: &str) -> storage::Error {
        self.section.damaged(why)
    }

    /// The entity is no longer true.
    pub(crate) fn hide(&mut self, ordinal: u32) {
        let (word, bit) = place(ordinal);
        if self.hidden.len() <= word {
            self.hidden.resize((self.end() as usize).div_ceil(64).max(word + 1), 0);
        }
        if let Some(word) = self.hidden.get_mut(word)
            && *word & bit == 0
        {
            *word |= bit;
            self.live -= 1;
        }
    }

    fn is_hidden(&self, ordinal: u32) -> bool {
        let (word, bit) = place(ordinal);
        self.hidden.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// Word and bit of an ordinal.
fn place(ordinal: u32) -> (usize, u64) {
    (ordinal as usize / 64, 1 << (ordinal % 64))
}
