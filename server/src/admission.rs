//! What a network thread takes on: when it has more to do than it can, it answers some requests at once with `OVERLOADED`, so that
//! the others do not wait.
//!
//! ```text
//!  connections that have something to say, one after the other, round and round:
//!  a b c d e f g h a b c d e f g h a b c d ...
//!  █████░░░░░░░░░░░░░░░░█████░░░░░░░░░░░░░░░      █ served   ░ turned away
//!       └ a whole round: until the first who was turned away comes again
//! ```
//!
//! Whoever arrives while a thread works waits for its round: about as long as one takes. A thread that has been parked for less than a
//! twentieth of the last [`WINDOW_NS`] is *busy*; one that has turned somebody away, for less than a quarter of it: turning away leaves
//! pauses that are no time to spare. When a busy thread has worked for longer than `turn_max` ([`Admission::new`]) in a round, it turns
//! everybody away until each had a turn, which costs a fraction of serving them, and then serves from there on, so that all are served
//! equally often.
//!
//! A round that took long because the machine did something else is no such round, if the one before was short: what waits then is
//! little, and to turn it away would only make it later. Unless the thread is mostly held up, by a disk or by whoever else wants the
//! core: then the clock counts. A thread that is not busy takes everything on: a single long request makes a long round, and that
//! passes. A peer that has always more to say than is read at once makes others wait for nothing, but itself: what it says is late,
//! too, once that has lasted `turn_max`. (Judging by standing queues and not by their length: Nichols and Jacobson, *Controlling Queue
//! Delay*, 2012; Maurer, *Fail at Scale*, 2015.)
//!
//! While a round is young and others are in it, quick answers wait until all were heard, and then leave together: see
//! [`crate::others::first`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use protocol::{CallStatus, Failure, Opcode};
use stdx::clock::Clock;

/// Over which time it is decided whether a thread is busy.
const WINDOW_NS: u64 = 100_000_000;
/// A busy thread is parked for less than this part of the time: the first while it serves everybody, the second while it does not.
const PARKED_PARTS: (u64, u64) = (20, 4);
/// A thread that worked for less than this part of the time in which it was not parked is held up.
const HELD_UP_PART: u64 = 4;
/// Whoever was not judged for so long has nothing to do.
const SILENCE_NS: u64 = 3 * WINDOW_NS;
/// In how many parts time is told.
const PARTS: u64 = 1000;
/// An answer that took longer waits for nobody: others may take as long. A row, windows and a push take 2 to 10 µs.
const QUICK_NS: u64 = 20_000;
/// How old a round may be in which answers wait for each other, and half of how long the one before: half of `turn_max` as it is by default.
const YOUNG_NS: u64 = 500_000;
/// When those who are turned away may come again: when it has been decided anew.
pub(crate) const RETRY_AFTER_MS: i64 = 100;

/// The turns of one network thread. Only it writes them.
#[derive(Debug)]
pub(crate) struct Admission {
    turn_max_ns: u64,
    /// Number of this turn, of serving or of turning away; 0 is none.
    turn: AtomicU64,
    /// When serving began, and how long the thread had worked by then; the latter is known of busy threads.
    serves_ns: AtomicU64,
    worked_ns: AtomicU64,
    /// Connections that had their turn since then, and in the last round before in which any had.
    visits: AtomicU64,
    visits_before: AtomicU64,
    /// Everybody is turned away until all had a turn.
    is_refusing: AtomicBool,
    /// Somebody was, since the thread is watched.
    has_refused: AtomicBool,
    /// When the thread was parked last.
    parked_at_ns: AtomicU64,
    /// Since when it has been watched, and how long it was parked since then.
    watched_ns: AtomicU64,
    parked_ns: AtomicU64,
    is_busy: AtomicBool,
    /// In the round before somebody was turned away, or it was more than half of the work of a turn: time is short, whatever takes it. Known
    /// of busy threads.
    is_crowded: AtomicBool,
    /// For most of the time in which the thread was not parked it waited, for a disk or a core: that is no stall, but all there is.
    is_held_up: AtomicBool,
    /// How long it had worked when it was judged last, and the part of the time in which it had by then, in thousandths.
    judged_ns: AtomicU64,
    worked_parts: AtomicU64,
    /// The round before was short enough for answers to wait for each other.
    was_short: AtomicBool,
}

/// What a connection knows of the turns of its thread.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Visit {
    /// The last turn that it had.
    turn: u64,
    /// Since when its peer has always had more to say.
    waits_ns: u64,
}

