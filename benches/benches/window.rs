//! Windows of one card: 4 windows × (count, sum, min, max). An update, and a read of a cold and of a hot entity.

use aggregate::{EntityWindows, PreparedEvent, ReadScratch};
use criterion::{Criterion, criterion_group, criterion_main};
use larder_benches::workload;

fn windows(criterion: &mut Criterion) {
    let (stream, plan) = workload::window_plan("spend");
    let (mut entity, mut now) = workload::card(&plan, &stream, 1000);
    let mut event = PreparedEvent::default();
    let mut number = 0;
    criterion.bench_function("prepare and update 1 event", |bencher| {
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
        criterion.bench_function(&format!("read 4 windows of {events} events"), |bencher| {
            bencher.iter(|| workload::read_all(&plan, &selection, &entity, now, &mut scratch));
        });
    }
}

criterion_group!(benches, windows);
criterion_main!(benches);
