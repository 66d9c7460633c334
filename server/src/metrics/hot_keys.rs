//! Which keys are read most: Space-Saving over a sample of the keys read.
//!
//! A key in sixty-four, drawn at random, is counted; of all others nothing is looked at. The sketch has room for [`KEYS_MAX`] keys: a new
//! one takes the place of the one counted least and begins with its count, so that a count is too high by what it began with at most, and
//! a key above a [`KEYS_MAX`]th of all samples is never missed (Metwally, Agrawal, El Abbadi, *Efficient Computation of Frequent and
//! Top-k Elements in Data Streams*, 2005). Counts are halved every [`HALVE_AT`] samples: what was hot long ago leaves.

use stdx::hash::murmur3_x64_128;

/// Keys that are counted.
const KEYS_MAX: usize = 64;
/// Samples after which all counts are halved: a million keys read.
const HALVE_AT: u64 = 16_384;
/// Keys that are shown.
pub(crate) const HOT_KEYS_SHOWN: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct HotKeys {
    samples: u64,
    /// Beside `keys`: of one that is not the key looked for, nothing else is looked at.
    hashes: Vec<u64>,
    keys: Vec<HotKey>,
}

/// A key that was read often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HotKey {
    /// Which of the service's entities.
    pub(crate) entity: usize,
    /// Its canonical bytes.
    pub(crate) key: Vec<u8>,
    /// How often it was sampled.
    pub(crate) count: u64,
    /// By so much at most that is too often.
    pub(crate) over: u64,
}

impl HotKeys {
    /// A key that was drawn.
    pub(super) fn sampled(&mut self, entity: usize, key: &[u8]) {
        self.samples += 1;
        let hash = murmur3_x64_128(key, entity as u64).0;
        let known = self.hashes.iter().position(|known| *known == hash);
        if let Some(known) = known.and_then(|place| self.keys.get_mut(place)) {
            known.count += 1;
        } else if self.keys.len() < KEYS_MAX {
            self.hashes.push(hash);
            self.keys.push(HotKey { entity, key: key.to_vec(), count: 1, over: 0 });
        } else if let Some((place, least)) =
            self.keys.iter_mut().enumerate().min_by_key(|(_, key)| key.count)
        {
            self.hashes[place] = hash;
            (least.entity, least.over) = (entity, least.count);
            least.count += 1;
            least.key.clear();
            least.key.extend_from_slice(key);
        }
        if self.samples >= HALVE_AT {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.samples /= 2;
        for key in &mut self.keys {
            key.count /= 2;
            key.over /= 2;
        }
    }

    /// How many samples count, and the keys among them that are hottest.
    pub(super) fn hottest(&self) -> (u64, Vec<HotKey>) {
        let mut keys = self.keys.clone();
        keys.sort_by_key(|key| std::cmp::Reverse(key.count));
        keys.truncate(HOT_KEYS_SHOWN);
        (self.samples, keys)
    }
}

/// How many keys are passed over before the next is drawn: 0 to 127, about 63 in the mean. `state` is not 0.
pub(super) fn gap(state: u64) -> (u64, u64) {
    // xorshift64: Marsaglia, 2003.
    let mut next = state;
    next ^= next << 13;
    next ^= next >> 7;
    next ^= next << 17;
    (next, next >> 57)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stdx::prng::Prng;

    #[test]
    fn keys_that_are_read_most_are_found_among_many_others() {
        let seed = stdx::prng::seed_from_os();
        let (mut prng, mut hot) = (Prng::new(seed), HotKeys::default());
        let mut counted = 0;
        for _ in 0..10_000 {
            let is_hot = prng.chance(0.1);
            counted += u64::from(is_hot);
            let key = if is_hot { "hot".to_owned() } else { prng.next_u64().to_string() };
            hot.sampled(0, key.as_bytes());
        }
        let (samples, keys) = hot.hottest();
        assert_eq!((samples, keys.len()), (10_000, HOT_KEYS_SHOWN));
        assert_eq!(keys[0].key, b"hot", "seed {seed}");
        let (least, most) = (keys[0].count - keys[0].over, keys[0].count);
        assert!(least <= counted && counted <= most, "seed {seed}: {least} {counted} {most}");
    }

    #[test]
    fn what_was_hot_long_ago_leaves() {
        let mut hot = HotKeys::default();
        (0..HALVE_AT).for_each(|_| hot.sampled(0, b"then"));
        (0..2 * HALVE_AT).for_each(|_| hot.sampled(1, b"now"));
        let (samples, keys) = hot.hottest();
        assert!(samples < HALVE_AT && keys[0].key == b"now" && keys[0].entity == 1);
        assert!(keys[1].count * 5 < keys[0].count, "{keys:?}");
    }

    #[test]
    fn gaps_are_63_in_the_mean() {
        let (mut state, mut sum) = (1, 0);
        for _ in 0..100_000 {
            let (next, gap) = gap(state);
            (state, sum) = (next, sum + gap);
        }
        assert!((62..=65).contains(&(sum / 100_000)), "{sum}");
    }
}
