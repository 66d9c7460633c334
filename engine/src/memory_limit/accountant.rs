//! How much memory is used, as one number that every write asks before it adds something.
//!
//! ```text
//! used = what the last walk found + the estimates of writes that it may not have seen
//! ```
//!
//! A write adds its estimate before anything happens, and takes it back when it fails. One that succeeded is *settled*:
//! the next walk that begins finds what it allocated, and when that walk is over the estimate goes. So the number is
//! never below what is allocated, as long as no write allocates more than it said, and no estimate is counted for
//! longer than two walks.
//!
//! Refusing has a memory: once a write was refused although the walk was fresh and hardly anything was left, all are
//! refused until a walk finds [`RESUME_PARTS`] of the limit free. Else a server at its limit would take one write in
//! ten, at random.

use stdx::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Writes are taken again when this part of the limit is free: one in …
const RESUME_PARTS: u64 = 32;
/// Memory is nearly full when less than this part is free: one in …
const NEAR_PARTS: u64 = 8;
/// A walk is worth its time when it finds this part of the limit free: one in …
const WALK_PARTS: u64 = 128;
/// Walks are repeated at the latest after so long, in ns, when a write finds no room.
const WALK_NS: u64 = 100_000_000;

/// How memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// There is room, or no limit.
    Ok,
    /// Less than an eighth of the limit is left.
    Near,
    /// Writes that need memory are refused.
    Full,
}

impl Health {
    /// The word shown to people: ok, near, full.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Near => "near",
            Self::Full => "full",
        }
    }
}

/// A write found no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Bytes in use.
    pub used: u64,
    /// Bytes that may be in use.
    pub limit: u64,
    /// Bytes that the write may need.
    pub needed: u64,
}

/// What the last walk found.
#[derive(Debug, Default)]
struct Walked {
    bytes: u64,
    /// Estimates that are in it, of all that were ever settled.
    released: u64,
    /// When, on the monotonic clock.
    at_ns: u64,
}

/// See the module. Every method takes `&self`.
#[derive(Debug)]
pub struct Accountant {
    limit: Option<u64>,
    used: AtomicU64,
    /// Sum of the estimates of all writes that went through, since the start; wraps around.
    settled: AtomicU64,
    full: AtomicBool,
    refused: AtomicU64,
    /// One walk at a time; who waits for it asks again instead of walking too.
    walked: Mutex<Walked>,
}

impl Accountant {
    /// Nothing is used; `limit` in bytes, `None` for as much as there is.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            full: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            walked: Mutex::new(Walked::default()),
        }
    }

    /// Bytes that may be in use; `None` without a limit.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Bytes in use: at the last walk, and what writes may have added since. Without a limit, those of the last walk.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    /// Writes refused since the start.
    #[must_use]
    pub fn refused_count(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How memory is.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.limit {
            Some(_) if self.full.load(Ordering::Acquire) => Health::Full,
            Some(limit) if self.used() > limit - limit / NEAR_PARTS => Health::Near,
            _ => Health::Ok,
        }
    }

    /// Room for a write that adds at most `bytes`, before it adds any. `walk` says how much memory is in use now; it is
    /// called when that may help; `now_ns` reads the monotonic clock, and is asked only then. Whoever needs nothing is
    /// never refused.
    ///
    /// # Errors
    /// [`Refused`]: there is no room, and there was none a moment ago either.
    pub fn admit(
        &self,
        bytes: u64,
        now_ns: impl FnOnce() -> u64,
        walk: impl FnOnce() -> u64,
    ) -> Result<Reservation<'_>, Refused> {
        let Some(limit) = self.limit.filter(|_| bytes > 0) else {
            return Ok(Reservation { accountant: self, bytes: 0 });
        };
        if self.take(bytes, limit) {
            return Ok(Reservation { accountant: self, bytes });
        }
        let mut walked = self.walked.lock();
        // Whoever had the lock may have walked.
        if self.take(bytes, limit) {
            return Ok(Reservation { accountant: self, bytes });
        }
        let now_ns = now_ns();
        if self.may_help(&walked, bytes, limit, now_ns) {
            self.renew(&mut walked, now_ns, walk);
            if self.take(bytes, limit) {
                return Ok(Reservation { accountant: self, bytes });
            }
            if self.used() > resume_at(limit) {
                self.set_full(true, limit);
            }
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        Err(Refused { used: self.used(), limit, needed: bytes })
    }

    /// Replaces estimates by what `walk` finds, and takes writes again when there is room. About every 100 ms, or when
    /// somebody asks.
    pub fn measure(&self, now_ns: u64, walk: impl FnOnce() -> u64) {
        self.renew(&mut self.walked.lock(), now_ns, walk);
    }

    fn take(&self, bytes: u64, limit: u64) -> bool {
        let with = |used: u64| used.checked_add(bytes).filter(|used| *used <= limit);
        !self.full.load(Ordering::Acquire)
            && self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, with).is_ok()
    }

    /// False when a walk is certain to find too little room, or the last one is no older than it may be.
    fn may_help(&self, walked: &Walked, bytes: u64, limit: u64, now_ns: u64) -> bool {
        let is_old = walked.at_ns == 0 || now_ns.saturating_sub(walked.at_ns) >= WALK_NS;
        let at_least = walked.bytes.saturating_add(bytes.max(limit / WALK_PARTS));
        is_old || (at_least <= limit && !self.full.load(Ordering::Acquire))
    }

    fn renew(&self, walked: &mut MutexGuard<'_, Walked>, now_ns: u64, walk: impl FnOnce() -> u64) {
        // What is settled by now was applied before, so that the walk sees it.
        let settled = self.settled.load(Ordering::Acquire);
        let bytes = walk();
        let gone = walked.bytes.wrapping_add(settled.wrapping_sub(walked.released));
        // In one step: nobody sees the new bytes with the old estimates, nor neither.
        self.used.fetch_add(bytes.wrapping_sub(gone), Ordering::AcqRel);
        **walked = Walked { bytes, released: settled, at_ns: now_ns.max(1) };
        if let Some(limit) = self.limit
            && self.used() <= resume_at(limit)
        {
            self.set_full(false, limit);
        }
    }

    /// Says so once when it changes.
    fn set_full(&self, full: bool, limit: u64) {
        if self.full.swap(full, Ordering::AcqRel) == full {
            return;
        }
        let used = self.used();
        if full {
            tracing::warn!(
                used,
                limit,
                "memory is full: writes that need memory are refused, reads, deletes and expiry go on; \
                 delete entities, shorten windows, or start with a larger --max-memory"
            );
        } else {
            tracing::info!(used, limit, "memory has room again: all writes are taken");
        }
    }
}

