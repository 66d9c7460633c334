//! One history kept in six ways (never folded, all of it as if it were young, folded as early as possible, by default,
//! through bytes and back, in two halves that are merged): every value is the same to the bit.

use aggregate::{EntityWindows, ReadAt, ReadScratch, WindowPlan};
use stdx::prng::Prng;

use crate::workload::{
    Case, EVERY, Event, Spread, Timeline, WINDOWS, index, is_allowed, read, seed,
};

/// Copies of one entity, each kept in its own way.
#[derive(Default)]
struct Copies {
    raw: EntityWindows,
    young: EntityWindows,
    folded: EntityWindows,
    usual: EntityWindows,
    restored: EntityWindows,
    halves: [EntityWindows; 2],
}

/// The plans that they are kept by.
struct Plans {
    usual: WindowPlan,
    never: WindowPlan,
    early: WindowPlan,
}

impl Plans {
    fn new(case: &Case) -> Self {
        Self {
            usual: case.plan(),
            never: case.plan().with_fold_threshold(usize::MAX),
            early: case.plan().with_fold_threshold(1),
        }
    }
}

impl Copies {
    fn update(&mut self, plans: &Plans, (case, event): (&Case, &Event), half: usize, now: i64) {
        let event = event.prepare(case, &plans.usual);
        self.raw.update(&plans.never, &event, now);
        // Before all events, so that none is older than its horizon.
        self.young.update(&plans.usual, &event, i64::MIN / 2);
        self.folded.update(&plans.early, &event, now);
        self.usual.update(&plans.usual, &event, now);
        self.restored.update(&plans.usual, &event, now);
        self.halves[half].update(&plans.usual, &event, now);
    }

    /// Reads all at `x`; what is different is told.
    fn check(
        &self,
        plan: &WindowPlan,
        (x, now): (i64, i64),
        scratch: &mut ReadScratch,
    ) -> Result<(), String> {
        let mut merged = self.halves[0].clone();
        merged.merge(plan, &self.halves[1], now);
        let all = [
            ("young", &self.young),
            ("folded", &self.folded),
            ("usual", &self.usual),
            ("restored", &self.restored),
            ("merged", &merged),
        ];
        let expected = read(&self.raw, plan, ReadAt::Exact { x }, scratch);
        for (name, entity) in all {
            let answers = read(entity, plan, ReadAt::Exact { x }, scratch);
            for (column, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
                // Floats are written so that different bits are different texts.
                let (answer, expected) = (format!("{answer:?}"), format!("{expected:?}"));
                if answer != expected {
                    return Err(format!("{name}, column {column}: {answer}, raw {expected}"));
                }
            }
            if entity.digest(plan, x) != self.raw.digest(plan, x) {
                return Err(format!("{name}: the digest is another"));
            }
        }
        Ok(())
    }
}

#[test]
fn the_same_events_in_any_layout_have_the_same_values() {
    let seed = seed(99);
    for round in 0..60 {
        let mut random = Prng::stream(seed, &format!("layout {round}"));
        let case = Case::random(&mut random);
        one_history(
            &mut random,
            &case,
            &format!("LARDER_SEED={seed} round {round}\n{}", case.text),
        );
    }
}

#[test]
fn no_aggregate_shows_its_layout_in_any_kind_of_window() {
    let seed = seed(17);
    for (kind, spans) in WINDOWS.into_iter().enumerate() {
        let mut random = Prng::stream(seed, &format!("every aggregate {kind}"));
        let features = EVERY.iter().filter(|text| is_allowed(text, spans));
        let features: Vec<_> = features.map(|text| (*text).to_owned()).collect();
        let case = Case::of(spans, Some("id"), &features);
        one_history(
            &mut random,
            &case,
            &format!("LARDER_SEED={seed} windows {kind}\n{}", case.text),
        );
    }
}

