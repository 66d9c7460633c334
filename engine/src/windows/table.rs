//! The window states of one group in one shard: key to slot, slots in chunks that never move.

use aggregate::{EntityWindows, PreparedEvent, WindowPlan};
use hashbrown::HashTable;
use stdx::hash::KeyHasher;

/// Entries of a chunk.
const CHUNK_ENTRIES: usize = 64;

#[derive(Debug, Default)]
struct Entry {
    /// Canonical entity key; empty for an entry that holds no entity.
    key: Box<[u8]>,
    windows: EntityWindows,
}

/// One group's window states in one shard.
#[derive(Debug, Default)]
pub(crate) struct WindowTable {
    index: HashTable<u32>,
    chunks: Vec<Vec<Entry>>,
    free: Vec<u32>,
    /// Bytes of keys and states outside the chunks.
    heap_bytes: usize,
}

impl WindowTable {
    /// Number of entities.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes in use, the index included.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK_ENTRIES * size_of::<Entry>()
            + self.heap_bytes
            + self.index.capacity() * 8 / 7 * 5
    }

    /// The state of `key`, whose hash is `hash`.
    pub(crate) fn get(&self, hash: u64, key: &[u8]) -> Option<&EntityWindows> {
        let slot = self.index.find(hash, |slot| *entry(&self.chunks, *slot).key == *key)?;
        Some(&entry(&self.chunks, *slot).windows)
    }

    /// Adds one accepted event to the state of `key`. `now` is the stream's, in ms.
    pub(crate) fn update(
        &mut self,
        hasher: &KeyHasher,
        key: &[u8],
        plan: &WindowPlan,
        event: &PreparedEvent,
        now: i64,
    ) {
        let hash = hasher.hash(key);
        let chunks = &self.chunks;
        let found = self.index.find(hash, |slot| *entry(chunks, *slot).key == *key).copied();
        let slot = found.unwrap_or_else(|| self.insert(hasher, hash, key));
        let (chunk, at) = split(slot);
        if let Some(entry) = self.chunks.get_mut(chunk).and_then(|chunk| chunk.get_mut(at)) {
            let before = entry.windows.bytes();
            entry.windows.update(plan, event, now);
            self.heap_bytes = self.heap_bytes + entry.windows.bytes() - before;
        }
    }

    /// Changes the state of `key`; `None` when there is none.
    pub(super) fn change<T>(
        &mut self,
        hasher: &KeyHasher,
        key: &[u8],
        change: impl FnOnce(&mut EntityWindows) -> T,
    ) -> Option<T> {
        let chunks = &self.chunks;
        let slot = self.index.find(hasher.hash(key), |slot| *entry(chunks, *slot).key == *key)?;
        let (chunk, at) = split(*slot);
        let entry = self.chunks.get_mut(chunk).and_then(|chunk| chunk.get_mut(at))?;
        let before = entry.windows.bytes();
        let changed = change(&mut entry.windows);
        self.heap_bytes = self.heap_bytes + entry.windows.bytes() - before;
        Some(changed)
    }

    /// Removes the state of `key`; false when there is none.
    pub(crate) fn delete(&mut self, hasher: &KeyHasher, key: &[u8]) -> bool {
        let chunks = &self.chunks;
        let found =
            self.index.find_entry(hasher.hash(key), |slot| *entry(chunks, *slot).key == *key);
        let Ok(found) = found else { return false };
        let (slot, _) = found.remove();
        let (chunk, at) = split(slot);
        if let Some(entry) = self.chunks.get_mut(chunk).and_then(|chunk| chunk.get_mut(at)) {
            self.heap_bytes -= entry.key.len() + entry.windows.bytes();
            *entry = Entry::default();
        }
        self.free.push(slot);
        true
    }

    /// Entities from slot `from` on, with the number of the slot after each.
    pub(crate) fn scan(&self, from: u32) -> impl Iterator<Item = (u32, &[u8], &EntityWindows)> {
        let end = self.chunks.iter().map(Vec::len).sum::<usize>();
        (from..u32::try_from(end).unwrap_or(u32::MAX)).filter_map(|slot| {
            let entry = entry(&self.chunks, slot);
            (!entry.key.is_empty()).then_some((slot + 1, &*entry.key, &entry.windows))
        })
    }

    fn insert(&mut self, hasher: &KeyHasher, hash: u64, key: &[u8]) -> u32 {
        let fresh = Entry { key: key.into(), windows: EntityWindows::default() };
        self.heap_bytes += key.len() + fresh.windows.bytes();
        let slot = match self.free.pop() {
            Some(slot) => {
                let (chunk, at) = split(slot);
                if let Some(entry) = self.chunks.get_mut(chunk).and_then(|chunk| chunk.get_mut(at))
                {
                    *entry = fresh;
                }
                slot
            }
            None => {
                if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_ENTRIES) {
                    self.chunks.push(Vec::with_capacity(CHUNK_ENTRIES));
                }
                let full = (self.chunks.len() - 1) * CHUNK_ENTRIES;
                let last = self.chunks.last_mut().expect("a chunk was pushed");
                last.push(fresh);
                u32::try_from(full + last.len() - 1)
                    .expect("a shard's table holds fewer than 2^32 entities")
            }
        };
        let chunks = &self.chunks;
        self.index.insert_unique(hash, slot, |slot| hasher.hash(&entry(chunks, *slot).key));
        slot
    }
}

/// The entry of a slot that was handed out.
fn entry(chunks: &[Vec<Entry>], slot: u32) -> &Entry {
    let (chunk, at) = split(slot);
    chunks
        .get(chunk)
        .and_then(|chunk| chunk.get(at))
        .expect("the index and scans name only slots that were handed out")
}

/// Chunk and position in it.
fn split(slot: u32) -> (usize, usize) {
    (slot as usize / CHUNK_ENTRIES, slot as usize % CHUNK_ENTRIES)
}
