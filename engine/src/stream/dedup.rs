//! Event ids that arrived lately: a second event of an id within the stream's `dedup` span is dropped.
//!
//! Ids are kept as 128-bit fingerprints (MurmurHash3): two ids of 10^9 collide with probability 10^-21, so that no
//! event is lost to a hash. Striped by fingerprint; a batch locks the stripes it needs in ascending order and keeps
//! them until its record is in the log buffer. Thus whoever is told "duplicate" can wait for the log position that
//! holds the original, and nobody sees ids of a batch that is not logged after all: they go with its locks.

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

/// Ids copied under one lock: about a millisecond.
const COPY_IDS: u64 = 8 * 1024;

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
    /// How many left `order` at its front: the number of the one that is there now.
    left: u64,
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

    /// `id` arrives at `now`; when it did before, if it did. Refused when that was after `before`.
    fn arrives(&mut self, id: u128, now: i64, before: i64) -> Result<Option<i64>, Duplicate> {
        let known = self.arrived.get(&id).copied();
        if known.is_some_and(|at| at > before) {
            return Err(Duplicate);
        }
        self.arrived.insert(id, now);
        self.order.push_back((now, id));
        Ok(known)
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
            self.left += 1;
            if self.arrived.get(&id) == Some(&at) {
                self.arrived.remove(&id);
            }
        }
        self.shrink();
    }
}

/// An id arrived lately.
struct Duplicate;

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
        // Most streams have no ids that are remembered: nothing is locked for them.
        let guards = if wanted.contains(&true) {
            let stripes = self.stripes.iter().zip(wanted);
            stripes.map(|(stripe, wanted)| wanted.then(|| stripe.lock())).collect()
        } else {
            Vec::new()
        };
        DedupGuards { guards, tentative: Vec::new() }
    }

    /// Each id of a stripe with its arrival, in order of arrival, and what `position` says of the log while nobody can add one.
    /// The stripe is locked for [`COPY_IDS`] ids at a time, others may go first in between.
    ///
    /// None is added behind the position, but some that were there may be missing: those that records behind it took away or saw
    /// arrive again, and those that expired. Recovery repeats these records, each of which does the same to an id that is missing
    /// as to one that is there, and an id that expired is a duplicate of none.
    pub(crate) fn copy<T>(
        &self,
        stripe: usize,
        position: impl FnOnce() -> T,
    ) -> (Vec<(i64, u128)>, T) {
        let Some(stripe) = self.stripes.get(stripe) else { return (Vec::new(), position()) };
        let (mut copy, position) = IdsCopy::begin(&stripe.lock(), position);
        while copy.step(&stripe.lock(), COPY_IDS) {}
        (copy.ids, position)
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

/// A stripe on its way into a snapshot.
struct IdsCopy {
    /// Number of the first id that was not looked at yet.
    next: u64,
    /// Number of the first id that came later.
    end: u64,
    ids: Vec<(i64, u128)>,
}

impl IdsCopy {
    /// Of the ids that are there now, at what `position` says.
    fn begin<T>(stripe: &Stripe, position: impl FnOnce() -> T) -> (Self, T) {
        let end = stripe.left + stripe.order.len() as u64;
        (Self { next: stripe.left, end, ids: Vec::with_capacity(stripe.arrived.len()) }, position())
    }

    /// Looks at the next `limit` ids; false at the end.
    fn step(&mut self, stripe: &Stripe, limit: u64) -> bool {
        let from = self.next.max(stripe.left);
        let to = self.end.min(from + limit).max(from);
        let place = |number: u64| usize::try_from(number - stripe.left).unwrap_or(usize::MAX);
        let is_current = |(at, id): &&(i64, u128)| stripe.arrived.get(id) == Some(at);
        self.ids.extend(stripe.order.range(place(from)..place(to)).filter(is_current));
        self.next = to;
        to < self.end
    }
}

/// The locked stripes of one batch.
pub(crate) struct DedupGuards<'a> {
    guards: Vec<Option<MutexGuard<'a, Stripe>>>,
    /// Ids that are forgotten again if nobody says to keep them, each with its arrival before.
    tentative: Vec<(u128, Option<i64>)>,
}

