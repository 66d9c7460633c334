//! One history kept in five ways (all raw, folded as early as possible, by default, through bytes and back, in two halves that
//! are merged): every value is the same to the bit, whatever the number of distinct values.

use aggregate::{EntityWindows, ReadAt, ReadScratch, WindowPlan};
use stdx::prng::Prng;

use crate::workload::{Case, Event, choose, read, seed};

/// Copies of one entity, each kept in its own way.
struct Copies {
    raw: EntityWindows,
    folded: EntityWindows,
    usual: EntityWindows,
    restored: EntityWindows,
    halves: [EntityWindows; 2],
}

#[test]
fn the_same_events_in_any_layout_have_the_same_values() {
    let seed = seed(99);
    for round in 0..40 {
        one_history(seed, round);
    }
}

fn one_history(seed: u64, round: u64) {
    let mut random = Prng::stream(seed, &format!("layout {round}"));
    let case = Case::random(&mut random);
    let plan = case.plan();
    let never = case.plan().with_fold_threshold(usize::MAX);
    let context = format!("LARDER_SEED={seed} round {round}\n{}", case.text);
    let fresh = EntityWindows::default;
    let mut copies = Copies {
        raw: fresh(),
        folded: fresh(),
        usual: fresh(),
        restored: fresh(),
        halves: [fresh(), fresh()],
    };
    let mut scratch = ReadScratch::default();
    let step = case.reach_ms() / *choose(&mut random, &[20, 400]);
    let mut now = 1_000_000;
    for _ in 0..600 {
        now += random.between(0, 2 * step);
        let time = now - (case.reach_ms() >> random.between(0, 16));
        if time < plan.late_before(now) {
            continue;
        }
        let event = Event::random(&mut random, &case, time).prepare(&case, &plan);
        copies.raw.update(&never, &event, i64::MIN / 2);
        copies.folded.update(&plan, &event, now);
        copies.folded.compact(&plan, now);
        copies.usual.update(&plan, &event, now);
        copies.restored.update(&plan, &event, now);
        copies.halves[usize::from(random.chance(0.5))].update(&plan, &event, now);
        if random.chance(0.05) {
            copies.restored.compact(&plan, now);
            copies.restored = through_bytes(&copies.restored, &plan);
            copies.halves[0].compact(&plan, now);
            copies.halves[1].compact(&plan, now);
            let x = now - random.between(-1, case.stream.horizon_ms);
            check(&copies, &plan, (x, now), &mut scratch, &context);
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

fn check(
    copies: &Copies,
    plan: &WindowPlan,
    (x, now): (i64, i64),
    scratch: &mut ReadScratch,
    context: &str,
) {
    let mut merged = copies.halves[0].clone();
    merged.merge(plan, &copies.halves[1], now);
    let all = [&copies.raw, &copies.folded, &copies.usual, &copies.restored, &merged];
    let shown = all.map(|entity| format!("{:?}", read(entity, plan, ReadAt::Exact { x }, scratch)));
    let digests = all.map(|entity| entity.digest(plan, x));
    for (name, (shown_one, digest)) in
        ["folded", "usual", "restored", "merged"].iter().zip(shown.iter().zip(digests).skip(1))
    {
        assert_eq!(*shown_one, shown[0], "{name} at {x}, now {now}\n{context}");
        assert_eq!(digest, digests[0], "{name}");
    }
}

/// Distinct counts around and far above where they stop being exact, in tiles and raw.
#[test]
fn distinct_counts_do_not_show_the_layout_either() {
    let seed = seed(5);
    let mut random = Prng::stream(seed, "distinct layout");
    let features = ["approx_distinct(i)".to_owned(), "count(*)".to_owned()];
    let case = Case::new("\"1m\", \"10m\", \"24h\"", "", "30s", None, &features);
    let plan = case.plan();
    let never = case.plan().with_fold_threshold(usize::MAX);
    let fresh = EntityWindows::default;
    let mut copies = Copies {
        raw: fresh(),
        folded: fresh(),
        usual: fresh(),
        restored: fresh(),
        halves: [fresh(), fresh()],
    };
    let mut scratch = ReadScratch::default();
    let mut now = 0;
    for round in 0..12_000 {
        // The rate changes, so that windows pass 512 distinct values in both directions.
        now += random.between(0, if round / 2000 % 2 == 0 { 100 } else { 3000 });
        let time = now - (600_000 >> random.between(0, 16));
        let event = Event::random(&mut random, &case, time).prepare(&case, &plan);
        copies.raw.update(&never, &event, i64::MIN / 2);
        copies.folded.update(&plan, &event, now);
        copies.usual.update(&plan, &event, now);
        copies.restored.update(&plan, &event, now);
        copies.halves[usize::from(random.chance(0.5))].update(&plan, &event, now);
        if round % 100 == 0 {
            copies.folded.compact(&plan, now);
            copies.restored = through_bytes(&copies.restored, &plan);
        }
        if round % 300 == 0 {
            let x = now - random.between(-1, case.stream.horizon_ms);
            check(&copies, &plan, (x, now), &mut scratch, &format!("LARDER_SEED={seed}"));
        }
    }
}

/// The first record of a log is the base of the others' times. When it is folded away and a far one takes its place, the
/// log that is left can be longer than the one before; it replaces it all the same, or events would count twice.
#[test]
fn a_log_that_gets_longer_by_folding_counts_no_event_twice() {
    let case = Case::new(
        "\"1h\", \"20d\"",
        "",
        "10d",
        None,
        &["count(*)".to_owned(), "sum(i)".to_owned()],
    );
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
