//! Distinct counts over 4 windows: inserting values one by one, and the estimate of an exact and of a sketched entity.

use aggregate::{EntityWindows, PreparedEvent, ReadScratch};
use criterion::{Criterion, criterion_group, criterion_main};
use larder_benches::workload;

fn distinct(criterion: &mut Criterion) {
    let (stream, plan) = workload::window_plan("reach");
    let selection = plan.select(&[0, 1, 2, 3]);
    let mut scratch = ReadScratch::default();
    for values in [100_u64, 100_000] {
        let (mut entity, mut now): (EntityWindows, i64) = workload::card(&plan, &stream, values);
        criterion.bench_function(&format!("estimate 4 windows of {values} values"), |bencher| {
            bencher.iter(|| workload::read_all(&plan, &selection, &entity, now, &mut scratch));
        });
        let (mut event, mut number) = (PreparedEvent::default(), values);
        criterion.bench_function(&format!("insert 1 value after {values}"), |bencher| {
            bencher.iter(|| {
                (now, number) = (now + 1000, number + 1);
                workload::prepare(&plan, &stream, number, now, &mut event);
                entity.update(&plan, &event, now);
            });
        });
    }
}

criterion_group!(benches, distinct);
criterion_main!(benches);
