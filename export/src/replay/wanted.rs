//! Which entities the spine asks about: a set of bits that says no for most of the others, so that their events are not kept.

use super::store::Store;

/// Bits for each read, so that about one entity in sixteen is kept that nobody asks about.
const BITS_PER_READ: usize = 16;
/// Most bits: 32 MiB.
const BITS_MAX: usize = 1 << 28;

/// See the module. Empty, it has all.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    words: Vec<u64>,
}

impl Wanted {
    /// The entities of the entries of `reads`.
    pub(super) fn of(reads: &Store) -> Self {
        let bits = (reads.len() * BITS_PER_READ).next_power_of_two().clamp(1024, BITS_MAX);
        let mut wanted = Self { words: vec![0; bits / 64] };
        if reads.is_spilled() {
            return Self::default();
        }
        reads.each_in_memory(|entry| {
            let (word, bit) = wanted.place(entry.entity());
            if let Some(word) = wanted.words.get_mut(word) {
                *word |= bit;
            }
        });
        wanted
    }

    /// True for every entity that is asked about.
    pub(super) fn has(&self, entity: (u64, u32)) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let (word, bit) = self.place(entity);
        self.words.get(word).is_none_or(|word| word & bit != 0)
    }

    fn place(&self, (hash, _): (u64, u32)) -> (usize, u64) {
        // The highest bits say the partition, so that the lowest spread within it; a power of two.
        let place = usize::try_from(hash).unwrap_or(0) & (self.words.len() * 64).wrapping_sub(1);
        (place / 64, 1 << (place % 64))
    }
}
