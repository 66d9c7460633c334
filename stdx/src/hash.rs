//! The hashes of the product, each with one purpose.
//!
//! * [`murmur3_x64_128`] is a **format**: sketches and derived event ids depend on it, its values never change.
//! * [`KeyHasher`] places entity keys in shards and tables: randomly seeded, so that nobody can aim keys at one slot.
//! * [`fnv1a64`] names things that need no strength (random streams).

use std::hash::{BuildHasher, Hasher};

/// Hashes entity keys under a seed of its own.
#[derive(Debug, Clone)]
pub struct KeyHasher {
    state: foldhash::fast::FixedState,
}

impl KeyHasher {
    /// A hasher whose placement depends on `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: foldhash::fast::FixedState::with_seed(seed) }
    }

    /// 64 bits of `bytes`.
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }
}

/// 64-bit FNV-1a.
#[must_use]
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// MurmurHash3 x64-128 (Austin Appleby, public domain) of `bytes` with `seed`: the two 64-bit halves.
#[must_use]
#[inline]
pub fn murmur3_x64_128(bytes: &[u8], seed: u64) -> (u64, u64) {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    let mix1 = |k: u64| k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let mix2 = |k: u64| k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let (mut h1, mut h2) = (seed, seed);
    let (blocks, tail) = bytes.as_chunks::<16>();
    for block in blocks {
        let (k1, k2) = halves(block);
        h1 ^= mix1(k1);
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= mix2(k2);
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    // Keys are mostly a number, whose 8 bytes are one load: copied to a block of their own, they would have to be waited for.
    let (k1, k2) = match tail.split_first_chunk() {
        Some((first, rest)) => (u64::from_le_bytes(*first), last_word(rest)),
        None => (last_word(tail), 0),
    };
    h2 ^= mix2(k2);
    h1 ^= mix1(k1);
    let length = bytes.len() as u64;
    h1 ^= length;
    h2 ^= length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = final_mix(h1);
    h2 = final_mix(h2);
    h1 = h1.wrapping_add(h2);
    (h1, h2.wrapping_add(h1))
}

/// The little-endian word of fewer than 8 bytes.
fn last_word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The two little-endian words of a 16-byte block.
fn halves(block: &[u8; 16]) -> (u64, u64) {
    let whole = u128::from_le_bytes(*block);
    let low = u64::try_from(whole & u128::from(u64::MAX)).unwrap_or(0);
    (low, u64::try_from(whole >> 64).unwrap_or(0))
}

/// Spreads every input bit over the word.
fn final_mix(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the reference implementation; part of the sketch format.
    #[test]
    fn murmur3_has_the_published_values() {
        assert_eq!(murmur3_x64_128(b"", 0), (0, 0));
        assert_eq!(
            murmur3_x64_128(b"The quick brown fox jumps over the lazy dog", 0),
            (0xe34b_bc7b_bc07_1b6c, 0x7a43_3ca9_c49a_9347)
        );
    }

    /// Of every length of the last block, added up as another implementation did.
    #[test]
    fn murmur3_takes_tails_of_every_length() {
        let folded = (0..=48_u8).fold(0_u64, |folded, count| {
            let bytes: Vec<u8> =
                (0..count).map(|at| at.wrapping_mul(37).wrapping_add(count)).collect();
            let (a, b) = murmur3_x64_128(&bytes, 5);
            folded.rotate_left(7) ^ a ^ b
        });
        assert_eq!(folded, 0xf6ce_e090_c1ed_95d6);
    }

    #[test]
    fn the_seed_moves_every_key() {
        let (a, b) = (KeyHasher::new(1), KeyHasher::new(2));
        assert_eq!(a.hash(b"card-1"), a.hash(b"card-1"));
        assert_ne!(a.hash(b"card-1"), b.hash(b"card-1"));
    }
}
