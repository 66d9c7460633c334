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
//! twentieth of the last [`WINDOW_NS`] is *busy*: when a round takes longer than `turn_max` ([`Admission::new`]), it turns everybody away until
//! each had a turn, which costs a fraction of serving them, and then serves from there on, so that all are served equally often. A thread that
//! is not busy takes everything on: a single long request makes a long round, and that passes. A peer that has always more to say
//! than is read at once makes others wait for nothing, but itself: what it says is late, too, once that has lasted `turn_max`. (Judging
//! by standing queues and not by their length: Nichols and Jacobson, *Controlling Queue Delay*, 2012; Maurer, *Fail at Scale*, 2015.)

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use protocol::{CallStatus, Failure, Opcode};

/// Over which time it is decided whether a thread is busy.
const WINDOW_NS: u64 = 100_000_000;
/// A busy thread is parked for less than this part of the time.
const PARKED_PART: u64 = 20;
/// When those who are turned away may come again: when it has been decided anew.
pub(crate) const RETRY_AFTER_MS: i64 = 100;

/// The turns of one network thread. Only it writes them.
#[derive(Debug)]
pub(crate) struct Admission {
    turn_max_ns: u64,
    /// Number of this turn, of serving or of turning away; 0 is none.
    turn: AtomicU64,
    /// When serving began.
    serves_ns: AtomicU64,
    /// Everybody is turned away until all had a turn.
    is_refusing: AtomicBool,
    /// When the thread was parked last.
    parked_at_ns: AtomicU64,
    /// Since when it has been watched, and how long it was parked since then.
    watched_ns: AtomicU64,
    parked_ns: AtomicU64,
    is_busy: AtomicBool,
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
            is_refusing: AtomicBool::new(false),
            parked_at_ns: zero(),
            watched_ns: zero(),
            parked_ns: zero(),
            is_busy: AtomicBool::new(false),
        }
    }

    /// The thread has nothing more to do.
    pub(crate) fn parks(&self, now_ns: u64) {
        self.parked_at_ns.store(now_ns, Ordering::Relaxed);
    }

    /// Something has come. A runtime says so only when it had been parked: not in the middle of work.
    pub(crate) fn unparks(&self, now_ns: u64) {
        let parked_ns = now_ns.saturating_sub(self.parked_at_ns.load(Ordering::Relaxed));
        self.parked_ns.fetch_add(parked_ns, Ordering::Relaxed);
        self.begin(now_ns);
        self.judge(now_ns);
    }

    /// A connection has its turn. `has_more` says that what it has read is not all there is.
    pub(crate) fn visits(&self, visit: &mut Visit, has_more: bool, now_ns: u64) {
        self.judge(now_ns);
        let is_refusing = self.is_refusing.load(Ordering::Relaxed);
        if visit.turn == self.turn.load(Ordering::Relaxed) {
            // A whole round has passed.
            self.begin(now_ns);
        } else if !is_refusing && !self.is_in_time(self.serves_ns.load(Ordering::Relaxed), now_ns) {
            self.turn.fetch_add(1, Ordering::Relaxed);
            self.is_refusing.store(true, Ordering::Relaxed);
        }
        if !has_more || visit.turn == 0 {
            visit.waits_ns = now_ns;
        }
        visit.turn = self.turn.load(Ordering::Relaxed);
    }

    /// From now on requests are served.
    fn begin(&self, now_ns: u64) {
        self.turn.fetch_add(1, Ordering::Relaxed);
        self.serves_ns.store(now_ns, Ordering::Relaxed);
        self.is_refusing.store(false, Ordering::Relaxed);
    }

    fn is_in_time(&self, since_ns: u64, now_ns: u64) -> bool {
        now_ns.saturating_sub(since_ns) <= self.turn_max_ns
    }

    /// Decides anew whether the thread is busy, when it is time to.
    fn judge(&self, now_ns: u64) {
        let watched = now_ns.saturating_sub(self.watched_ns.load(Ordering::Relaxed));
        if watched < WINDOW_NS {
            return;
        }
        let parked = self.parked_ns.swap(0, Ordering::Relaxed);
        self.is_busy.store(parked < watched / PARKED_PART, Ordering::Relaxed);
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
        now_ns: impl FnOnce() -> u64,
    ) -> Result<(), Failure> {
        if !self.is_busy.load(Ordering::Relaxed) || !may_be_refused(opcode) {
            return Ok(());
        }
        let (now_ns, serves_ns) = (now_ns(), self.serves_ns.load(Ordering::Relaxed));
        let is_served = !self.is_refusing.load(Ordering::Relaxed);
        if is_served
            && [serves_ns, visit.waits_ns].iter().all(|since| self.is_in_time(*since, now_ns))
        {
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
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const TURN_MAX: Duration = Duration::from_millis(2);
    /// What serving a request takes, and what turning it away does.
    const SERVED_NS: u64 = 100_000;
    const REFUSED_NS: u64 = 2_000;

    fn is_refused(admission: &Admission, opcode: Opcode, visit: Visit, now_ns: u64) -> bool {
        admission.admit(opcode, visit, || now_ns).is_err()
    }

    /// As many connections as there are visits, each with a request in each round, `parked_ns` between rounds. How often each was
    /// served, and how long the longest of the last rounds took.
    fn rounds(
        admission: &Admission,
        visits: &mut [Visit],
        (count, parked_ns): (usize, u64),
        now_ns: &mut u64,
    ) -> (Vec<u64>, u64) {
        let (mut served, mut longest) = (vec![0; visits.len()], 0);
        for round in 0..count {
            let began_ns = *now_ns;
            for (visit, served) in visits.iter_mut().zip(&mut served) {
                admission.visits(visit, false, *now_ns);
                if is_refused(admission, Opcode::Read, *visit, *now_ns) {
                    *now_ns += REFUSED_NS;
                } else {
                    *now_ns += SERVED_NS;
                    *served += 1;
                }
            }
            if round > count / 2 {
                longest = longest.max(*now_ns - began_ns);
            }
            if parked_ns > 0 {
                admission.parks(*now_ns);
                *now_ns += parked_ns;
                admission.unparks(*now_ns);
            }
        }
        (served, longest)
    }

    #[test]
    fn a_thread_with_time_to_spare_serves_everybody() {
        let admission = Admission::new(TURN_MAX);
        let (mut visits, mut now_ns) = (vec![Visit::default(); 200], 0);
        // Turns of 20 ms, and a tenth of the time parked.
        let (served, _) = rounds(&admission, &mut visits, (50, 2 * MS), &mut now_ns);
        assert!(served.iter().all(|served| *served == 50), "{served:?}");
    }

    /// Two hundred closed loops that come again at once: the run queue is never empty, and the thread never parks.
    #[test]
    fn a_busy_thread_has_short_turns_and_serves_each_connection_now_and_then() {
        let admission = Admission::new(TURN_MAX);
        let (mut visits, mut now_ns) = (vec![Visit::default(); 200], 0);
        rounds(&admission, &mut visits, (20, 0), &mut now_ns);
        let (served, longest) = rounds(&admission, &mut visits, (2000, 0), &mut now_ns);
        assert!(longest <= 2 * MS + SERVED_NS + 200 * REFUSED_NS, "a turn of {longest} ns");
        let all: u64 = served.iter().sum();
        let mean = all / 200;
        assert!(all * SERVED_NS > now_ns / 2, "{all} served in {now_ns} ns");
        let least = served.iter().min().expect("two hundred");
        assert!(*least > mean * 9 / 10, "one had {least}, the mean is {mean}");
        // And when it has time again, all are served again.
        rounds(&admission, &mut visits, (200, 2 * MS), &mut now_ns);
        let (served, _) = rounds(&admission, &mut visits, (10, 10 * MS), &mut now_ns);
        assert!(served.iter().all(|served| *served == 10), "{served:?}");
    }

    /// Sixteen closed loops keep a thread busy, and none waits for long.
    #[test]
    fn a_busy_thread_with_short_rounds_turns_nobody_away() {
        let admission = Admission::new(TURN_MAX);
        let (mut visits, mut now_ns) = (vec![Visit::default(); 16], 0);
        let (served, longest) = rounds(&admission, &mut visits, (2000, 0), &mut now_ns);
        assert!(longest == 16 * SERVED_NS && admission.is_busy.load(Ordering::Relaxed));
        assert!(served.iter().all(|served| *served == 2000), "{served:?}");
    }

    #[test]
    fn of_a_peer_that_always_has_more_to_say_what_is_late_is_turned_away() {
        let admission = Admission::new(TURN_MAX);
        let (mut one, mut now_ns) = (Visit::default(), 0);
        for _ in 0..300 {
            now_ns += MS;
            admission.visits(&mut one, true, now_ns);
        }
        assert!(
            is_refused(&admission, Opcode::Read, one, now_ns),
            "its turns are short, its queue is old"
        );
        assert!(is_refused(&admission, Opcode::Push, one, now_ns));
        assert!(!is_refused(&admission, Opcode::Ping, one, now_ns));
        assert!(!is_refused(&admission, Opcode::Stats, one, now_ns));
        // It has said all: what it says next is served, once a round has passed.
        (0..2).for_each(|_| admission.visits(&mut one, false, now_ns));
        assert!(!is_refused(&admission, Opcode::Read, one, now_ns));
    }
}
