//! One set of events in 200 orders, each with its own folding on the way: every value of every aggregate is the same to the
//! bit.

use aggregate::{EntityWindows, PreparedEvent, ReadAt, ReadScratch, WindowPlan};
use stdx::prng::Prng;

use crate::workload::{Case, EVERY, Event, Spread, is_allowed, read, seed};

const ORDERS: usize = 200;
/// Where the last event is, in ms. All events before it are seen by the longest windows below, and accepted at any time.
const END: i64 = 90_000_000;
/// Read at the floor, within the horizon, at its end and after it.
const READ_AT: [i64; 4] = [END - 60_000, END - 7, END + 1, END + 1_000_000];

#[test]
fn two_hundred_orders_give_the_same_bits() {
    in_any_order(("\"5m\", \"1h\", \"24h\"", "", "1m"), 600);
}

#[test]
fn two_hundred_orders_give_the_same_bits_in_windows_with_offsets_and_of_all() {
    in_any_order(("\"1h\", \"2h offset 1h\", \"24h offset 10m\", \"all\"", "", "1m"), 400);
}

/// Many within the horizon, where events are kept raw and in tiles.
#[test]
fn two_hundred_orders_of_a_burst_give_the_same_bits() {
    in_any_order(("\"1m\", \"24h\"", "\"1s\", \"1s\"", "3h"), 500);
}

fn in_any_order(spans: (&'static str, &'static str, &'static str), count: usize) {
    let seed = seed(7);
    let mut random = Prng::stream(seed, spans.0);
    let features = EVERY.iter().filter(|text| is_allowed(text, spans));
    let mut features: Vec<_> = features.map(|text| (*text).to_owned()).collect();
    features.push("last(f) filter (where b)".to_owned());
    features.push("top_k(i, 3) filter (where i < 5 or b)".to_owned());
    let case = Case::of(spans, None, &features);
    let plan = case.plan();
    let mut events: Vec<_> = (0..count)
        .map(|_| {
            // Half of them near the end, and in whole seconds, so that many share a time.
            let first = if random.chance(0.5) { 0 } else { END - END / 10 };
            let time = random.between(first / 1000, END / 1000) * 1000;
            let spread = Spread { values: 700, first: 0.25 };
            Event::spread(&mut random, &case, time, spread).prepare(&case, &plan)
        })
        .collect();
    let mut scratch = ReadScratch::default();
    let mut expected = None;
    for order in 0..ORDERS {
        let entity = one_order(&mut random, &plan, &events);
        let answers = READ_AT.map(|x| read(&entity, &plan, ReadAt::Exact { x }, &mut scratch));
        let expected = expected.get_or_insert_with(|| answers.clone());
        for ((x, answers), expected) in READ_AT.iter().zip(&answers).zip(&*expected) {
            for (column, (answer, expected)) in answers.iter().zip(expected).enumerate() {
                assert_eq!(
                    format!("{answer:?}"),
                    format!("{expected:?}"),
                    "order {order}: {} at {x}, LARDER_SEED={seed}\n{}",
                    case.describe(column),
                    case.text
                );
            }
        }
        random.shuffle(&mut events);
    }
}

/// The clock goes on by as much as it likes; all that matters is that reads are above its last floor.
fn one_order(random: &mut Prng, plan: &WindowPlan, events: &[PreparedEvent]) -> EntityWindows {
    let mut entity = EntityWindows::default();
    let mut now = END - random.between(0, END / 4);
    for event in events {
        if random.chance(0.02) {
            now = random.between(now, END);
        }
        entity.update(plan, event, now);
        if random.chance(0.003) {
            entity.compact(plan, now);
        }
    }
    entity
}
