//! Entries: what is known of an event, row or read besides its bytes, and how many of them are brought into order.
//!
//! Entities are told apart by 96 bits of a hash of their keys (MurmurHash3, as event ids are): among 10^9 of them two are taken for
//! one with probability 10^-11, and no key has to be kept.

use stdx::hash::murmur3_x64_128;

/// An event, row or read of one entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Of the entity: its highest bits are the partition.
    pub(super) hash: u64,
    /// When it takes effect; a read sees what takes effect no later than it.
    pub(super) order: i64,
    /// More bits of the entity.
    pub(super) check: u32,
    /// Where its bytes are in the partition, or which row it is. Of two that came one after the other, the first has the smaller.
    pub(super) at: u32,
}

/// Bytes of an entry in a file.
pub(super) const ENTRY_BYTES: usize = 24;

/// Most bits of a hash that entries are dealt out by before they are sorted: their counts fit into the nearest cache.
const BITS_MAX: u32 = 12;
/// Fewer entries are sorted as they are.
const SMALL: usize = 64;

impl Entry {
    /// The entity that canonical key bytes name.
    pub(super) fn entity_of(key: &[u8]) -> (u64, u32) {
        let (hash, check) = murmur3_x64_128(key, 0);
        (hash, u32::try_from(check >> 32).unwrap_or(0))
    }

    /// What tells its entity from others.
    pub(super) fn entity(&self) -> (u64, u32) {
        (self.hash, self.check)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash.to_le_bytes());
        out.extend_from_slice(&self.order.to_le_bytes());
        out.extend_from_slice(&self.check.to_le_bytes());
        out.extend_from_slice(&self.at.to_le_bytes());
    }

    /// The entry of [`Entry::encode`], its place moved by `base`.
    pub(super) fn decode(bytes: &[u8; ENTRY_BYTES], base: u32) -> Self {
        let long = |at: usize| {
            bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
        };
        let short = |at: usize| {
            bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
        };
        Self {
            hash: u64::from_le_bytes(long(0)),
            order: i64::from_le_bytes(long(8)),
            check: u32::from_le_bytes(short(16)),
            at: u32::from_le_bytes(short(20)).saturating_add(base),
        }
    }
}

/// Sorts the entries of one partition, which has `skip` bits of their hashes, by entity, order and place. They came in the order of
/// their places; `spare` is memory to be used again.
pub(super) fn arrange(entries: &mut Vec<Entry>, spare: &mut Vec<Entry>, skip: u32) {
    if entries.len() > SMALL {
        deal(entries, spare, skip);
    }
    let bits = bits_of(entries.len());
    let bucket = |entry: &Entry| (entry.hash << skip) >> (64 - bits);
    let is_small = entries.len() <= SMALL;
    for bucket in entries.chunk_by_mut(|a, b| is_small || bucket(a) == bucket(b)) {
        if !bucket.is_sorted_by_key(Entry::entity) {
            bucket.sort_by_key(Entry::entity);
        }
        for entity in bucket.chunk_by_mut(|a, b| a.entity() == b.entity()) {
            if !entity.is_sorted_by_key(|entry| entry.order) {
                entity.sort_by_key(|entry| entry.order);
            }
        }
    }
}

fn bits_of(count: usize) -> u32 {
    (count / 8).max(2).ilog2().min(BITS_MAX)
}

/// Brings entries into the order of the first bits of their hashes, those of the same bits as they came.
fn deal(entries: &mut Vec<Entry>, spare: &mut Vec<Entry>, skip: u32) {
    let bits = bits_of(entries.len());
    let bucket = |entry: &Entry| usize::try_from((entry.hash << skip) >> (64 - bits)).unwrap_or(0);
    let mut places = vec![0_usize; 1 << bits];
    for entry in &*entries {
        if let Some(count) = places.get_mut(bucket(entry)) {
            *count += 1;
        }
    }
    let mut next = 0;
    for place in &mut places {
        next += std::mem::replace(place, next);
    }
    let none = Entry { hash: 0, order: 0, check: 0, at: 0 };
    spare.clear();
    spare.resize(entries.len(), none);
    for entry in &*entries {
        let Some(place) = places.get_mut(bucket(entry)) else { continue };
        if let Some(to) = spare.get_mut(*place) {
            *to = *entry;
        }
        *place += 1;
    }
    std::mem::swap(entries, spare);
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;

    #[test]
    fn arranged_entries_are_sorted_and_ties_stay_as_they_came() {
        let mut random = Prng::new(3);
        for count in [0, 1, 5, 64, 65, 1_000, 60_000] {
            let skip = 5;
            let mut entries: Vec<_> = (0..count)
                .map(|at| {
                    let entity = random.below(count as u64 / 3 + 1);
                    let (hash, check) = Entry::entity_of(&entity.to_le_bytes());
                    // A third of all are of one entity, and some entities share a hash.
                    let hash = if random.chance(0.3) { 0 } else { hash };
                    let (hash, order) = (hash >> skip, random.between(-5, 5));
                    Entry { hash, order, check, at: u32::try_from(at).expect("small") }
                })
                .collect();
            let mut sorted = entries.clone();
            sorted.sort_by_key(|entry| (entry.entity(), entry.order, entry.at));
            arrange(&mut entries, &mut Vec::new(), skip);
            assert_eq!(entries, sorted, "{count}");
        }
    }

    #[test]
    fn entries_come_back_from_bytes() {
        let entry = Entry { hash: u64::MAX - 1, order: i64::MIN, check: 77, at: 5 };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        let decoded = Entry::decode(bytes.first_chunk().expect("as many"), 10);
        assert_eq!(decoded, Entry { at: 15, ..entry });
    }
}
