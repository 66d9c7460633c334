//! Threads whose clock is moved by hand: what is served, what is turned away, and which answers wait.

use super::*;

const MS: u64 = 1_000_000;
const TURN_MAX: Duration = Duration::from_millis(2);
/// What serving a request takes, and what turning it away does.
const SERVED_NS: u64 = 100_000;
const REFUSED_NS: u64 = 2_000;

/// A clock of nanoseconds, and how much of them the machine did something else.
#[derive(Default)]
struct Hands {
    now_ns: AtomicU64,
    stalled_ns: AtomicU64,
}

impl Hands {
    fn work(&self, ns: u64) {
        self.now_ns.fetch_add(ns, Ordering::Relaxed);
    }

    fn stall(&self, ns: u64) {
        self.work(ns);
        self.stalled_ns.fetch_add(ns, Ordering::Relaxed);
    }

    fn now(&self) -> (u64, &Self) {
        (self.mono_ns(), self)
    }
}

impl Clock for Hands {
    fn wall_ms(&self) -> i64 {
        0
    }

    fn mono_ns(&self) -> u64 {
        self.now_ns.load(Ordering::Relaxed)
    }

    fn worked_ns(&self) -> u64 {
        self.mono_ns() - self.stalled_ns.load(Ordering::Relaxed)
    }
}

fn is_refused(admission: &Admission, opcode: Opcode, visit: Visit, clock: &Hands) -> bool {
    admission.admit(opcode, visit, clock).is_err()
}

/// As many connections as there are visits, each with a request in each round, `parked_ns` between rounds. How often each was
/// served, and how long the longest of the last rounds took.
fn rounds(
    admission: &Admission,
    visits: &mut [Visit],
    (count, parked_ns): (usize, u64),
    clock: &Hands,
) -> (Vec<u64>, u64) {
    let (mut served, mut longest) = (vec![0; visits.len()], 0);
    for round in 0..count {
        let began_ns = clock.mono_ns();
        for (visit, served) in visits.iter_mut().zip(&mut served) {
            admission.visits(visit, false, clock.now());
            if is_refused(admission, Opcode::Read, *visit, clock) {
                clock.work(REFUSED_NS);
            } else {
                clock.work(SERVED_NS);
                *served += 1;
            }
        }
        if round > count / 2 {
            longest = longest.max(clock.mono_ns() - began_ns);
        }
        if parked_ns > 0 {
            admission.parks(clock.mono_ns());
            clock.stall(parked_ns);
            admission.unparks(clock);
        }
    }
    (served, longest)
}

#[test]
fn a_thread_with_time_to_spare_serves_everybody() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    let mut visits = vec![Visit::default(); 200];
    // Turns of 20 ms, and a tenth of the time parked.
    let (served, _) = rounds(&admission, &mut visits, (50, 2 * MS), &clock);
    assert!(served.iter().all(|served| *served == 50), "{served:?}");
    rounds(&admission, &mut visits, (1, 0), &clock);
    let has_refused = admission.has_refused.load(Ordering::Relaxed);
    assert!(!has_refused, "nobody would have been turned away");
}

/// Two hundred closed loops that come again at once: the run queue is never empty, and the thread never parks.
#[test]
fn a_busy_thread_has_short_turns_and_serves_each_connection_now_and_then() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    let mut visits = vec![Visit::default(); 200];
    rounds(&admission, &mut visits, (20, 0), &clock);
    let (served, longest) = rounds(&admission, &mut visits, (2000, 0), &clock);
    assert!(longest <= 2 * MS + SERVED_NS + 200 * REFUSED_NS, "a turn of {longest} ns");
    let all: u64 = served.iter().sum();
    let mean = all / 200;
    assert!(all * SERVED_NS > clock.mono_ns() / 2, "{all} served in {} ns", clock.mono_ns());
    let least = served.iter().min().expect("two hundred");
    assert!(*least > mean * 9 / 10, "one had {least}, the mean is {mean}");
    // And when it has time again, all are served again.
    rounds(&admission, &mut visits, (200, 2 * MS), &clock);
    let (served, _) = rounds(&admission, &mut visits, (10, 10 * MS), &clock);
    assert!(served.iter().all(|served| *served == 10), "{served:?}");
}

