//! Bytes of an entity that were cut or changed are refused or, where they still mean something, read, folded and merged
//! without a panic. (Checksums around them are the storage's.)

use aggregate::{EntityWindows, ReadAt, ReadScratch, WindowPlan};
use stdx::prng::Prng;

use crate::workload::{Case, EVERY, Event, Timeline, WINDOWS, index, is_allowed, read, seed};

#[test]
fn no_damage_panics() {
    let seed = seed(31);
    let mut random = Prng::stream(seed, "damage");
    let mut refused = 0;
    // Every aggregate in each kind of window, and then whatever comes.
    for spans in WINDOWS {
        let features = EVERY.iter().filter(|text| is_allowed(text, spans));
        let features: Vec<_> = features.map(|text| (*text).to_owned()).collect();
        refused += damage(&mut random, &Case::of(spans, None, &features), seed);
    }
    for _ in 0..40 {
        let case = Case::random(&mut random);
        refused += damage(&mut random, &case, seed);
    }
    assert!(refused > 500, "{refused} refused, LARDER_SEED={seed}");
}

/// How many damaged states were refused.
fn damage(random: &mut Prng, case: &Case, seed: u64) -> usize {
    let plan = case.plan();
    let (entity, now) = some_entity(random, case, &plan);
    let mut bytes = Vec::new();
    entity.encode(&mut bytes);
    let mut refused = 0;
    for _ in 0..20 {
        let cut = index(random, bytes.len());
        let is_refused = EntityWindows::decode(&plan, &bytes[..cut]).is_err();
        assert!(is_refused, "cut at {cut} of {}, LARDER_SEED={seed}\n{}", bytes.len(), case.text);
        let longer = [&bytes[..], &[0]].concat();
        assert!(
            EntityWindows::decode(&plan, &longer).is_err(),
            "LARDER_SEED={seed}\n{}",
            case.text
        );
    }
    for _ in 0..80 {
        let mut damaged = bytes.clone();
        for _ in 0..random.between(1, 3) {
            let at = index(random, damaged.len());
            damaged[at] = match random.below(4) {
                0 => *b"\x00\x01\x7f\xff".get(index(random, 4)).expect("one of four"),
                _ => damaged[at] ^ 1 << random.below(8),
            };
        }
        match EntityWindows::decode(&plan, &damaged) {
            Ok(damaged) => use_it(damaged, &entity, &plan, now),
            Err(_) => refused += 1,
        }
    }
    refused
}

fn some_entity(random: &mut Prng, case: &Case, plan: &WindowPlan) -> (EntityWindows, i64) {
    let mut entity = EntityWindows::default();
    let mut timeline = Timeline::new(random, case);
    for event in 0..250 {
        if event == 100 && random.chance(0.3) {
            timeline.burst(150, timeline.spread);
        }
        let time = timeline.next_time(random);
        let event = Event::spread(random, case, time, timeline.spread).prepare(case, plan);
        entity.update(plan, &event, timeline.now);
    }
    if random.chance(0.7) {
        entity.compact(plan, timeline.now);
    }
    (entity, timeline.now)
}

/// All that can be done with a state.
fn use_it(mut damaged: EntityWindows, whole: &EntityWindows, plan: &WindowPlan, now: i64) {
    let mut scratch = ReadScratch::default();
    let _values = read(&damaged, plan, ReadAt::Exact { x: now }, &mut scratch);
    let _values = read(&damaged, plan, ReadAt::Snapped { x: now / 2, now }, &mut scratch);
    let mut other = whole.clone();
    other.merge(plan, &damaged, now);
    let _digest = other.digest(plan, now);
    damaged.merge(plan, whole, now);
    damaged.compact(plan, now);
    let _values = read(&damaged, plan, ReadAt::Exact { x: now + 1 }, &mut scratch);
    let _is_empty = damaged.retire(plan, now + 1_000_000_000);
    let mut bytes = Vec::new();
    damaged.encode(&mut bytes);
}
