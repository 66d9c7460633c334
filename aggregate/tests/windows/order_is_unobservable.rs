//! One set of events in 200 orders, each with its own folding on the way: every value is the same to the bit.

use aggregate::{EntityWindows, ReadAt, ReadScratch};
use stdx::prng::Prng;

use crate::workload::{Case, Event, read, seed};

#[test]
fn two_hundred_orders_give_the_same_bits() {
    let seed = seed(7);
    let mut random = Prng::stream(seed, "order");
    let features = [
        "count(*)",
        "sum(f)",
        "avg(f)",
        "variance(f)",
        "stddev(d)",
        "min(f)",
        "max(d)",
        "first(s)",
        "last(s)",
        "last(f)",
        "approx_distinct(f)",
        "approx_distinct(s) filter (where b)",
    ];
    let features = features.map(str::to_owned);
    let case = Case::new("\"5m\", \"1h\", \"24h\"", "", "1m", None, &features);
    let plan = case.plan();
    let end = 90_000_000;
    let mut events: Vec<_> = (0..1500)
        .map(|_| {
            // Whole seconds, so that many share a time.
            let time = random.between(0, end / 1000) * 1000;
            Event::random(&mut random, &case, time).prepare(&case, &plan)
        })
        .collect();
    let mut scratch = ReadScratch::default();
    let mut expected = None;
    for order in 0..200 {
        let mut entity = EntityWindows::default();
        for event in &events {
            // The clock may stand anywhere between: all that matters is that reads below are above its floor.
            let now = end - random.between(0, end / 4);
            entity.update(&plan, event, now);
            if random.chance(0.002) {
                entity.compact(&plan, now);
            }
        }
        let answers: Vec<_> = [end - 60_000, end - 7, end + 1, end + 1_000_000]
            .map(|x| read(&entity, &plan, ReadAt::Exact { x }, &mut scratch))
            .concat();
        let shown = format!("{answers:?}");
        let expected = expected.get_or_insert_with(|| shown.clone());
        assert_eq!(shown, *expected, "order {order}, LARDER_SEED={seed}");
        random.shuffle(&mut events);
    }
}