/// To turn away takes little time, and then there is nothing to do until somebody comes: that is no time to spare.
#[test]
fn a_thread_that_turns_away_stays_busy_in_the_pauses_that_this_gives_it() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    let mut visits = vec![Visit::default(); 200];
    rounds(&admission, &mut visits, (20, 0), &clock);
    let (served, longest) = rounds(&admission, &mut visits, (2000, MS / 2), &clock);
    assert!(longest <= 2 * MS + SERVED_NS + 200 * REFUSED_NS, "a turn of {longest} ns");
    let all: u64 = served.iter().sum();
    assert!(all * SERVED_NS > clock.mono_ns() / 2, "{all} served in {} ns", clock.mono_ns());
}

/// Sixteen closed loops keep a thread busy, and none waits for long.
#[test]
fn a_busy_thread_with_short_rounds_turns_nobody_away() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    let mut visits = vec![Visit::default(); 16];
    let (served, longest) = rounds(&admission, &mut visits, (2000, 0), &clock);
    assert!(longest == 16 * SERVED_NS && admission.is_busy.load(Ordering::Relaxed));
    assert!(served.iter().all(|served| *served == 2000), "{served:?}");
}

/// What waits after a stall is as little work as before it.
#[test]
fn a_busy_thread_turns_nobody_away_for_what_the_machine_did_instead() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    let mut visits = vec![Visit::default(); 10];
    rounds(&admission, &mut visits, (200, 0), &clock);
    assert!(admission.is_busy.load(Ordering::Relaxed));
    for stalled in 1..10 {
        rounds(&admission, &mut visits, (2, 0), &clock);
        let (before, after) = visits.split_at_mut(stalled);
        let (first, _) = rounds(&admission, before, (1, 0), &clock);
        clock.stall(5 * MS);
        let (second, _) = rounds(&admission, after, (1, 0), &clock);
        assert!(first.iter().chain(&second).all(|served| *served == 1), "stall {stalled}");
    }
    rounds(&admission, &mut visits, (2, 0), &clock);
    // The same time spent working is late.
    let (served, _) = rounds(&admission, &mut visits[..5], (1, 0), &clock);
    clock.work(5 * MS);
    let (late, _) = rounds(&admission, &mut visits[5..], (1, 0), &clock);
    assert!(served.iter().all(|served| *served == 1), "{served:?}");
    assert!(late.iter().all(|served| *served == 0), "{late:?}");
}

/// Where time is short nobody waits for what a stall has left over.
#[test]
fn a_thread_with_as_much_to_do_as_it_can_turns_away_what_comes_after_a_stall() {
    for count in [11, 100] {
        let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
        let mut visits = vec![Visit::default(); count];
        rounds(&admission, &mut visits, (200, 0), &clock);
        let (first, rest) = visits.split_at_mut(1);
        rounds(&admission, first, (1, 0), &clock);
        clock.stall(5 * MS);
        let (served, _) = rounds(&admission, rest, (1, 0), &clock);
        assert!(served.iter().all(|served| *served == 0), "{count}: {served:?}");
        // Also in the round after that, in which little was done.
        rounds(&admission, first, (1, 0), &clock);
        let (next, rest) = rest.split_at_mut(1);
        let (served, _) = rounds(&admission, next, (1, 0), &clock);
        assert_eq!(served, [1], "its turn has come again");
        clock.stall(5 * MS);
        let (served, _) = rounds(&admission, rest, (1, 0), &clock);
        assert!(served.iter().all(|served| *served == 0), "{count}, again: {served:?}");
    }
}

/// Whoever waits for a disk or a lock does not work, and yet others wait: that is let pass until it is most of the time.
#[test]
fn a_busy_thread_that_waits_in_every_round_turns_away() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    let mut visits = vec![Visit::default(); 100];
    rounds(&admission, &mut visits[..10], (200, 0), &clock);
    assert!(admission.is_busy.load(Ordering::Relaxed));
    for round in 0..10 {
        let mut served = 0;
        for visit in &mut visits {
            admission.visits(visit, false, clock.now());
            if !is_refused(&admission, Opcode::Push, *visit, &clock) {
                served += 1;
                clock.work(2_000);
                clock.stall(MS);
            }
        }
        assert!(if round == 0 { served == 100 } else { served <= 4 }, "round {round}: {served}");
    }
}

