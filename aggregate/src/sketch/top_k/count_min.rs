//! Counts of any number of values in little space: the Count-Min sketch (Cormode and Muthukrishnan, Journal of
//! Algorithms 2005).
//!
//! Each value is counted in one of 256 counters in each of 4 rows, and the smallest of its four is the estimate:
//! never below the truth. Of N events in all, a row adds more than e·N/256 with probability below 1/e, so the
//! estimate is above the truth by more than that with probability below e^-4 = 1.8 %. The sketch is linear: sums of
//! sketches are the sketch of all events.
//!
//! ```text
//! bytes   1,024 counters, varint, row after row; the sum of every row is the same
//! ```
//!
//! There is no shorter form for counters that are 0: with more than 512 values, one in eight is.

use stdx::hash::murmur3_x64_128;

use crate::varint;

const ROWS: usize = 4;
const WIDTH: usize = 256;
/// A part of the format.
const SEED: u64 = 0x6c61_7264_6572;
/// e·10^6, rounded up.
const E_PPM: u128 = 2_718_282;

/// Counters of events by value.
#[derive(Debug, Default)]
pub(super) struct CountMin {
    /// Row after row; none before the first event.
    counters: Vec<u64>,
}

/// Where the counters of a value are. Rows share one hash and take different bytes of it.
fn places(value: &[u8]) -> [usize; ROWS] {
    let (hash, _) = murmur3_x64_128(value, SEED);
    let [a, b, c, d, ..] = hash.to_le_bytes().map(usize::from);
    [a, WIDTH + b, 2 * WIDTH + c, 3 * WIDTH + d]
}

impl CountMin {
    /// Adds `count` events of `value`.
    pub(super) fn add(&mut self, value: &[u8], count: u64) {
        self.counters.resize(ROWS * WIDTH, 0);
        for place in places(value) {
            if let Some(counter) = self.counters.get_mut(place) {
                *counter = counter.saturating_add(count);
            }
        }
    }

    /// About how many events have `value`, and never fewer.
    pub(super) fn estimate(&self, value: &[u8]) -> u64 {
        let counters = places(value).map(|place| self.counters.get(place).copied().unwrap_or(0));
        counters.into_iter().min().unwrap_or(0)
    }

    /// Number of all events.
    fn total(&self) -> u64 {
        self.counters.iter().take(WIDTH).fold(0, |total, counter| total.saturating_add(*counter))
    }

    /// By how much an estimate is too large at most, with probability 98.2 %: e·N/256, rounded up.
    pub(super) fn error(&self) -> u64 {
        let error = (E_PPM * u128::from(self.total())).div_ceil(1_000_000 * WIDTH as u128);
        u64::try_from(error).unwrap_or(u64::MAX)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.counters.clear();
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.counters.iter().for_each(|counter| varint::put(out, *counter));
    }

    /// Adds the rest of `input`, which another one wrote, and returns the number of its events. `None` when it is no
    /// such.
    pub(super) fn merge(&mut self, input: &mut &[u8]) -> Option<u64> {
        self.counters.resize(ROWS * WIDTH, 0);
        let mut total = None;
        for row in self.counters.chunks_exact_mut(WIDTH) {
            let mut sum = 0_u64;
            for counter in row {
                let count = varint::take(input)?;
                sum = sum.checked_add(count)?;
                *counter = counter.saturating_add(count);
            }
            if *total.get_or_insert(sum) != sum {
                return None;
            }
        }
        total.filter(|_| input.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;
    use crate::sketch::laws;

    #[test]
    fn estimates_are_from_the_truth_up_to_the_error_at_the_stated_rate() {
        let seed = laws::seed();
        let mut prng = Prng::stream(seed, "count-min");
        let (mut estimates, mut beyond) = (0_u32, 0_u32);
        for round in 0..40_u64 {
            let mut sketch = CountMin::default();
            // Shares as in Zipf's law, or all alike.
            let counts: Vec<(Vec<u8>, u64)> = (1..=2_000_u64)
                .map(|rank| {
                    let name = format!("{round}/{}", prng.next_u64()).into_bytes();
                    (name, if round % 2 == 0 { 20_000 / rank } else { 10 })
                })
                .collect();
            counts.iter().for_each(|(value, count)| sketch.add(value, *count));
            let total: u64 = counts.iter().map(|(_, count)| count).sum();
            assert_eq!(sketch.total(), total);
            assert!(sketch.error() as f64 >= std::f64::consts::E * total as f64 / 256.0);
            for (value, count) in &counts {
                let estimate = sketch.estimate(value);
                assert!(estimate >= *count, "LARDER_SEED={seed} round {round}");
                estimates += 1;
                beyond += u32::from(estimate > count + sketch.error());
            }
        }
        assert!(f64::from(beyond) <= 0.018 * f64::from(estimates), "LARDER_SEED={seed}: {beyond}");
    }

    /// Places are a format: tiles on disk have their counters there.
    #[test]
    fn places_never_change() {
        assert_eq!(places(b""), [238, 416, 560, 774]);
        assert_eq!(places(b"merchant-1"), [98, 344, 717, 955]);
    }
}
