//! How often something was so large: counts in buckets that are fixed, written by one thread, read by any.
//!
//! Recording is a search among some thirty bounds and three plain stores: no locked instruction, no memory, no clock. So a histogram
//! belongs to one thread (or to one at a time); where many record, each has its own and readers add them up. Values are integers: a
//! duration in nanoseconds, a number of records. Who reads while it is written may see a count that its sum does not have yet.

// Not from `sync`: nobody decides anything by these numbers, and a model need not try when they are seen.
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds for durations in nanoseconds, 10 µs to 10 s: six a decade up to 100 ms, so that an interpolated quantile and
/// the true one are less than 1.7 times apart, then three.
pub const DURATIONS_NS: [u64; 31] = [
    10_000,
    15_000,
    20_000,
    30_000,
    50_000,
    70_000, // µs
    100_000,
    150_000,
    200_000,
    300_000,
    500_000,
    700_000, //
    1_000_000,
    1_500_000,
    2_000_000,
    3_000_000,
    5_000_000,
    7_000_000, // ms
    10_000_000,
    15_000_000,
    20_000_000,
    30_000_000,
    50_000_000,
    70_000_000, //
    100_000_000,
    200_000_000,
    500_000_000, // ms
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000, // s
];

/// Upper bounds for how many things were done at once: powers of two up to 4096.
pub const COUNTS: [u64; 13] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/// See the module. `N` bounds make `N` buckets and one for what is above the last.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

/// What a histogram held when it was read, or several together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// The upper bound of each bucket, which belongs to it; ascending.
    pub bounds: &'static [u64],
    /// Values in each bucket, and last those above all bounds.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: u64,
}

impl<const N: usize> Histogram<N> {
    /// Nothing recorded; `bounds` ascend.
    #[must_use]
    pub fn new(bounds: &'static [u64; N]) -> Self {
        let zero = || AtomicU64::new(0);
        Self { bounds, counts: std::array::from_fn(|_| zero()), above: zero(), sum: zero() }
    }

    /// One more value. Only one thread records at a time: of two at once, one may be lost.
    #[inline]
    pub fn record(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        add(self.counts.get(bucket).unwrap_or(&self.above), 1);
        add(&self.sum, value);
    }

    /// What it holds now.
    #[must_use]
    pub fn read(&self) -> Buckets {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // Before the counts: a mean of what was seen is not above what it was.
        let sum = read(&self.sum);
        let counts = self.counts.iter().chain([&self.above]).map(read).collect();
        Buckets { bounds: self.bounds, counts, sum }
    }
}

impl Buckets {
    /// Nothing, in so many buckets.
    #[must_use]
    pub fn empty(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0 }
    }

    /// Adds `other`, which has the same bounds.
    pub fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.bounds, other.bounds, "only equal buckets add up");
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Values in all buckets.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Adds to a number that only the calling thread writes, without a locked instruction.
#[inline]
pub fn add(number: &AtomicU64, more: u64) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_ascend_so_that_a_search_finds_the_bucket() {
        assert!(DURATIONS_NS.is_sorted_by(|a, b| a < b) && COUNTS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_value_counts_in_the_first_bucket_whose_bound_is_not_below_it() {
        let histogram = Histogram::new(&COUNTS);
        for value in [0, 1, 2, 3, 4, 4096, 4097, u64::MAX >> 1] {
            histogram.record(value);
        }
        let read = histogram.read();
        assert_eq!(read.counts, [2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!((read.count(), read.sum), (8, 10 + 4096 + 4097 + (u64::MAX >> 1)));
    }

    #[test]
    fn what_several_threads_recorded_adds_up() {
        let (one, other) = (Histogram::new(&DURATIONS_NS), Histogram::new(&DURATIONS_NS));
        one.record(10_000);
        other.record(10_001);
        other.record(20_000_000_000);
        let mut sum = Buckets::empty(&DURATIONS_NS);
        sum.add(&one.read());
        sum.add(&other.read());
        assert_eq!((sum.counts[0], sum.counts[1], sum.counts[31]), (1, 1, 1));
        assert_eq!((sum.count(), sum.sum), (3, 20_000_020_001));
    }
}
