//! Plans for machines that are calculated: what threads, and whoever asks them, can do with so many cores.

use super::*;

/// Who asks, from the same machine.
#[derive(Clone, Copy)]
struct Load {
    /// Requests in a tenth of a second; none: as many as are answered.
    rate: Option<f64>,
    /// CPU time for a request: of the server with one thread, of what each thread more adds, and of who asks, with one thread; in µs.
    cost: (f64, f64, f64),
}

/// A machine, and the threads on it.
struct Machine {
    cores: f64,
    plan: Plan,
    /// How many were used in each moment.
    used: Vec<usize>,
}

impl Machine {
    fn new(cores: usize, used: usize) -> Self {
        Self { cores: cores as f64, plan: Plan::new(cores, used), used: Vec::new() }
    }

    /// So many moments of such a load.
    fn bears(&mut self, load: Load, moments: usize) -> &[usize] {
        const MOMENT_US: f64 = 100_000.0;
        let start = self.used.len();
        for moment in 0..moments {
            let threads = self.plan.used as f64;
            let (one, more, asks) = load.cost;
            let served = one + more * (threads - 1.0);
            // The threads do no more than they can, nor does who asks, nor all of them together.
            let most = (threads / served).min(1.0 / asks).min(self.cores / (served + asks));
            let wanted = load.rate.unwrap_or(f64::INFINITY);
            // Measured as it is: with an error of some hundredths.
            let answered = (most * MOMENT_US).min(wanted) * (1.0 + 0.02 * (moment as f64).sin());
            let worked = (answered * served / MOMENT_US / threads).min(1.0);
            let idle = (self.cores - answered * (served + asks) / MOMENT_US).max(0.0);
            let worked = vec![worked; self.plan.used];
            let has_shed = worked[0] > 0.97 && load.rate.is_some();
            let idle = Some(idle);
            self.used.push(self.plan.next(Moment { worked: &worked, idle, answered, has_shed }));
        }
        &self.used[start..]
    }
}

/// In how many of the moments so many threads were used.
fn share(moments: &[usize], used: usize) -> f64 {
    moments.iter().filter(|it| **it == used).count() as f64 / moments.len() as f64
}

/// Rows, windows and pushes, asked for by a generator that needs as much: the second thread makes them dearer by a fifth.
const QUICK: Load = Load { rate: None, cost: (7.0, 1.4, 7.0) };
/// Sixteen vectors with many events: as dear with two threads as with one.
const LONG: Load = Load { rate: None, cost: (55.0, 0.5, 18.0) };
/// Asked for from elsewhere.
const REMOTE: Load = Load { rate: None, cost: (7.0, 0.1, 0.1) };

fn rate(a_second: f64, load: Load) -> Load {
    Load { rate: Some(a_second / 10.0), ..load }
}

#[test]
fn a_machine_that_is_full_has_as_many_threads_as_do_most() {
    for used in [1, 2] {
        let mut machine = Machine::new(2, used);
        let moments = machine.bears(QUICK, 1_000).to_vec();
        assert!(share(&moments[30..], 1) > 0.99, "quick ones, from {used}: {moments:?}");
        let mut machine = Machine::new(2, used);
        let moments = machine.bears(LONG, 10_000).to_vec();
        assert!(share(&moments[3..], 2) > 0.97, "long ones, from {used}");
        assert!(share(&moments[5_000..], 2) > 0.99, "it is tried more and more seldom");
        let mut machine = Machine::new(16, used);
        let moments = machine.bears(REMOTE, 10_000).to_vec();
        assert!(moments[4] == 16 && moments.iter().skip(100).all(|it| *it > 8), "{moments:?}");
    }
}

#[test]
fn threads_become_more_at_once_and_fewer_after_a_while() {
    let mut machine = Machine::new(8, 1);
    assert_eq!(share(machine.bears(rate(60_000.0, REMOTE), 300), 1), 1.0, "0.4 cores");
    let moments = machine.bears(rate(300_000.0, REMOTE), 300).to_vec();
    assert!(moments[1] == 2 && moments[299] == 8, "2 cores, after a trial each: {moments:?}");
    let moments = machine.bears(rate(20_000.0, REMOTE), 1_000).to_vec();
    assert_eq!((moments[28], moments[29]), (8, 7), "after 3 s");
    assert!(moments.windows(2).all(|pair| pair[1] <= pair[0]) && moments[999] == 1, "{moments:?}");
}

#[test]
fn one_busy_connection_does_not_make_threads_come_and_go() {
    let mut plan = Plan::new(4, 1);
    let mut used = Vec::new();
    for _ in 0..500 {
        let mut worked = [0.01; 4];
        worked[0] = 0.8;
        let moment = Moment { worked: &worked, idle: Some(3.1), answered: 900.0, has_shed: false };
        used.push(plan.next(moment));
    }
    assert!(used.is_sorted() && used.last() == Some(&4), "{used:?}");
}

#[test]
fn fewer_threads_that_turn_somebody_away_are_given_up_at_once() {
    let mut plan = Plan::new(2, 2);
    let full = Moment { worked: &[0.7; 2], idle: Some(0.0), answered: 100.0, has_shed: false };
    let first = (0..100).position(|_| plan.next(full) == 1);
    assert!(first.is_some_and(|first| first < 10), "fewer are tried: {first:?}");
    let sheds = Moment { has_shed: true, ..full };
    assert_eq!(plan.next(sheds), 2);
    assert!((0..80).all(|_| plan.next(full) == 2), "not again soon");
}

#[test]
fn whoever_stops_asking_on_the_same_machine_leaves_a_core_that_is_used() {
    let mut machine = Machine::new(2, 1);
    machine.bears(QUICK, 1_000);
    let moments = machine.bears(REMOTE, 100).to_vec();
    assert!(moments[1] == 2 && share(&moments, 2) > 0.9, "{moments:?}");
}

#[test]
fn loads_that_come_and_go_have_as_many_threads_as_those_that_stay() {
    let nobody = rate(0.0, QUICK);
    for used in [1, 2] {
        for turn in [5, 8, 12, 20] {
            let mut machine = Machine::new(2, used);
            for at in 0..100 {
                let moments = machine.bears(QUICK, turn).to_vec();
                let most = at > 10 && share(&moments, 1) < 1.0;
                assert!(!most, "from {used}, turn {at} of {turn} moments: {moments:?}");
                machine.bears(nobody, turn);
            }
            let mut machine = Machine::new(2, used);
            for _ in 0..10 {
                let moments = machine.bears(LONG, turn).to_vec();
                assert!(moments[3..].contains(&2), "from {used}, {turn}: {moments:?}");
                machine.bears(nobody, turn);
            }
        }
    }
}

#[test]
fn where_nothing_is_known_of_the_machine_it_has_cores_enough() {
    let mut plan = Plan::new(4, 1);
    let moment = Moment { worked: &[0.9; 4], idle: None, answered: 100.0, has_shed: false };
    let used: Vec<_> = (0..100).map(|_| plan.next(moment)).collect();
    assert!(used[1] == 2 && used[99] == 4, "{used:?}");
}
