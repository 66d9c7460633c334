//! The most frequent values of a window: counted one by one while few are distinct, else estimated.
//!
//! **What is answered** is decided by the multiset of events alone, so that no layout shows: with up to [`EXACT_MAX`]
//! distinct values, their exact counts. Above that, the values of a random sample of 64 events, with their estimates
//! on the Count-Min sketch of all events.
//!
//! - An estimate is never below the truth, and above it by more than `error` with probability below 1.8 % (`count_min`).
//! - A value that has a share p of all events is missed with probability (1 − p)^64: 0.1 % at 10 %, 3.8 % at 5 %,
//!   53 % at 1 %.
//!
//! **What is kept** is smaller while values are few: exact counts of up to [`SPILL`] values, and only then the
//! sketch. That, too, is a function of the multiset: a union has more than 512 values if a part has. Sketches are
//! linear, so the exact counts of one part go into the sketch of another, or of the window. The sample is kept from
//! the first event on: later it could not be made.
//!
//! ```text
//! bytes    0: for each value, ascending: length, value | count | that many priorities, ascending
//!          1: likewise, with the number of priorities before them
//!          2: for each event of the sample: priority | length, value; then the sketch
//! ```
//!
//! Form 0 is for up to 64 events, all of which are in the sample. Priorities are u32, little-endian.

mod count_min;
mod sample;

use std::{borrow::Cow, cmp::Reverse};

use count_min::CountMin;
use sample::{SAMPLE_MAX, Sample};

use crate::varint;

/// Most distinct values of a window that are answered exactly.
pub(crate) const EXACT_MAX: usize = 64;
/// Most distinct values that are counted one by one.
const SPILL: usize = 512;

const ALL_SAMPLED: u64 = 0;
const SOME_SAMPLED: u64 = 1;
const SKETCH: u64 = 2;

/// Counts of events by value.
#[derive(Debug, Default)]
pub(crate) struct TopK<'a> {
    /// Values with their counts, ascending by value; none once there are too many.
    counts: Vec<(Cow<'a, [u8]>, u64)>,
    /// Of all events, once there are too many values.
    sketch: CountMin,
    sample: Sample<'a>,
}

/// The most frequent values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Top<'t> {
    /// True when all counts are.
    pub(crate) exact: bool,
    /// By how much a count is too large at most, with probability 98.2 %; 0 when they are exact.
    pub(crate) error: u64,
    /// Values with their counts, by descending count, then ascending value.
    pub(crate) items: Vec<(&'t [u8], u64)>,
}

impl<'a> TopK<'a> {
    /// Adds one event of value `key`. `event_hash` is a hash of its time, id and value: as good as random, and always
    /// the same.
    pub(crate) fn update(&mut self, key: impl Into<Cow<'a, [u8]>>, event_hash: u64) {
        let key = key.into();
        self.sample.offer(sample::priority(event_hash), &key);
        let place = self.counts.partition_point(|(other, _)| *other < key);
        self.add(place, key, 1);
    }

    /// Adds events of a value that has its place, or would have it, at `place`.
    fn add(&mut self, place: usize, key: Cow<'a, [u8]>, count: u64) {
        if !self.sketch.is_empty() {
            return self.sketch.add(&key, count);
        }
        match self.counts.get_mut(place) {
            Some((same, kept)) if *same == key => *kept = kept.saturating_add(count),
            _ => self.counts.insert(place, (key, count)),
        }
        if self.counts.len() > SPILL {
            self.spill();
        }
    }

    /// The place of `key`, which is not before place `from`. Values of a tile ascend, so that the next one is mostly near.
    fn place_from(&self, from: usize, key: &[u8]) -> usize {
        let is_before =
            |place: usize| self.counts.get(place).is_some_and(|(other, _)| other.as_ref() < key);
        let (mut low, mut step) = (from, 1);
        while is_before(low + step - 1) {
            low += step;
            step *= 2;
        }
        let near = self.counts.get(low..(low + step - 1).min(self.counts.len())).unwrap_or(&[]);
        low + near.partition_point(|(other, _)| other.as_ref() < key)
    }

    /// Goes over to the sketch.
    fn spill(&mut self) {
        for (key, count) in self.counts.drain(..) {
            self.sketch.add(&key, count);
        }
    }

