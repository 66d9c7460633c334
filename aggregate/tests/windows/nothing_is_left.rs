//! An entity whose events no window can see any more is empty once it is retired, and reads as if none had ever come; what
//! `all` sees never goes away.

use aggregate::{EntityWindows, ReadAt, ReadScratch, WindowPlan};
use stdx::prng::Prng;

use crate::workload::{Case, Event, Timeline, read, seed};

const CASES: usize = 150;

/// A random entity, and when it stands.
fn some_entity(random: &mut Prng, case: &Case, plan: &WindowPlan) -> (EntityWindows, i64) {
    let mut entity = EntityWindows::default();
    let mut timeline = Timeline::new(random, case);
    for _ in 0..random.between(1, 400) {
        let time = timeline.next_time(random);
        if time >= plan.late_before(timeline.now) {
            let event = Event::spread(random, case, time, timeline.spread).prepare(case, plan);
            entity.update(plan, &event, timeline.now);
        }
        if random.chance(0.02) {
            entity.compact(plan, timeline.now);
        }
    }
    (entity, timeline.now)
}

#[test]
fn an_entity_is_empty_once_no_window_sees_an_event_of_it() {
    let seed = seed(41);
    let mut random = Prng::stream(seed, "nothing is left");
    let (mut kept, mut gone) = (0, 0);
    while kept < CASES / 5 || gone < CASES {
        let case = Case::random(&mut random);
        let plan = case.plan();
        let (mut entity, now) = some_entity(&mut random, &case, &plan);
        let context = format!("now {now}, LARDER_SEED={seed}\n{}", case.text);
        let had_events = !entity.is_empty();
        // Two hops more than any window reaches back, as events may be ahead of now.
        let later = now + 3 * case.reach_ms();
        let mut scratch = ReadScratch::default();
        let at = ReadAt::Exact { x: later };
        let before = read(&entity, &plan, at, &mut scratch);
        let is_empty = entity.retire(&plan, later);
        assert_eq!(is_empty, entity.is_empty(), "{context}");
        assert_eq!(format!("{before:?}"), format!("{:?}", read(&entity, &plan, at, &mut scratch)));
        if case.group.windows.iter().any(|window| window.is_lifetime()) {
            assert_eq!(is_empty, !had_events, "{context}");
            kept += usize::from(had_events);
            continue;
        }
        assert!(is_empty, "{context}");
        gone += usize::from(had_events);
        let nothing = read(&EntityWindows::default(), &plan, at, &mut scratch);
        assert_eq!(before, nothing, "{context}");
    }
}
