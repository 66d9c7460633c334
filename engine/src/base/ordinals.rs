//! A set of ordinals of one table: a bit for each.

/// See the module. Grows with what is inserted.
#[derive(Debug, Default)]
pub(crate) struct Ordinals {
    words: Vec<u64>,
}

impl Ordinals {
    /// Adds one; false when it was there.
    pub(crate) fn insert(&mut self, ordinal: u32) -> bool {
        let (word, bit) = place(ordinal);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let Some(word) = self.words.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// True when it was inserted.
    pub(crate) fn contains(&self, ordinal: u32) -> bool {
        let (word, bit) = place(ordinal);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// All, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.words).flat_map(|(at, word)| {
            (0..u64::BITS).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * 64 + bit)
        })
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

/// Word and bit of an ordinal.
fn place(ordinal: u32) -> (usize, u64) {
    (ordinal as usize / 64, 1 << (ordinal % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_there_and_in_order() {
        let mut set = Ordinals::default();
        for ordinal in [200, 0, 63, 64, 200] {
            set.insert(ordinal);
        }
        assert!(!set.insert(64) && set.contains(63) && !set.contains(65) && !set.contains(9999));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 200]);
    }
}
