//! Time goes on, events come in, some late, some ahead, some twice at one time; at any moment any as-of within the horizon
//! must answer what brute force finds in the list of all accepted events, to the bit.

use aggregate::{EntityWindows, ReadAt, ReadScratch};
use stdx::prng::Prng;

use crate::{
    oracle::Oracle,
    workload::{Case, Event, choose, is_same, read, seed},
};

const VALUES_MIN: usize = 200_000;

#[test]
fn every_value_equals_brute_force() {
    let seed = seed(20_260_101);
    let mut compared = 0;
    for round in 0.. {
        compared += one_history(seed, round);
        if compared >= VALUES_MIN {
            println!("{compared} values of {} histories", round + 1);
            return;
        }
    }
}

/// Runs one definition; returns how many values were compared.
fn one_history(seed: u64, round: u64) -> usize {
    let mut random = Prng::stream(seed, &format!("history {round}"));
    let case = Case::random(&mut random);
    let threshold = *choose(&mut random, &[1, 20, 1024, usize::MAX]);
    let plan = case.plan().with_fold_threshold(threshold);
    let mut oracle = Oracle::new(&case.stream, &case.group);
    let mut entity = EntityWindows::default();
    let mut scratch = ReadScratch::default();
    let horizon = case.stream.horizon_ms;
    let mut now = *choose(&mut random, &[0, -3_600_000, 1_700_000_000_000, -5]);
    let step = case.reach_ms() / *choose(&mut random, &[30, 300, 3000]);
    let context = format!("LARDER_SEED={seed} history {round}\n{}", case.text);
    let mut compared = 0;
    for _ in 0..400 {
        now += random.between(0, 2 * step);
        // Exponentially more rarely later, up to beyond what any window can see.
        let lateness = (case.reach_ms() * 2) >> random.between(0, 20);
        let time = now - random.between(-lateness / 40, lateness);
        let event = Event::random(&mut random, &case, time);
        let is_late = time < plan.late_before(now);
        assert_eq!(is_late, oracle.is_late(time, now), "{context}");
        if !is_late {
            event.tell(&case, &mut oracle);
            entity.update(&plan, &event.prepare(&case, &plan), now);
        }
        match random.below(60) {
            0 => entity.compact(&plan, now),
            1 => drop(entity.retire(&plan, now)),
            _ => {}
        }
        if random.chance(0.12) {
            let x = now - random.between(-1, horizon);
            let answers = read(&entity, &plan, ReadAt::Exact { x }, &mut scratch);
            for (column, answer) in answers.iter().enumerate() {
                let expected = oracle.value(column, x);
                assert!(
                    is_same(answer, &expected),
                    "column {column} at {x}, now {now}: {answer:?}, not {expected:?}\n{context}"
                );
                assert_eq!(plan.window_start(column, x), oracle.start(column, x));
            }
            compared += answers.len();
        }
        if random.chance(0.03) {
            let x = now - horizon - random.between(0, case.reach_ms());
            let answers = read(&entity, &plan, ReadAt::Snapped { x, now }, &mut scratch);
            for (column, answer) in answers.iter().enumerate() {
                let snapped = plan.snap_x(column, x, now);
                assert!(snapped <= now - horizon, "{context}");
                let expected = oracle.value(column, snapped);
                assert!(
                    is_same(answer, &expected),
                    "column {column} snapped from {x} to {snapped}, now {now}: {answer:?}, not {expected:?}\n{context}"
                );
            }
            compared += answers.len();
        }
    }
    compared
}
