//! Looking at memory so that it is in a cache when it is needed.

/// Bytes that come from memory together.
const LINE_BYTES: usize = 64;
/// Lines that are looked at, at most: a processor follows a longer row of them by itself.
const LINES_MAX: usize = 32;

/// Looks at the lines of `bytes`, the first ones if there are many; the sum of what was seen, for [`std::hint::black_box`] in the end.
#[inline]
#[must_use]
pub fn lines(bytes: &[u8]) -> u8 {
    let bytes = bytes.get(..LINES_MAX * LINE_BYTES).unwrap_or(bytes);
    // Where they do not begin with a line, the last byte may be on one more.
    let seen = bytes.iter().step_by(LINE_BYTES).chain(bytes.last());
    seen.copied().fold(0, u8::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_looked_at_and_no_more_than_there_are_to_be() {
        for length in 0..=LINES_MAX * LINE_BYTES {
            for start in [0, 1, 63] {
                let at = |place: usize| (start + place) / LINE_BYTES;
                let mut lines_of = [0; LINES_MAX + 2];
                (0..length).for_each(|place| lines_of[at(place)] = 1);
                let mut bytes = vec![0; length];
                let looked_at = (0..length).filter(|place| {
                    bytes[*place] = 1;
                    let is_seen = lines(&bytes) > 0;
                    bytes[*place] = 0;
                    is_seen
                });
                let seen: std::collections::BTreeSet<_> = looked_at.map(at).collect();
                assert_eq!(seen.len(), lines_of.iter().sum::<usize>(), "{length} from {start}");
            }
        }
        let mut long = vec![0; 100 * LINE_BYTES];
        long[LINES_MAX * LINE_BYTES..].fill(1);
        assert_eq!(lines(&long), 0);
    }
}
