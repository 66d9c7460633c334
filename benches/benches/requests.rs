//! Whole requests in the engine, as a server makes them: reads into memory that is used again, pushes from admission to the last
//! window, puts. Without a log; `wal` has that.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use engine::{Database, OsFs, PushSpace, ReadOptions, ReadRequest, ReadSpace};
use larder_benches::{
    cards::{self, Payment, Shape},
    workload,
};

const CARDS: usize = 10_000;
const PAYMENTS: usize = 80_000;

/// A database with rows and windows of all cards, and the payments that made them.
fn filled(directory: &std::path::Path) -> (Database<OsFs>, Arc<[Payment]>) {
    let database = workload::database(directory, &workload::definitions());
    let cards = u64::try_from(CARDS).expect("few");
    for start in (0..cards).step_by(1000) {
        workload::put_wide(&database, start..start + 1000);
    }
    let payments = cards::payments(Shape::Uniform, CARDS, PAYMENTS, 1);
    payments.chunks(1000).for_each(|payments| workload::push(&database, payments));
    (database, payments.into())
}

fn requests(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (database, payments) = filled(directory.path());
    for (features, shape) in
        [("wide:*", "a row of 50 f64"), ("spend:*", "4 windows x 4 aggregates")]
    {
        for batch in [1, 100] {
            let name = format!("read {shape} of {batch} cards");
            criterion.bench_function(&name, |bencher| {
                let plan = database.plan_features(&[features]).expect("the group exists");
                let keys: Vec<_> =
                    (0..10_000).map(|card| workload::key(card * 7919 % 10_000)).collect();
                let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
                let mut batches = keys.chunks(batch).cycle();
                let mut space = ReadSpace::default();
                bencher.iter(|| {
                    let keys = batches.next().expect("they cycle");
                    let options = ReadOptions::default();
                    let request = ReadRequest { keys, request_rows: &[], options };
                    database.read_into(&plan, &request, &[], &mut space).expect("valid keys");
                });
            });
        }
    }
    // The last of the month, so that none is too late when they come again.
    let last = workload::packed(&payments[PAYMENTS - PAYMENTS / 10..]);
    for batch in [1, 100] {
        criterion.bench_function(&format!("push {batch} events into 2 window groups"), |bencher| {
            let mut batches = last.chunks(batch).cycle();
            let mut space = PushSpace::default();
            bencher.iter(|| {
                workload::push_packed(&database, batches.next().expect("they cycle"), &mut space);
            });
        });
    }
    let mut number = 0;
    criterion.bench_function("put 100 rows of 50 f64", |bencher| {
        bencher.iter(|| {
            number = (number + 100) % 9_900;
            workload::put_wide(&database, number..number + 100)
        });
    });
}

criterion_group!(benches, requests);
criterion_main!(benches);