impl Admission {
    /// For a thread that is not busy yet, and serves for so long in each turn when it is.
    pub(crate) fn new(turn_max: Duration) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            turn_max_ns: u64::try_from(turn_max.as_nanos()).unwrap_or(u64::MAX),
            turn: AtomicU64::new(1),
            serves_ns: zero(),
            worked_ns: zero(),
            visits: zero(),
            visits_before: zero(),
            is_refusing: AtomicBool::new(false),
            has_refused: AtomicBool::new(false),
            parked_at_ns: zero(),
            watched_ns: zero(),
            parked_ns: zero(),
            is_busy: AtomicBool::new(false),
            is_crowded: AtomicBool::new(false),
            is_held_up: AtomicBool::new(false),
            judged_ns: zero(),
            worked_parts: zero(),
            was_short: AtomicBool::new(false),
        }
    }

    /// Which part of the time the thread worked of late, 0 to 1, as others see it at `now_ns`.
    pub(crate) fn worked(&self, now_ns: u64) -> f64 {
        if now_ns.saturating_sub(self.watched_ns.load(Ordering::Relaxed)) > SILENCE_NS {
            // Nothing has come since it was judged.
            return 0.0;
        }
        self.worked_parts.load(Ordering::Relaxed) as f64 / PARTS as f64
    }

    /// The thread has nothing more to do.
    pub(crate) fn parks(&self, now_ns: u64) {
        self.parked_at_ns.store(now_ns, Ordering::Relaxed);
    }

    /// Something has come. A runtime says so only when it had been parked: not in the middle of work.
    pub(crate) fn unparks(&self, clock: &impl Clock) {
        let now_ns = clock.mono_ns();
        let parked_ns = now_ns.saturating_sub(self.parked_at_ns.load(Ordering::Relaxed));
        self.parked_ns.fetch_add(parked_ns, Ordering::Relaxed);
        self.judge(now_ns, clock);
        self.begin((now_ns.saturating_sub(parked_ns), now_ns), clock);
    }

    /// A connection has its turn, at `now_ns`. `has_more` says that what it has read is not all there is.
    pub(crate) fn visits(
        &self,
        visit: &mut Visit,
        has_more: bool,
        (now_ns, clock): (u64, &impl Clock),
    ) {
        self.judge(now_ns, clock);
        if visit.turn == self.turn.load(Ordering::Relaxed) {
            // A whole round has passed.
            self.begin((now_ns, now_ns), clock);
        } else if !self.is_refusing.load(Ordering::Relaxed) && self.is_late(now_ns, clock) {
            self.turn.fetch_add(1, Ordering::Relaxed);
            self.is_refusing.store(true, Ordering::Relaxed);
            self.has_refused.store(true, Ordering::Relaxed);
        }
        self.visits.store(self.visits.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !has_more || visit.turn == 0 {
            visit.waits_ns = now_ns;
        }
        visit.turn = self.turn.load(Ordering::Relaxed);
    }

    /// Whether what was heard at `heard_ns` and answered at `answered_ns` waits until others were heard: it was quick, rounds are short,
    /// nobody is turned away, and there are others.
    pub(crate) fn waits_for_others(&self, heard_ns: u64, answered_ns: u64) -> bool {
        let since = |then_ns| answered_ns.saturating_sub(then_ns);
        since(heard_ns) <= QUICK_NS
            && self.visits_before.load(Ordering::Relaxed) > 1
            && self.was_short.load(Ordering::Relaxed)
            && since(self.serves_ns.load(Ordering::Relaxed)) <= self.young_ns()
            && !self.is_refusing.load(Ordering::Relaxed)
    }

    fn young_ns(&self) -> u64 {
        YOUNG_NS.min(self.turn_max_ns / 2)
    }

    /// From now on requests are served. The round before ended at the first of the times, which are in ns.
    fn begin(&self, (ended_ns, now_ns): (u64, u64), clock: &impl Clock) {
        self.turn.fetch_add(1, Ordering::Relaxed);
        let visits = self.visits.load(Ordering::Relaxed);
        if visits > 0 {
            self.visits_before.store(visits, Ordering::Relaxed);
            self.visits.store(0, Ordering::Relaxed);
        }
        let round_ns = ended_ns.saturating_sub(self.serves_ns.load(Ordering::Relaxed));
        self.was_short.store(round_ns <= 2 * self.young_ns(), Ordering::Relaxed);
        self.serves_ns.store(now_ns, Ordering::Relaxed);
        let was_refusing = self.is_refusing.swap(false, Ordering::Relaxed);
        if self.is_busy.load(Ordering::Relaxed) {
            let worked_ns = clock.worked_ns();
            let work_ns = worked_ns.saturating_sub(self.worked_ns.load(Ordering::Relaxed));
            let is_crowded = was_refusing || work_ns > self.turn_max_ns / 2;
            self.is_crowded.store(is_crowded, Ordering::Relaxed);
            self.worked_ns.store(worked_ns, Ordering::Relaxed);
        }
    }

    /// Whether the round has taken too long, and that is not a stall after a short one. Only then the dearer clock is looked at.
    fn is_late(&self, now_ns: u64, clock: &impl Clock) -> bool {
        let worked_ns = self.worked_ns.load(Ordering::Relaxed);
        !self.is_in_time(self.serves_ns.load(Ordering::Relaxed), now_ns)
            && self.is_busy.load(Ordering::Relaxed)
            && (self.is_crowded.load(Ordering::Relaxed)
                || self.is_held_up.load(Ordering::Relaxed)
                || !self.is_in_time(worked_ns, clock.worked_ns()))
    }

    fn is_in_time(&self, since_ns: u64, now_ns: u64) -> bool {
        now_ns.saturating_sub(since_ns) <= self.turn_max_ns
    }

    /// Decides anew whether the thread is busy, when it is time to.
    fn judge(&self, now_ns: u64, clock: &impl Clock) {
        let watched = now_ns.saturating_sub(self.watched_ns.load(Ordering::Relaxed));
        if watched < WINDOW_NS {
            return;
        }
        let parked = self.parked_ns.swap(0, Ordering::Relaxed);
        let has_refused = self.has_refused.swap(false, Ordering::Relaxed);
        let part = if has_refused { PARKED_PARTS.1 } else { PARKED_PARTS.0 };
        let is_busy = parked < watched / part;
        let worked_ns = clock.worked_ns();
        let work_ns = worked_ns.saturating_sub(self.judged_ns.load(Ordering::Relaxed));
        self.judged_ns.store(worked_ns, Ordering::Relaxed);
        let parts = work_ns.saturating_mul(PARTS) / watched;
        self.worked_parts.store(parts.min(PARTS), Ordering::Relaxed);
        let awake_ns = watched.saturating_sub(parked);
        self.is_held_up.store(work_ns < awake_ns / HELD_UP_PART, Ordering::Relaxed);
        if is_busy && !self.is_busy.load(Ordering::Relaxed) {
            self.worked_ns.store(worked_ns, Ordering::Relaxed);
            self.is_crowded.store(false, Ordering::Relaxed);
        }
        self.is_busy.store(is_busy, Ordering::Relaxed);
        self.watched_ns.store(now_ns, Ordering::Relaxed);
    }

    /// Whether a request of this operation is taken on now. The clock is looked at only when it matters.
    ///
    /// # Errors
    /// `OVERLOADED`, with the milliseconds after which it is worth another try.
    pub(crate) fn admit(
        &self,
        opcode: Opcode,
        visit: Visit,
        clock: &impl Clock,
    ) -> Result<(), Failure> {
        if !self.is_busy.load(Ordering::Relaxed) || !may_be_refused(opcode) {
            return Ok(());
        }
        let now_ns = clock.mono_ns();
        let is_refusing = self.is_refusing.load(Ordering::Relaxed);
        if !is_refusing && self.is_in_time(visit.waits_ns, now_ns) && !self.is_late(now_ns, clock) {
            return Ok(());
        }
        let message = format!(
            "more is asked for than can be served: try again in {RETRY_AFTER_MS} ms, or elsewhere"
        );
        Err(Failure { status: CallStatus::Overloaded, detail: RETRY_AFTER_MS, message })
    }
}

/// Reads and writes; what operators ask for is always done, and it is seldom.
fn may_be_refused(opcode: Opcode) -> bool {
    match opcode {
        Opcode::Read
        | Opcode::Put
        | Opcode::Push
        | Opcode::Delete
        | Opcode::Retract
        | Opcode::Scan => true,
        Opcode::Hello
        | Opcode::Ping
        | Opcode::Apply
        | Opcode::Describe
        | Opcode::Prepare
        | Opcode::Stats
        | Opcode::Checkpoint
        | Opcode::Export => false,
    }
}

#[cfg(test)]
mod tests;