    /// The `k` most frequent values; fewer when there are no more, or no more in the sample.
    pub(crate) fn top(&self, k: usize) -> Top<'_> {
        if self.counts.len() <= EXACT_MAX && self.sketch.is_empty() {
            let counts = self.counts.iter().map(|(key, count)| (key.as_ref(), *count));
            return Top { exact: true, error: 0, items: greatest(counts.collect(), k) };
        }
        let mut of_counts = CountMin::default();
        self.counts.iter().for_each(|(key, count)| of_counts.add(key, *count));
        let sketch = if self.sketch.is_empty() { &of_counts } else { &self.sketch };
        let mut keys: Vec<&[u8]> = self.sample.by_value().into_iter().map(|(key, _)| key).collect();
        keys.dedup();
        let estimates = keys.into_iter().map(|key| (key, sketch.estimate(key))).collect();
        Top { exact: false, error: sketch.error(), items: greatest(estimates, k) }
    }

    /// Adds what another one wrote. `None` when those are not such bytes.
    pub(crate) fn merge_bytes(&mut self, mut bytes: &'a [u8]) -> Option<()> {
        if bytes.is_empty() {
            return Some(());
        }
        let input = &mut bytes;
        match varint::take(input)? {
            kind @ (ALL_SAMPLED | SOME_SAMPLED) => self.merge_counts(input, kind == ALL_SAMPLED),
            SKETCH => self.merge_sketch(input),
            _ => None,
        }
    }

    fn merge_counts(&mut self, input: &mut &'a [u8], is_all_sampled: bool) -> Option<()> {
        let (mut values, mut events, mut sampled) = (0, 0_u64, 0_u64);
        let mut before = None;
        let mut place = 0;
        while !input.is_empty() {
            let key = varint::take_block(input)?;
            let count = varint::take(input)?;
            let of_key = if is_all_sampled { count } else { varint::take(input)? };
            values += 1;
            events = events.checked_add(count)?;
            sampled = sampled.checked_add(of_key)?;
            let is_ascending = before.is_none_or(|before| before < key);
            if !is_ascending
                || values > SPILL
                || count == 0
                || of_key > count
                || sampled > SAMPLE_MAX as u64
            {
                return None;
            }
            before = Some(key);
            let key = Cow::Borrowed(key);
            let mut last = 0;
            for _ in 0..of_key {
                let priority = take_priority(input)?;
                if priority < last {
                    return None;
                }
                self.sample.offer(priority, &key);
                last = priority;
            }
            place = self.place_from(place, &key);
            self.add(place, key, count);
        }
        let is_small = events <= SAMPLE_MAX as u64;
        let is_complete = sampled == events.min(SAMPLE_MAX as u64);
        (values > 0 && is_small == is_all_sampled && is_complete).then_some(())
    }

    fn merge_sketch(&mut self, input: &mut &'a [u8]) -> Option<()> {
        let mut before = None;
        for _ in 0..SAMPLE_MAX {
            let event = (take_priority(input)?, varint::take_block(input)?);
            if before.is_some_and(|before| before > event) {
                return None;
            }
            self.sample.offer(event.0, &Cow::Borrowed(event.1));
            before = Some(event);
        }
        self.spill();
        let events = self.sketch.merge(input)?;
        (events > SPILL as u64).then_some(())
    }

    /// Appends all of it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if !self.sketch.is_empty() {
            varint::put(out, SKETCH);
            for (priority, key) in self.sample.events() {
                out.extend(priority.to_le_bytes());
                varint::put_block(out, key);
            }
            return self.sketch.write(out);
        }
        if self.counts.is_empty() {
            return;
        }
        let events = self.counts.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
        let is_all_sampled = events <= SAMPLE_MAX as u64;
        varint::put(out, if is_all_sampled { ALL_SAMPLED } else { SOME_SAMPLED });
        let sample = self.sample.by_value();
        let mut sample = sample.as_slice();
        for (key, count) in &self.counts {
            varint::put_block(out, key);
            varint::put(out, *count);
            let of_key = sample.partition_point(|(other, _)| *other <= key.as_ref());
            let (of_key, rest) = sample.split_at(of_key);
            if !is_all_sampled {
                varint::put(out, of_key.len() as u64);
            }
            out.extend(of_key.iter().flat_map(|(_, priority)| priority.to_le_bytes()));
            sample = rest;
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.sketch.is_empty()
    }

    /// Forgets all events.
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        self.sketch.clear();
        self.sample.clear();
    }
}

/// The first `k` by descending count, then ascending value.
fn greatest(mut items: Vec<(&[u8], u64)>, k: usize) -> Vec<(&[u8], u64)> {
    items.sort_unstable_by_key(|(key, count)| (Reverse(*count), *key));
    items.truncate(k);
    items
}

fn take_priority(input: &mut &[u8]) -> Option<u32> {
    let (priority, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(u32::from_le_bytes(*priority))
}

#[cfg(test)]
mod tests;
