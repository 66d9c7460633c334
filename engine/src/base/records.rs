//! Records on their way into a snapshot: entities as bytes, with the hashes of their keys.

use stdx::cursor::Writer;

/// Entities of one table, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Records {
    bytes: Vec<u8>,
    /// Hash of the key and end of the record, of each.
    entries: Vec<(u64, usize)>,
    /// Ordinals in the last snapshot, ascending, of those that come from there. They stand before all others.
    carried: Vec<u32>,
    /// Bytes of the states that have tiles.
    tile_bytes: u64,
}

impl Records {
    /// Adds the entity `key`, whose hash is `hash`, with what `payload` writes behind it.
    pub(crate) fn add(&mut self, hash: u64, key: &[u8], payload: impl FnOnce(&mut Vec<u8>)) {
        // Keys have at most 512 bytes.
        let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        Writer::new(&mut self.bytes).u16(length).bytes(key);
        payload(&mut self.bytes);
        self.entries.push((hash, self.bytes.len()));
    }

    /// The entity added last is the one that the last snapshot has at `ordinal`.
    pub(crate) fn carry(&mut self, ordinal: u32) {
        self.carried.push(ordinal);
    }

    /// The entity added last has tiles, with a state of so many bytes.
    pub(crate) fn count_tiles(&mut self, bytes: usize) {
        self.tile_bytes += bytes as u64;
    }

    /// Bytes of the states that have tiles.
    pub(crate) fn tile_bytes(&self) -> u64 {
        self.tile_bytes
    }

    /// Ordinals given to [`Records::carry`].
    pub(crate) fn carried(&self) -> &[u32] {
        &self.carried
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<(u64, usize)>()
    }

    /// Forgets them, and keeps the space.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.carried.clear();
        self.tile_bytes = 0;
    }

    /// Hash and bytes of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let starts = std::iter::once(0).chain(self.entries.iter().map(|(_, end)| *end));
        starts
            .zip(&self.entries)
            .filter_map(|(start, (hash, end))| Some((*hash, self.bytes.get(start..*end)?)))
    }
}