fn one_history(random: &mut Prng, case: &Case, context: &str) {
    let plans = Plans::new(case);
    let mut copies = Copies::default();
    let mut scratch = ReadScratch::default();
    let mut timeline = Timeline::new(random, case);
    for event in 0..700 {
        if event == 400 {
            // More within the horizon than stay raw alone.
            timeline.burst(250, Spread { values: 600, first: 0.1 });
        }
        let time = timeline.next_time(random);
        let now = timeline.now;
        if time < plans.usual.late_before(now) {
            continue;
        }
        let event = Event::spread(random, case, time, timeline.spread);
        copies.update(&plans, (case, &event), index(random, 2), now);
        copies.folded.compact(&plans.early, now);
        if random.chance(0.04) {
            copies.restored.compact(&plans.usual, now);
            copies.restored = through_bytes(&copies.restored, &plans.usual);
            copies.halves[index(random, 2)].compact(&plans.usual, now);
            let x = timeline.read_x(random);
            copies
                .check(&plans.usual, (x, now), &mut scratch)
                .unwrap_or_else(|why| panic!("{why}\nat x = {x}, now {now}, {context}"));
        }
    }
}

fn through_bytes(entity: &EntityWindows, plan: &WindowPlan) -> EntityWindows {
    let mut bytes = Vec::new();
    entity.encode(&mut bytes);
    let decoded = EntityWindows::decode(plan, &bytes).expect("it was encoded");
    let mut again = Vec::new();
    decoded.encode(&mut again);
    assert_eq!(bytes, again);
    decoded
}

/// Distinct counts and frequencies around and far above where they stop being exact, in tiles and raw.
#[test]
fn sketches_do_not_show_the_layout_either() {
    let seed = seed(5);
    let mut random = Prng::stream(seed, "sketches layout");
    let features = ["approx_distinct(i)", "approx_distinct(i, 14)", "top_k(i, 9)", "count(*) by i"];
    let features = features.map(str::to_owned);
    let case = Case::new("\"1m\", \"10m\", \"24h\"", "", "30s", None, &features);
    let plans = Plans::new(&case);
    let mut copies = Copies::default();
    let mut scratch = ReadScratch::default();
    let mut now = 0;
    for round in 0..12_000 {
        // The rate changes, so that windows pass 64 and 512 distinct values in both directions.
        now += random.between(0, if round / 2000 % 2 == 0 { 100 } else { 3000 });
        let time = now - (600_000 >> random.between(0, 16));
        let spread = Spread { values: if round / 3000 % 2 == 0 { 10_000 } else { 70 }, first: 0.2 };
        let event = Event::spread(&mut random, &case, time, spread);
        copies.update(&plans, (&case, &event), index(&mut random, 2), now);
        if round % 100 == 0 {
            copies.folded.compact(&plans.early, now);
            copies.restored = through_bytes(&copies.restored, &plans.usual);
        }
        if round % 300 == 0 {
            let x = now - random.between(-1, case.stream.horizon_ms);
            copies
                .check(&plans.usual, (x, now), &mut scratch)
                .unwrap_or_else(|why| panic!("{why}\nat x = {x}, now {now}, LARDER_SEED={seed}"));
        }
    }
}

/// The first record of a log is the base of the others' times. When it is folded away and a far one takes its place, the
/// log that is left can be longer than the one before; it replaces it all the same, or events would count twice.
#[test]
fn a_log_that_gets_longer_by_folding_counts_no_event_twice() {
    let features = ["count(*)".to_owned(), "sum(i)".to_owned()];
    let case = Case::new("\"1h\", \"20d\"", "", "10d", None, &features);
    let plan = case.plan();
    let mut random = Prng::new(1);
    let mut entity = EntityWindows::default();
    let far = 9 * 86_400_000;
    for time in [0, far].into_iter().chain((1..=50).map(|n| n * 1000)) {
        entity.update(&plan, &Event::random(&mut random, &case, time).prepare(&case, &plan), far);
    }
    entity.compact(&plan, 10 * 86_400_000 + 500);
    let answers = read(&entity, &plan, ReadAt::Exact { x: far + 1 }, &mut ReadScratch::default());
    assert_eq!(answers[1], Ok(Some(model::value::Value::I64(52))));
}
