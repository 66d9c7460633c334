//! A sample of events that depends on no order: those with the 64 smallest hashes.
//!
//! Hashes of events are as good as random, so every set of 64 events is as likely to be the sample; an event that one
//! part leaves out has 64 smaller hashes there, which are in every union too.
//!
//! Hashes are kept in 32 bits each, cut off like floats, so that small ones, which are those kept, lose no more than
//! others:
//!
//! ```text
//! priority   bits up to the highest one set, 7 bits | the 25 bits below that one
//! ```
//!
//! Where two are the same, the smaller value goes first; with a chance of about 2 in a million, that decides which
//! event is the last of a sample.

use std::borrow::Cow;

/// Most events of a sample.
pub(super) const SAMPLE_MAX: usize = 64;

const MANTISSA_BITS: u32 = 25;

/// An event's place in the order that decides who is in the sample. The order is that of hashes.
pub(super) fn priority(hash: u64) -> u32 {
    let empty = hash.leading_zeros();
    // The bits below the highest, moved to the top.
    let below = hash.checked_shl(empty + 1).unwrap_or(0);
    let mantissa = u32::try_from(below >> (u64::BITS - MANTISSA_BITS)).unwrap_or(0);
    (u64::BITS - empty) << MANTISSA_BITS | mantissa
}

/// Values of the events with the smallest priorities.
#[derive(Debug, Default)]
pub(super) struct Sample<'a> {
    /// Ascending; an event for each, also where two are equal.
    events: Vec<(u32, Cow<'a, [u8]>)>,
}

impl<'a> Sample<'a> {
    /// Adds an event, if it is to be kept.
    #[expect(clippy::ptr_arg, reason = "a borrowed value is kept as such, for all of 'a")]
    pub(super) fn offer(&mut self, priority: u32, value: &Cow<'a, [u8]>) {
        let is_full = self.events.len() >= SAMPLE_MAX;
        let is_before = |event: &(u32, Cow<'_, [u8]>)| (event.0, &event.1) < (priority, value);
        if is_full {
            if self.events.last().is_none_or(is_before) {
                return;
            }
            self.events.pop();
        }
        let place = self.events.partition_point(is_before);
        self.events.insert(place, (priority, value.clone()));
    }

    /// Priorities with values, ascending.
    pub(super) fn events(&self) -> &[(u32, Cow<'a, [u8]>)] {
        &self.events
    }

    /// Values with priorities, ascending.
    pub(super) fn by_value(&self) -> Vec<(&[u8], u32)> {
        let events = self.events.iter().map(|(priority, value)| (value.as_ref(), *priority));
        let mut events: Vec<_> = events.collect();
        events.sort_unstable();
        events
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
    }
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;
    use crate::sketch::laws;

    #[test]
    fn priorities_have_the_order_of_hashes() {
        let mut prng = Prng::stream(laws::seed(), "priorities");
        let mut hashes: Vec<u64> = (0..20_000)
            .map(|_| prng.next_u64() >> prng.below(64))
            .chain([0, 1, 2, u64::MAX])
            .collect();
        hashes.sort_unstable();
        assert!(hashes.is_sorted_by_key(|hash| priority(*hash)));
        assert_eq!((priority(0), priority(1), priority(2)), (0, 1 << 25, 2 << 25));
        assert_eq!(priority(u64::MAX), (65 << 25) - 1);
        // 26 bits tell hashes apart, however small they are.
        assert_ne!(priority(0x3ff_fffe), priority(0x3ff_ffff));
        assert_ne!(priority(0x3ff_fffe << 38), priority(0x3ff_ffff << 38));
    }

    #[test]
    fn the_smallest_are_kept_and_equal_ones_as_often_as_they_occur() {
        let seed = laws::seed();
        let mut prng = Prng::stream(seed, "sample");
        for round in 0..200 {
            let draw = |prng: &mut Prng| {
                let value = vec![prng.next_u64().to_le_bytes()[0] % 3];
                (priority(prng.below(30)), Cow::from(value))
            };
            let mut events: Vec<_> = (0..prng.below(150)).map(|_| draw(&mut prng)).collect();
            let mut sample = Sample::default();
            events.iter().for_each(|(priority, value)| sample.offer(*priority, value));
            events.sort_unstable();
            events.truncate(SAMPLE_MAX);
            assert_eq!(sample.events(), events, "LARDER_SEED={seed} round {round}");
        }
    }
}
