//! Variable-length integers of the raw event log: 7 bits a byte, lowest first, the top bit meaning "more follows".

/// Maps small magnitudes of either sign to small numbers: 0, -1, 1, -2, … become 0, 1, 2, 3, …
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Appends `value` in 1 to 10 bytes.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Bytes that [`put`] takes for `value`.
pub(crate) fn length(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    bits.div_ceil(7).max(1) as usize
}

const MORE: u64 = 0x8080_8080_8080_8080;

/// Takes one number from the front of `bytes`; `None` when they end within it or it passes 64 bits.
#[inline]
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    if let Some((word, _)) = bytes.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let ends = !word & MORE;
        if ends != 0 {
            *bytes = bytes.get(bytes_to(ends)..)?;
            return Some(joined(word & (ends ^ ends.wrapping_sub(1))));
        }
    }
    take_slowly(bytes)
}

/// Takes two numbers. Where they have eight bytes at most together, where the next pair begins is known long before they are.
#[inline]
pub(crate) fn take_pair(bytes: &mut &[u8]) -> Option<(u64, u64)> {
    if let Some((word, _)) = bytes.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let ends = !word & MORE;
        let second = ends & ends.wrapping_sub(1);
        if second != 0 {
            *bytes = bytes.get(bytes_to(second)..)?;
            let first = ends ^ ends.wrapping_sub(1);
            let both = second ^ second.wrapping_sub(1);
            let behind = (word & both & !first) >> (first.count_ones() & 63);
            return Some((joined(word & first), joined(behind)));
        }
    }
    Some((take(bytes)?, take(bytes)?))
}

/// Bytes up to and with the lowest of `ends`, top bits of bytes.
#[inline]
fn bytes_to(ends: u64) -> usize {
    (ends.trailing_zeros() / 8 + 1) as usize
}

/// The number whose bytes are those of `word`: the gaps between the groups of 7 bits are closed, pairs first. Reads spend most of their
/// time here: no loop, no branch that depends on the length.
#[inline]
fn joined(word: u64) -> u64 {
    let kept = word & !MORE;
    let pairs = kept & 0x007f_007f_007f_007f | (kept & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4
}

/// Of the last bytes of a log, and of numbers above 2^56.
fn take_slowly(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits.leading_zeros() < shift {
            return None;
        }
        value |= bits << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Takes a length and that many bytes.
#[inline]
pub(crate) fn take_block<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take(bytes)?).ok()?;
    let (block, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(block)
}

/// Appends a length and `block`.
pub(crate) fn put_block(out: &mut Vec<u8>, block: &[u8]) {
    put(out, block.len() as u64);
    out.extend_from_slice(block);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_round_trips() {
        let mut bytes = Vec::new();
        let numbers: Vec<i64> = (0..64)
            .flat_map(|bit| {
                [1_i64 << bit, (1_i64 << bit).wrapping_sub(1), (1_i64 << bit).wrapping_neg()]
            })
            .chain([i64::MIN, i64::MAX])
            .collect();
        for number in &numbers {
            let before = bytes.len();
            put(&mut bytes, zigzag(*number));
            assert_eq!(bytes.len() - before, length(zigzag(*number)));
        }
        let mut rest = bytes.as_slice();
        for number in numbers {
            assert_eq!(take(&mut rest).map(unzigzag), Some(number));
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn a_pair_is_two_numbers() {
        let numbers = || (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, u64::MAX >> bit]);
        for (first, second) in numbers().flat_map(|first| numbers().map(move |it| (first, it))) {
            let mut bytes = Vec::new();
            put(&mut bytes, first);
            put(&mut bytes, second);
            let length = bytes.len();
            // Also at the end of all bytes, and before others.
            for behind in [0, 1, 9] {
                bytes.resize(length + behind, 0xff);
                let mut rest = bytes.as_slice();
                assert_eq!(take_pair(&mut rest), Some((first, second)));
                assert_eq!(rest.len(), behind);
            }
            assert_eq!(take_pair(&mut &bytes[..length - 1]), None);
        }
    }

    #[test]
    fn what_ends_early_or_passes_64_bits_is_refused() {
        assert_eq!(take(&mut &[0x80][..]), None);
        assert_eq!(take(&mut &[0xff; 11][..]), None);
        assert_eq!(take(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..]), None);
        assert_eq!(take_block(&mut &[5, 1][..]), None);
    }
}
