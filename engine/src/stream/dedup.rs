//! Event ids that arrived lately: a second event of an id within the stream's `dedup` span is dropped.
//!
//! Ids are kept as 128-bit fingerprints (MurmurHash3): two ids of 10^9 collide with probability 10^-21, so that no
//! event is lost to a hash. Striped by fingerprint; a batch locks the stripes it needs in ascending order and keeps
//! them until its record is in the log buffer. Thus whoever is told "duplicate" can wait for the log position that
//! holds the original.

use std::collections::{HashMap, VecDeque};

use stdx::{
    hash::murmur3_x64_128,
    sync::{Mutex, MutexGuard},
};

pub(crate) const STRIPES: usize = 16;

/// Ids remembered by one stripe. Beyond it the oldest leave before their span is over, and that is counted.
const STRIPE_IDS_MAX: usize = 4 << 20;

/// Ids that one stripe forgets at once while no event comes.
const STEP_IDS: usize = 16 * 1024;

/// The fingerprint of an event id.
pub(crate) fn fingerprint(id: &[u8]) -> u128 {
    let (high, low) = murmur3_x64_128(id, 0);
    u128::from(high) << 64 | u128::from(low)
}

/// The stripe that keeps an id.
pub(crate) fn stripe_of(fingerprint: u128) -> usize {
    usize::try_from(fingerprint % STRIPES as u128).unwrap_or(0)
}

#[derive(Debug, Default)]
struct Stripe {
    /// When each id arrived, in ms of the stream's clock.
    arrived: HashMap<u128, i64>,
    /// Ids in order of arrival, for expiry; an id may stand here twice, its newest arrival decides.
    order: VecDeque<(i64, u128)>,
    evicted: u64,
}

/// Bytes of an id in the map: the pair, aligned, and a tag.
const ARRIVED_BYTES: usize = size_of::<(u128, i64)>() + 1;
/// Bytes of an id in the queue.
const ORDER_BYTES: usize = size_of::<(i64, u128)>();
/// Fewer ids than this part of the room there is give most of it back: one in …
const SHRINK_PARTS: usize = 4;
/// Room for fewer ids is kept.
const SHRINK_FROM: usize = 1024;

impl Stripe {
    /// Bytes allocated. Map and queue double at once: those nearly full are counted as if they had.
    fn bytes(&self) -> usize {
        let ahead = |len: usize, room: usize| if len > room / 4 * 3 { 2 * room } else { room };
        let places = ahead(self.arrived.len(), self.arrived.capacity()) * 8 / 7;
        places * ARRIVED_BYTES + ahead(self.order.len(), self.order.capacity()) * ORDER_BYTES
    }

    /// Gives back the room of ids that were many once.
    fn shrink(&mut self) {
        let room = self.order.capacity().max(self.arrived.capacity());
        if room >= SHRINK_FROM && self.order.len() < room / SHRINK_PARTS {
            self.arrived.shrink_to(2 * self.arrived.len());
            self.order.shrink_to(2 * self.order.len());
        }
    }

    /// Forgets ids that arrived at `before` or earlier, `limit` of them at most.
    fn expire(&mut self, before: i64, limit: usize) {
        for _ in 0..limit {
            let Some((at, id)) = self.order.front().copied() else { break };
            let full = self.order.len() > STRIPE_IDS_MAX;
            if at > before && !full {
                break;
            }
            self.evicted += u64::from(at > before);
            self.order.pop_front();
            if self.arrived.get(&id) == Some(&at) {
                self.arrived.remove(&id);
            }
        }
        self.shrink();
    }
}

/// The ids of one stream.
#[derive(Debug, Default)]
pub(crate) struct Dedup {
    stripes: [Mutex<Stripe>; STRIPES],
}