fn resume_at(limit: u64) -> u64 {
    limit - limit / RESUME_PARTS
}

/// Room for one write. Dropped, it is given back: the write did nothing.
#[derive(Debug)]
#[must_use = "room that is dropped is given back"]
pub struct Reservation<'a> {
    accountant: &'a Accountant,
    bytes: u64,
}

impl Reservation<'_> {
    /// The write was applied: the next walk finds what it really added.
    pub fn settle(mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.accountant.settled.fetch_add(bytes, Ordering::AcqRel);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.accountant.used.fetch_sub(self.bytes, Ordering::AcqRel);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const LIMIT: u64 = 3200;
    /// In ns: walks are 100 ms apart.
    const LATER: u64 = 1_000_000_000;

    fn never() -> u64 {
        unreachable!("nobody asked for a walk")
    }

    #[test]
    fn estimates_count_until_a_walk_has_seen_what_they_became() {
        let memory = Accountant::new(Some(LIMIT));
        let first = memory.admit(1000, || 1, never).expect("room");
        memory.admit(500, || 1, never).expect("room").settle();
        assert_eq!(memory.used(), 1500);
        memory.measure(2, || {
            memory.admit(100, || 2, never).expect("room").settle();
            200
        });
        assert_eq!(memory.used(), 1300, "found 200; 1000 are under way, 100 came during the walk");
        first.settle();
        memory.measure(3, || 700);
        assert_eq!(memory.used(), 700);
        memory.measure(4, || 90);
        assert_eq!(memory.used(), 90, "what was deleted is given back");
    }

    #[test]
    fn a_write_that_failed_leaves_no_estimate() {
        let memory = Accountant::new(Some(LIMIT));
        drop(memory.admit(1000, || 1, never).expect("room"));
        assert_eq!(memory.used(), 0);
        memory.measure(2, || 10);
        assert_eq!(memory.used(), 10);
    }

    #[test]
    fn a_walk_makes_room_where_estimates_were_too_high() {
        let memory = Accountant::new(Some(LIMIT));
        memory.admit(3000, || 1, never).expect("room").settle();
        let taken = memory.admit(3000, || 2, || 150).expect("the walk found room");
        assert_eq!(memory.used(), 3150);
        taken.settle();
        assert_eq!((memory.health(), memory.refused_count()), (Health::Near, 0));
    }

    #[test]
    fn once_full_writes_wait_until_a_thirty_second_is_free() {
        let memory = Accountant::new(Some(LIMIT));
        memory.measure(1, || 3150);
        let refused = memory.admit(100, || LATER, || 3150).expect_err("3150 + 100 is too much");
        assert_eq!(refused, Refused { used: 3150, limit: LIMIT, needed: 100 });
        assert_eq!(memory.health(), Health::Full);
        memory.admit(1, || LATER + 1, never).expect_err("full, and the walk is fresh");
        memory.admit(1, || 2 * LATER, || 3101).expect_err("a hundred must be free");
        memory.admit(0, || 2 * LATER, never).expect("needs nothing").settle();
        memory.admit(1, || 3 * LATER, || 3100).expect("there is room again").settle();
        assert_eq!((memory.health(), memory.refused_count()), (Health::Near, 3));
    }

    #[test]
    fn one_write_too_large_does_not_stop_the_others() {
        let memory = Accountant::new(Some(LIMIT));
        memory.admit(LIMIT + 1, || LATER, || 7).expect_err("larger than all there is");
        memory.admit(u64::MAX, || LATER, || 7).expect_err("and no sum wraps around");
        assert_eq!(memory.health(), Health::Ok);
        memory.admit(5, || LATER, never).expect("room").settle();
    }

    #[test]
    fn without_a_limit_nothing_is_refused_and_walks_are_told() {
        let memory = Accountant::new(None);
        memory.admit(u64::MAX, || 1, never).expect("no limit").settle();
        memory.measure(2, || 77);
        assert_eq!((memory.used(), memory.health(), memory.limit()), (77, Health::Ok, None));
    }

    #[test]
    fn memory_restored_beyond_the_limit_is_full_and_recovers() {
        let memory = Accountant::new(Some(LIMIT));
        memory.measure(1, || 2 * LIMIT);
        memory.admit(1, || LATER, || 2 * LIMIT).expect_err("restored beyond the limit");
        assert_eq!(memory.health(), Health::Full);
        memory.measure(2 * LATER, || 10);
        assert_eq!(memory.health(), Health::Ok);
    }
}