impl<'a> DedupGuards<'a> {
    fn stripe(&mut self, fingerprint: u128) -> Option<&mut MutexGuard<'a, Stripe>> {
        self.guards.get_mut(stripe_of(fingerprint)).and_then(Option::as_mut)
    }

    /// Remembers that `fingerprint` arrived at `now`; false when it did already within `span_ms` before.
    pub(crate) fn insert(&mut self, fingerprint: u128, now: i64, span_ms: i64) -> bool {
        let Some(stripe) = self.stripe(fingerprint) else { return true };
        let before = now.saturating_sub(span_ms);
        stripe.expire(before, usize::MAX);
        stripe.arrives(fingerprint, now, before).is_ok()
    }

    /// As [`DedupGuards::insert`], but remembered only with [`DedupGuards::keep`].
    pub(crate) fn note(&mut self, fingerprint: u128, now: i64, span_ms: i64) -> bool {
        let Some(stripe) = self.stripe(fingerprint) else { return true };
        match stripe.arrives(fingerprint, now, now.saturating_sub(span_ms)) {
            Ok(known) => self.tentative.push((fingerprint, known)),
            Err(Duplicate) => return false,
        }
        true
    }

    /// What was noted is remembered: its record is in the log. Ids that arrived at `before` or earlier make room for it.
    pub(crate) fn keep(&mut self, before: i64) {
        self.tentative.clear();
        self.guards.iter_mut().flatten().for_each(|stripe| stripe.expire(before, usize::MAX));
    }

    /// Forgets `fingerprint`: the next event of this id is no duplicate.
    pub(crate) fn forget(&mut self, fingerprint: u128) {
        if let Some(stripe) = self.stripe(fingerprint) {
            stripe.arrived.remove(&fingerprint);
        }
    }
}

impl Drop for DedupGuards<'_> {
    /// Takes back what was noted and not kept, the last first: nobody else had the stripes meanwhile.
    fn drop(&mut self) {
        for (fingerprint, known) in std::mem::take(&mut self.tentative).into_iter().rev() {
            let Some(stripe) = self.stripe(fingerprint) else { continue };
            stripe.order.pop_back();
            match known {
                Some(at) => stripe.arrived.insert(fingerprint, at),
                None => stripe.arrived.remove(&fingerprint),
            };
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

    /// A push that was refused forgot the arrival that its id had before, and let ids expire under a time that never came.
    #[test]
    fn a_batch_that_is_not_kept_leaves_no_trace() {
        let dedup = Dedup::default();
        let (a, b) = (fingerprint(b"a"), fingerprint(b"b"));
        let state = |dedup: &Dedup| {
            let stripes = dedup.stripes.iter().map(|stripe| stripe.lock());
            stripes.map(|s| (s.arrived.clone(), s.order.clone(), s.left)).collect::<Vec<_>>()
        };
        let mut ids = dedup.lock([a, b].into_iter());
        assert!(ids.note(a, 0, 100) && ids.note(b, 50, 100));
        ids.keep(-50);
        drop(ids);
        let before = state(&dedup);
        let mut ids = dedup.lock([a, b].into_iter());
        assert!(ids.note(a, 120, 100) && ids.note(b, 500, 100) && !ids.note(b, 510, 100));
        assert!(ids.note(b, 600, 100), "twice in one batch, far apart");
        drop(ids);
        assert_eq!(state(&dedup), before);
    }

    /// A stripe was locked until all of it was copied. What comes in between is behind the position, and replayed.
    #[test]
    fn a_stripe_copied_step_by_step_and_what_came_meanwhile_replayed_is_the_stripe() {
        const SPAN: i64 = 40;
        let of_stripe = |n: u128| n * STRIPES as u128;
        for seed in 0..500 {
            let mut prng = stdx::prng::Prng::new(seed);
            let (dedup, mut now) = (Dedup::default(), 0);
            let mut log: Vec<(i64, u128, bool)> = Vec::new();
            let act = |dedup: &Dedup, (now, id, is_push): (i64, u128, bool)| {
                let mut ids = dedup.lock([id].into_iter());
                if !is_push {
                    ids.forget(id);
                }
                !is_push || ids.insert(id, now, SPAN)
            };
            let mut some = |dedup: &Dedup, now: &mut i64, count: u64| {
                let mut logged = Vec::new();
                for _ in 0..count {
                    *now += prng.between(0, 3);
                    let one = (*now, of_stripe(prng.below(60).into()), prng.chance(0.8));
                    if act(dedup, one) {
                        logged.push(one);
                    }
                }
                logged
            };
            some(&dedup, &mut now, 100);
            let (mut copy, ()) = IdsCopy::begin(&dedup.stripes[0].lock(), || ());
            while copy.step(&dedup.stripes[0].lock(), 3) {
                log.extend(some(&dedup, &mut now, 2));
            }
            let restored = Dedup::default();
            restored.restore(0, copy.ids.into_iter());
            log.into_iter().for_each(|one| assert!(act(&restored, one), "seed {seed}: {one:?}"));
            let known = |dedup: &Dedup| {
                let stripe = dedup.stripes[0].lock();
                let live = stripe.arrived.iter().filter(|(_, at)| **at > now - SPAN);
                live.map(|(id, at)| (*id, *at)).collect::<std::collections::BTreeMap<_, _>>()
            };
            assert_eq!(known(&restored), known(&dedup), "seed {seed}");
        }
    }
}
