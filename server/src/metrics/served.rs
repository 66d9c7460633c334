//! What was served of one service: how many values were worth what.

use std::sync::atomic::{AtomicU64, Ordering};

use model::status::Status;
use stdx::{hash::murmur3_x64_128, histogram::add, sync::Mutex};

use super::hot_keys::{HotKey, HotKeys, gap};

/// Counts of one service, with a lane for each thread that reads.
#[derive(Debug)]
pub(crate) struct Served {
    name: String,
    lanes: Box<[Lane]>,
    hot: Mutex<HotKeys>,
}

/// What one thread served: two lines of memory, which no other thread writes.
#[derive(Debug)]
#[repr(align(128))]
struct Lane {
    requests: AtomicU64,
    vectors: AtomicU64,
    /// By code of their status.
    values: [AtomicU64; Status::ALL.len()],
    /// Keys that pass until one is drawn, and the state of the draw, which is never 0.
    passing: AtomicU64,
    draw: AtomicU64,
}

impl Lane {
    /// Nothing is counted yet.
    fn drawing(seed: u64) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            requests: zero(),
            vectors: zero(),
            values: std::array::from_fn(|_| zero()),
            passing: zero(),
            draw: AtomicU64::new(seed),
        }
    }
}

/// What all threads served together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServedCounts {
    /// Reads.
    pub(crate) requests: u64,
    /// Vectors in them.
    pub(crate) vectors: u64,
    /// Values in those, by code of their status.
    pub(crate) values: [u64; Status::ALL.len()],
}

impl Served {
    /// Of service `name`, by so many threads.
    pub(super) fn new(name: &str, lanes: usize) -> Self {
        // Each thread draws others, and each service's; the same ones in every run.
        let seed = |lane| murmur3_x64_128(name.as_bytes(), lane).0 | 1;
        let lanes = (0..lanes as u64).map(|lane| Lane::drawing(seed(lane))).collect();
        Self { name: name.to_owned(), lanes, hot: Mutex::default() }
    }

    /// The service.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A reply of so many vectors goes out from the thread of this lane, with these statuses.
    #[inline]
    pub(crate) fn count(&self, lane: usize, vectors: usize, statuses: &[u8]) {
        let Some(lane) = self.lanes.get(lane) else { return };
        add(&lane.requests, 1);
        add(&lane.vectors, vectors as u64);
        // Each look at all of them compares many at a time. Nearly always the first finds all: they are present.
        let mut left = statuses.len();
        for (code, count) in (0_u8..).zip(&lane.values) {
            if left == 0 {
                break;
            }
            let found = statuses.iter().filter(|status| **status == code).count();
            if found > 0 {
                add(count, found as u64);
                left -= found;
            }
        }
    }

    /// Vectors of these keys are read by the thread of this lane; each has so many keys. Few of them are looked at.
    #[inline]
    pub(crate) fn reads(&self, lane: usize, keys: &[&[u8]], width: usize) {
        let Some(lane) = self.lanes.get(lane) else { return };
        let passing = lane.passing.load(Ordering::Relaxed);
        match passing.checked_sub(keys.len() as u64) {
            Some(left) => lane.passing.store(left, Ordering::Relaxed),
            None => self.draw(lane, passing, keys, width),
        }
    }

    /// At least one of `keys` is drawn: the first after `passing` others.
    #[cold]
    fn draw(&self, lane: &Lane, passing: u64, keys: &[&[u8]], width: usize) {
        let mut state = lane.draw.load(Ordering::Relaxed);
        let mut place = usize::try_from(passing).unwrap_or(usize::MAX);
        // Who finds it locked draws for nothing: nobody waits for this.
        let mut hot = self.hot.try_lock();
        while let Some(key) = keys.get(place) {
            if let Some(hot) = &mut hot {
                hot.sampled(place % width.max(1), key);
            }
            let (next, passing) = gap(state);
            state = next;
            place = place.saturating_add(1).saturating_add(usize::try_from(passing).unwrap_or(0));
        }
        lane.draw.store(state, Ordering::Relaxed);
        lane.passing.store((place - keys.len()) as u64, Ordering::Relaxed);
    }

    /// How many keys were drawn, and those among them that are read most.
    pub(crate) fn hot_keys(&self) -> (u64, Vec<HotKey>) {
        self.hot.lock().hottest()
    }

    /// What was served so far.
    pub(crate) fn counts(&self) -> ServedCounts {
        let mut sum = ServedCounts::default();
        for lane in &self.lanes {
            sum.requests += lane.requests.load(Ordering::Relaxed);
            sum.vectors += lane.vectors.load(Ordering::Relaxed);
            for (sum, count) in sum.values.iter_mut().zip(&lane.values) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_shares_no_line_of_memory() {
        assert_eq!((size_of::<Lane>(), align_of::<Lane>()), (128, 128));
    }

    #[test]
    fn one_key_in_sixty_four_is_drawn_however_they_come() {
        for batch in [1, 7, 200] {
            let served = Served::new("s", 1);
            let keys: Vec<&[u8]> = vec![b"k"; batch];
            (0..128_000 / batch).for_each(|_| served.reads(0, &keys, 1));
            let (sampled, keys) = served.hot_keys();
            assert!((1_800..2_200).contains(&sampled), "{sampled} of 128000 by {batch}");
            assert_eq!((keys.len(), keys[0].count), (1, sampled));
        }
    }

    #[test]
    fn every_run_draws_the_same_keys_and_every_lane_others() {
        let keys: Vec<String> = (0..6400).map(|key| key.to_string()).collect();
        let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        let drawn = |lane| {
            let served = Served::new("s", 2);
            served.reads(lane, &keys, 1);
            served.hot_keys()
        };
        assert_eq!(drawn(0), drawn(0));
        assert_ne!(drawn(0), drawn(1));
    }

    #[test]
    fn every_status_is_counted_as_what_it_is() {
        let served = Served::new("s", 1);
        let mut statuses = Vec::new();
        for (times, status) in (1..).zip(Status::ALL) {
            statuses.extend(std::iter::repeat_n(status.code(), times));
        }
        statuses.reverse();
        served.count(0, 3, &statuses);
        served.count(0, 0, &[]);
        served.count(7, 1, &statuses);
        let expected = ServedCounts { requests: 2, vectors: 3, values: [1, 2, 3, 4, 5, 6] };
        assert_eq!(served.counts(), expected, "and a lane that is not there counts nothing");
    }
}
