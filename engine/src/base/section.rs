//! The layout of a table in a snapshot, and how it is read where it lies. Bytes: `docs/formats/snapshot.md`.
//!
//! ```text
//! records   one after the other: key length u16 | key | payload
//! offsets   (entities + 1) × u64: where each record starts; the last, where they end
//! index     places × u64: 0 free, else ordinal + 1 in the low half, highest half of the key's hash in the high one
//! trailer   entities u32 | extra u32 | places u64 | bytes of states with tiles u64
//! ```
//!
//! A key's first place is its hash modulo the places, the next ones follow. All offsets are from the start of the section.

use std::ops::Range;

use stdx::cursor::Reader;
use storage::{Error, snapshot::Section};

use super::Record;

/// Bytes of the trailer.
pub(super) const TRAILER_BYTES: usize = 24;
const WORD: usize = size_of::<u64>();

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct BaseSection {
    section: Section,
    entities: u32,
    extra: u32,
    tile_bytes: u64,
    places: usize,
    offsets_at: usize,
    index_at: usize,
}

impl BaseSection {
    /// `section` is about to be taken for a table: the disk may begin to bring what that reads.
    pub(super) fn will_open(section: &Section) {
        let length = section.len();
        section.will_need(length.saturating_sub(TRAILER_BYTES)..length);
    }

    /// Takes `section` for a table.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it cannot be one.
    pub(super) fn open(section: Section) -> Result<Self, Error> {
        let length = section.len();
        let odd = || section.damaged(0, "a table's parts do not fit into its section");
        let trailer_at = length.checked_sub(TRAILER_BYTES).ok_or_else(odd)?;
        let mut trailer = Reader::new(section.bytes(trailer_at..length)?);
        let fields = (|| Ok((trailer.u32()?, trailer.u32()?, trailer.u64()?, trailer.u64()?)))();
        let (entities, extra, places, tile_bytes) =
            fields.map_err(|_: stdx::cursor::OutOfBytes| odd())?;
        let places = usize::try_from(places).ok().filter(|places| places.is_power_of_two());
        let places = places.filter(|places| *places > entities as usize).ok_or_else(odd)?;
        let bytes = |words: usize| words.checked_mul(WORD);
        let index_at = bytes(places).and_then(|bytes| trailer_at.checked_sub(bytes));
        let index_at = index_at.ok_or_else(odd)?;
        let offsets_at = bytes(entities as usize + 1).and_then(|bytes| index_at.checked_sub(bytes));
        let offsets_at = offsets_at.ok_or_else(odd)?;
        Ok(Self { section, entities, extra, tile_bytes, places, offsets_at, index_at })
    }

    pub(super) fn entities(&self) -> u32 {
        self.entities
    }

    pub(super) fn tile_bytes(&self) -> u64 {
        self.tile_bytes
    }

    pub(super) fn extra(&self) -> u32 {
        self.extra
    }

    pub(super) fn damaged(&self, why: &str) -> Error {
        self.section.damaged(0, why)
    }

    pub(super) fn damaged_at(&self, ordinal: u32, why: &str) -> Error {
        let range = self.range(self.offsets_at + ordinal as usize * WORD);
        range.map_or_else(|error| error, |range| self.section.damaged(range.start, why))
    }

    /// The ordinal of `key`.
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Result<Option<u32>, Error> {
        let mask = self.places - 1;
        let mut place = usize::try_from(hash & mask as u64).unwrap_or(0);
        // A table has free places, a damaged one may have none.
        for _ in 0..self.places {
            let entry = self.word(self.index_at + place * WORD)?;
            if entry == 0 {
                return Ok(None);
            }
            if entry >> 32 == hash >> 32 {
                let ordinal =
                    u32::try_from(entry & u64::from(u32::MAX)).unwrap_or(0).wrapping_sub(1);
                if self.record(ordinal)?.key == key {
                    return Ok(Some(ordinal));
                }
            }
            place = (place + 1) & mask;
        }
        Ok(None)
    }

    /// `count` entities from `ordinal` on are about to be read, one after the other: the disk may begin to bring them.
    pub(crate) fn will_read(&self, ordinal: u32, count: usize) {
        let end = (ordinal as usize).saturating_add(count).min(self.entities as usize);
        let (start, end) =
            (self.offsets_at + ordinal as usize * WORD, self.offsets_at + end * WORD);
        if start < end {
            self.section.will_need(start..end + WORD);
            // Who reads them meets what is damaged.
            if let (Ok(Range { start, .. }), Ok(Range { end, .. })) =
                (self.range(start), self.range(end - WORD))
            {
                self.section.will_need(start..end);
            }
        }
    }

    /// Key and payload of entity `ordinal`.
    pub(crate) fn record(&self, ordinal: u32) -> Result<Record<'_>, Error> {
        let at = self.offsets_at + ordinal as usize * WORD;
        let record = self.section.bytes(self.range(at)?)?;
        let mut input = Reader::new(record);
        let key = input.u16().and_then(|length| input.bytes(length.into()));
        let key = key.map_err(|_| self.section.damaged(at, "a record is shorter than its key"))?;
        let payload = record.get(size_of::<u16>() + key.len()..).unwrap_or_default();
        Ok(Record { key, payload })
    }

    /// The two offsets at `at`.
    fn range(&self, at: usize) -> Result<Range<usize>, Error> {
        let (start, end) = (self.word(at)?, self.word(at + WORD)?);
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let range = range.filter(|(start, end)| start <= end && *end <= self.offsets_at);
        let (start, end) =
            range.ok_or_else(|| self.section.damaged(at, "a record outside its table"))?;
        Ok(start..end)
    }

    fn word(&self, at: usize) -> Result<u64, Error> {
        if at + WORD > self.section.len() {
            return Err(self.section.damaged(at, "an entity that the table does not have"));
        }
        let bytes = self.section.bytes(at..at + WORD)?.first_chunk();
        Ok(bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }
}
