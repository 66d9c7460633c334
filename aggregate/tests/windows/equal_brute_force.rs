//! Time goes on, events come in, some late, some ahead, some twice at one time; at any moment any as-of within the horizon
//! must answer what brute force finds in the list of all accepted events, to the bit.
//!
//! Most histories are short, for there are many definitions; some have a burst of thousands of events within the horizon.

use aggregate::{EntityWindows, ReadAt, ReadScratch};
use stdx::prng::Prng;

use crate::{
    oracle::Oracle,
    workload::{Case, Event, Spread, Tally, Timeline, choose, compare, seed},
};

/// Values compared in all, in two halves so that two processors share them; and those of each hard kind.
const VALUES_MIN: usize = 1_000_000;
const RAREST_MIN: usize = 200;
const BURST_EVENTS: i64 = 3_000;
/// Bursts of one value, of some with one that is frequent, of many.
const BURSTS: [Spread; 3] =
    [Spread::ONE, Spread { values: 900, first: 0.3 }, Spread { values: 10_000, first: 0.0 }];

#[test]
fn every_value_equals_brute_force() {
    let seed = seed(20_260_101);
    let half = |first: u64| {
        let (mut compared, mut round) = (Tally::default(), first);
        while compared.values < VALUES_MIN / 2 {
            compared += one_history(seed, round);
            round += 2;
        }
        (compared, round)
    };
    let ((mut compared, even), (of_odd, odd)) = std::thread::scope(|scope| {
        let even = scope.spawn(|| half(0));
        let odd = half(1);
        (even.join().expect("a value of an even history differs, see above"), odd)
    });
    compared += of_odd;
    println!("{compared:?} of {} histories, LARDER_SEED={seed}", (even + odd) / 2);
    assert!(compared.values >= VALUES_MIN);
    assert!(compared.rarest() >= RAREST_MIN, "{compared:?}, LARDER_SEED={seed}");
}

/// Groups of as many windows as there may be, in which events are one number each and some count in some cells only: what is read quickest.
#[test]
fn numbers_of_many_windows_equal_brute_force() {
    let seed = seed(20_261_122);
    let few = r#""5m", "10m", "20m", "30m", "40m", "50m", "55m", "1h""#;
    let many = r#""2h", "3h", "4h", "5h", "6h", "7h", "8h""#;
    // The first two of these mostly start together.
    let together = (r#""60s", "61s", "2m""#, r#""60s", "60s", "60s""#);
    let some = ["count(*)", "count(i)", "sum(i)", "max(i) filter (where b)", "rate()"];
    let some: Vec<_> = some.map(str::to_owned).to_vec();
    let filtered = (0..70).map(|number| format!("sum(i) filter (where i > {})", number - 35));
    let cases = [
        (few.to_owned(), "", &some),
        (format!("{few}, \"all\""), "", &some),
        (format!("\"all\", {few}, {many}"), "", &some),
        (together.0.to_owned(), together.1, &some),
        (together.0.to_owned(), together.1, &filtered.collect()),
    ];
    let mut compared = Tally::default();
    for (round, (windows, hops, features)) in cases.into_iter().enumerate() {
        let case = Case::new(&windows, hops, "1m", None, features);
        for history in 0..6 {
            let random = Prng::stream(seed, &format!("many windows {round} {history}"));
            let what = format!("LARDER_SEED={seed} case {round}, history {history}");
            compared += history_of(&case, history == 5, random, &what);
        }
    }
    println!("{compared:?}, LARDER_SEED={seed}");
    assert!(compared.of_numbers > 10_000, "{compared:?}, LARDER_SEED={seed}");
}

/// Runs one definition; returns what was compared.
fn one_history(seed: u64, round: u64) -> Tally {
    let mut random = Prng::stream(seed, &format!("history {round}"));
    let has_burst = round.is_multiple_of(13);
    let mut case = Case::random(&mut random);
    // A burst passes the bounds up to which sketches are exact.
    while has_burst && !["approx_distinct", "top_k"].iter().any(|name| case.text.contains(name)) {
        case = Case::random(&mut random);
    }
    history_of(&case, has_burst, random, &format!("LARDER_SEED={seed} history {round}"))
}

/// Runs `case`, with a burst or without.
fn history_of(case: &Case, has_burst: bool, mut random: Prng, what: &str) -> Tally {
    let plan =
        case.plan().with_fold_threshold(*choose(&mut random, &[1, 20, 200, 1024, usize::MAX]));
    let mut oracle = Oracle::new(&case.stream, &case.group);
    let mut entity = EntityWindows::default();
    let mut scratch = ReadScratch::default();
    let mut timeline = Timeline::new(&mut random, case);
    let mut compared = Tally::default();
    let events = if has_burst { 250 + BURST_EVENTS } else { 250 };
    for event in 0..events {
        if has_burst && event == 200 {
            let spread = *choose(&mut random, &BURSTS);
            timeline.burst(BURST_EVENTS, spread);
        }
        let is_bursting = has_burst && (200..200 + BURST_EVENTS).contains(&event);
        let time = timeline.next_time(&mut random);
        let now = timeline.now;
        let context = |why| format!("{why}\nnow {now}, {what}");
        let is_late = time < plan.late_before(now);
        assert_eq!(is_late, oracle.is_late(time, now), "{}", context(case.text.clone()));
        if !is_late {
            let event = Event::spread(&mut random, case, time, timeline.spread);
            event.tell(case, &mut oracle);
            entity.update(&plan, &event.prepare(case, &plan), now);
        }
        match random.below(60) {
            0 => drop(entity.compact(&plan, now)),
            1 => drop(entity.retire(&plan, now)),
            _ => {}
        }
        let exact = if is_bursting { 0.004 } else { 0.2 };
        let at = if random.chance(exact) {
            ReadAt::Exact { x: timeline.read_x(&mut random) }
        } else if random.chance(exact / 10.0) {
            let x = now - case.stream.horizon_ms - random.between(0, case.reach_ms());
            ReadAt::Snapped { x, now }
        } else {
            continue;
        };
        let found = compare((case, &plan), &entity, &oracle, (at, &mut scratch), &mut random);
        compared += found.unwrap_or_else(|why| panic!("{}", context(why)));
    }
    compared
}