impl Dedup {
    /// Locks the stripes of `fingerprints`, in ascending order.
    pub(crate) fn lock(&self, fingerprints: impl Iterator<Item = u128>) -> DedupGuards<'_> {
        let mut wanted = [false; STRIPES];
        for fingerprint in fingerprints {
            wanted[stripe_of(fingerprint)] = true;
        }
        let guards =
            self.stripes.iter().zip(wanted).map(|(stripe, wanted)| wanted.then(|| stripe.lock()));
        DedupGuards { guards: guards.collect() }
    }

    /// Each id of a stripe with its arrival, in order of arrival, and what `position` says while nobody can add one.
    pub(crate) fn copy<T>(
        &self,
        stripe: usize,
        position: impl FnOnce() -> T,
    ) -> (Vec<(i64, u128)>, T) {
        let Some(stripe) = self.stripes.get(stripe).map(|stripe| stripe.lock()) else {
            return (Vec::new(), position());
        };
        let is_current = |(at, id): &&(i64, u128)| stripe.arrived.get(id) == Some(at);
        let ids = stripe.order.iter().filter(is_current).copied().collect();
        (ids, position())
    }

    /// Remembers ids that [`Dedup::copy`] gave.
    pub(crate) fn restore(&self, stripe: usize, ids: impl Iterator<Item = (i64, u128)>) {
        let Some(mut stripe) = self.stripes.get(stripe).map(|stripe| stripe.lock()) else { return };
        for (at, id) in ids {
            stripe.arrived.insert(id, at);
            stripe.order.push_back((at, id));
        }
    }

    /// Forgets ids that arrived at `before` or earlier, also when no event comes any more; a bounded number, so that
    /// whoever waits for a stripe waits for a millisecond at most.
    pub(crate) fn expire(&self, before: i64) {
        self.stripes.iter().for_each(|stripe| stripe.lock().expire(before, STEP_IDS));
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.lock().bytes()).sum()
    }

    /// Ids remembered now, and those that had to leave early.
    pub(crate) fn counts(&self) -> (usize, u64) {
        self.stripes.iter().fold((0, 0), |(ids, evicted), stripe| {
            let stripe = stripe.lock();
            (ids + stripe.arrived.len(), evicted + stripe.evicted)
        })
    }
}

/// The locked stripes of one batch.
pub(crate) struct DedupGuards<'a> {
    guards: Vec<Option<MutexGuard<'a, Stripe>>>,
}

impl DedupGuards<'_> {
    /// Remembers that `fingerprint` arrived at `now`; false when it did already within `span_ms` before.
    pub(crate) fn insert(&mut self, fingerprint: u128, now: i64, span_ms: i64) -> bool {
        let stripe = self.guards.get_mut(stripe_of(fingerprint)).and_then(Option::as_mut);
        let Some(stripe) = stripe else { return true };
        let before = now.saturating_sub(span_ms);
        stripe.expire(before, usize::MAX);
        if stripe.arrived.get(&fingerprint).is_some_and(|at| *at > before) {
            return false;
        }
        stripe.arrived.insert(fingerprint, now);
        stripe.order.push_back((now, fingerprint));
        true
    }

    /// Forgets `fingerprint`: the next event of this id is no duplicate.
    pub(crate) fn forget(&mut self, fingerprint: u128) {
        let stripe = self.guards.get_mut(stripe_of(fingerprint)).and_then(Option::as_mut);
        if let Some(stripe) = stripe {
            stripe.arrived.remove(&fingerprint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_duplicate_within_its_span_only() {
        let dedup = Dedup::default();
        let id = fingerprint(b"p-1");
        let insert = |now| dedup.lock([id].into_iter()).insert(id, now, 100);
        assert!(insert(0));
        assert!(!insert(99), "99 ms later");
        assert!(insert(100), "the span is over: half open");
        assert!(!insert(150), "the second arrival counts from its own time");
        assert_eq!(dedup.counts(), (1, 0));
    }

    #[test]
    fn an_id_that_is_forgotten_is_new_again() {
        let dedup = Dedup::default();
        let id = fingerprint(b"p-1");
        let mut ids = dedup.lock([id].into_iter());
        assert!(ids.insert(id, 0, 100));
        ids.forget(id);
        assert!(ids.insert(id, 60, 100));
        assert!(!ids.insert(id, 101, 100), "the first arrival expires alone");
    }
}
