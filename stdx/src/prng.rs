//! Seeded randomness: one seed, any number of named streams, the same numbers on every machine.
//!
//! Generator: xoshiro256++ (Blackman and Vigna, 2019), seeded by splitmix64. Not for secrets.

use crate::hash::fnv1a64;

/// A seeded generator.
#[derive(Debug, Clone)]
pub struct Prng {
    state: [u64; 4],
}

impl Prng {
    /// The generator of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut s = seed;
        let mut next = || {
            s = s.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = s;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Self { state: [next(), next(), next(), next()] }
    }

    /// The stream called `name` under `seed`: streams of different names are independent, so adding a draw to one
    /// does not shift the others.
    #[must_use]
    pub fn stream(seed: u64, name: &str) -> Self {
        Self::new(seed ^ fnv1a64(name.as_bytes()))
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let mut s = [a, b, c ^ a, d ^ b];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= b << 17;
        s[3] = s[3].rotate_left(45);
        self.state = s;
        result
    }

    /// A uniform number in `0..bound`; 0 when `bound` is 0. (Lemire's multiply-shift; the bias is below 2^-64·bound.)
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A uniform number in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.wrapping_sub(low).cast_unsigned().wrapping_add(1);
        let offset = if span == 0 { self.next_u64() } else { self.below(span) };
        low.wrapping_add(offset.cast_signed())
    }

    /// A uniform number in `0.0..1.0`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        // 53 bits are exactly representable.
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = usize::try_from(self.below(i as u64 + 1)).unwrap_or(0);
            items.swap(i, j);
        }
    }
}

/// A seed from the operating system, by way of the standard library's randomly keyed hasher.
#[must_use]
pub fn seed_from_os() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_name_give_the_same_numbers() {
        let draw = |name| {
            let mut prng = Prng::stream(42, name);
            [prng.next_u64(), prng.next_u64()]
        };
        assert_eq!(draw("a"), draw("a"));
        assert_ne!(draw("a"), draw("b"));
    }

    #[test]
    fn bounds_are_kept() {
        let mut prng = Prng::new(1);
        for _ in 0..10_000 {
            assert!(prng.below(7) < 7);
            assert!((-3..=3).contains(&prng.between(-3, 3)));
            assert!((0.0..1.0).contains(&prng.unit()));
        }
        assert_eq!(prng.below(0), 0);
        let _whole_range = prng.between(i64::MIN, i64::MAX);
    }
}