#[test]
fn a_thread_that_becomes_busy_has_not_worked_all_its_life_in_this_round() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    // It was busy before, and had more to do than it could.
    let mut visits = vec![Visit::default(); 200];
    rounds(&admission, &mut visits, (20, 0), &clock);
    assert!(admission.is_crowded.load(Ordering::Relaxed));
    let mut visits = vec![Visit::default(); 16];
    rounds(&admission, &mut visits, (500, 2 * MS), &clock);
    assert!(!admission.is_busy.load(Ordering::Relaxed), "more than half of the time was spare");
    // In the middle of a round it is found that there was nothing to spare for a whole window, and then comes a stall.
    let (first, _) = rounds(&admission, &mut visits[..8], (1, 0), &clock);
    let watched_ns = clock.mono_ns() - admission.watched_ns.load(Ordering::Relaxed);
    clock.work(WINDOW_NS.saturating_sub(watched_ns));
    admission.parked_ns.store(0, Ordering::Relaxed);
    admission.visits(&mut visits[8], false, clock.now());
    assert!(admission.is_busy.load(Ordering::Relaxed));
    clock.stall(5 * MS);
    let (rest, _) = rounds(&admission, &mut visits[9..], (1, 0), &clock);
    assert!(first.iter().chain(&rest).all(|served| *served == 1), "{first:?} {rest:?}");
}

#[test]
fn quick_answers_of_a_young_round_wait_for_each_other_when_there_are_several() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    let mut visits = vec![Visit::default(); 2];
    let waits = |took_ns| admission.waits_for_others(clock.mono_ns(), clock.mono_ns() + took_ns);
    rounds(&admission, &mut visits[..1], (3, 0), &clock);
    assert!(!waits(0), "nobody else has something to say");
    rounds(&admission, &mut visits, (2, 0), &clock);
    admission.visits(&mut visits[0], false, clock.now());
    assert!(waits(0) && waits(QUICK_NS));
    assert!(!waits(QUICK_NS + 1), "others may take as long");
    // The second time somebody is woken who has nothing to say.
    rounds(&admission, &mut visits[1..], (1, 0), &clock);
    for _ in 0..2 {
        admission.parks(clock.mono_ns());
        admission.unparks(&clock);
    }
    assert!(waits(0));
    clock.work(YOUNG_NS);
    assert!(waits(0));
    clock.work(1);
    assert!(!waits(0), "the round is old");
    // Three of eleven would be heard before the first is answered, and eight after it.
    let mut visits = vec![Visit::default(); 11];
    rounds(&admission, &mut visits, (2, 0), &clock);
    admission.visits(&mut visits[0], false, clock.now());
    assert!(!waits(0), "rounds are long");
}

#[test]
fn nobody_waits_for_those_who_are_turned_away() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    let mut visits = vec![Visit::default(); 2];
    rounds(&admission, &mut visits, (2, 0), &clock);
    admission.visits(&mut visits[0], false, clock.now());
    assert!(admission.waits_for_others(clock.mono_ns(), clock.mono_ns()));
    admission.is_refusing.store(true, Ordering::Relaxed);
    assert!(!admission.waits_for_others(clock.mono_ns(), clock.mono_ns()));
}

#[test]
fn of_a_peer_that_always_has_more_to_say_what_is_late_is_turned_away() {
    let (admission, clock) = (Admission::new(TURN_MAX), Hands::default());
    let mut one = Visit::default();
    for _ in 0..300 {
        clock.work(MS);
        admission.visits(&mut one, true, clock.now());
    }
    assert!(
        is_refused(&admission, Opcode::Read, one, &clock),
        "its turns are short, its queue is old"
    );
    assert!(is_refused(&admission, Opcode::Push, one, &clock));
    assert!(!is_refused(&admission, Opcode::Ping, one, &clock));
    assert!(!is_refused(&admission, Opcode::Stats, one, &clock));
    // It has said all: what it says next is served, once a round has passed.
    (0..2).for_each(|_| admission.visits(&mut one, false, clock.now()));
    assert!(!is_refused(&admission, Opcode::Read, one, &clock));
}

#[test]
fn others_see_which_part_of_the_time_a_thread_worked_of_late() {
    let (clock, admission) = (Hands::default(), Admission::new(TURN_MAX));
    for (works_ns, parks_ns, part) in [(3 * MS, MS, 0.75), (MS, 9 * MS, 0.1)] {
        for _ in 0..200 {
            clock.work(works_ns);
            admission.parks(clock.mono_ns());
            clock.stall(parks_ns);
            admission.unparks(&clock);
        }
        let worked = admission.worked(clock.mono_ns());
        assert!((worked - part).abs() < 0.01, "{worked}");
    }
    clock.stall(400 * MS);
    assert_eq!(admission.worked(clock.mono_ns()), 0.0, "nothing has come");
}
