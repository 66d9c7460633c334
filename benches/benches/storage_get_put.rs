//! Rows of 50 f64 in memory: one put, one read, a read of 100.

use criterion::{Criterion, criterion_group, criterion_main};
use engine::{ReadOptions, ReadRequest};
use larder_benches::workload;

const ENTITIES: u64 = 20_000;

fn rows(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = workload::database(directory.path(), &workload::definitions());
    for start in (0..ENTITIES).step_by(1000) {
        workload::put_wide(&database, start..start + 1000);
    }
    let mut prng = stdx::prng::Prng::new(1);
    criterion.bench_function("put 1 row of 50 f64", |bencher| {
        bencher.iter(|| {
            let number = prng.below(ENTITIES);
            workload::put_wide(&database, number..number + 1);
        });
    });
    let plan = database.plan_features(&["wide:*"]).expect("the group exists");
    for batch in [1_usize, 100] {
        criterion.bench_function(&format!("get {batch} rows of 50 f64"), |bencher| {
            bencher.iter(|| {
                let keys: Vec<_> =
                    (0..batch).map(|_| workload::key(prng.below(ENTITIES))).collect();
                let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
                let request =
                    ReadRequest { keys: &keys, request_rows: &[], options: ReadOptions::default() };
                database.read(&plan, &request).expect("the keys are valid")
            });
        });
    }
}

criterion_group!(benches, rows);
criterion_main!(benches);
