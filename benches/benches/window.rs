//! Windows of one card, 4 windows × (count, sum, min, max) and 5 windows × 6 aggregates: an update, and a read of a cold and of
//! a hot entity. `cargo run --release -p larder-benches --example windows` does the same over a million cards.

use aggregate::{EntityWindows, PreparedEvent, ReadScratch};
use criterion::{Criterion, criterion_group, criterion_main};
use larder_benches::{
    cards::{self, Shape},
    workload,
};

fn windows(criterion: &mut Criterion) {
    of_group(criterion, "spend", "4 windows x 4 aggregates");
    of_group(criterion, "month", "5 windows x 6 aggregates");
}

fn of_group(criterion: &mut Criterion, group: &str, shape: &str) {
    let (stream, plan) = workload::window_plan(group);
    let (mut entity, mut now) = workload::card(&plan, &stream, 1000);
    let mut event = PreparedEvent::default();
    let mut number = 0;
    criterion.bench_function(&format!("{shape}: prepare and update 1 event"), |bencher| {
        bencher.iter(|| {
            (now, number) = (now + 1000, number + 1);
            workload::prepare(&plan, &stream, number, now, &mut event);
            entity.update(&plan, &event, now);
        });
    });
    let columns: Vec<usize> = (0..plan.column_count()).collect();
    let selection = plan.select(&columns);
    let mut scratch = ReadScratch::default();
    for events in [0_u64, 8, 100_000] {
        let (entity, now): (EntityWindows, i64) = workload::card(&plan, &stream, events);
        criterion.bench_function(&format!("{shape}: read {events} events"), |bencher| {
            bencher.iter(|| workload::read_all(&plan, &selection, &entity, now, &mut scratch));
        });
    }
}

/// A push of 1,000 payments of 1,000 cards, packing and routing included: what a batch costs an event is a thousandth of it.
fn batch(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = workload::database(directory.path(), workload::MONTH);
    let payments = cards::payments(Shape::Uniform, 1000, 100_000, 1);
    // Of the later half of the month, so that none is late when they come again.
    let mut batches = payments.chunks(1000).skip(50).cycle();
    criterion.bench_function("5 windows x 6 aggregates: push 1000 events", |bencher| {
        bencher.iter(|| workload::push(&database, batches.next().expect("they cycle")));
    });
}

criterion_group!(benches, windows, batch);
criterion_main!(benches);
