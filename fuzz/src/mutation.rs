//! Seeded mutations of valid inputs: what a fuzzer does first, without a fuzzer.

use stdx::prng::Prng;

/// Numbers that break arithmetic.
const NUMBERS: [u64; 8] = [0, 1, 127, 255, 65_535, u32::MAX as u64, i64::MAX as u64, u64::MAX];
/// Bytes that are added or copied at once.
const PIECE_MAX: usize = 64;

/// A changed copy of `input`, with a piece of `other` now and then.
#[must_use]
pub fn mutate(input: &[u8], other: &[u8], prng: &mut Prng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=prng.below(4) {
        change(&mut bytes, other, prng);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], prng: &mut Prng) {
    let at = index(prng, bytes.len());
    let length = index(prng, PIECE_MAX) + 1;
    let end = (at + length).min(bytes.len());
    match prng.below(9) {
        0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << prng.below(8),
        2 if !bytes.is_empty() => bytes[at] = prng.below(256).to_le_bytes()[0],
        3 => {
            let number = NUMBERS[index(prng, NUMBERS.len())].to_le_bytes();
            let width = [1, 2, 4, 8][index(prng, 4)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..end)),
        6 => {
            let piece = bytes[at..end].to_vec();
            let to = index(prng, bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        7 => {
            let from = index(prng, other.len());
            let piece = other[from..(from + length).min(other.len())].to_vec();
            bytes.splice(at..end, piece);
        }
        _ => bytes
            .splice(at..at, (0..length).map(|_| prng.below(256).to_le_bytes()[0]))
            .for_each(drop),
    }
}

/// A random index below `bound`; 0 when there is none.
fn index(prng: &mut Prng, bound: usize) -> usize {
    usize::try_from(prng.below(bound.max(1) as u64)).unwrap_or(0)
}
