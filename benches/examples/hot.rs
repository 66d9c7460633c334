//! One hot path, so many times: for whoever counts instructions, which do not depend on what else the machine does.
//!
//! `cargo build --release -p larder-benches --example hot`, then `valgrind --tool=callgrind hot PATH TIMES` with two different
//! numbers of times: the difference is what the paths cost, without what was made before.

use std::sync::Arc;

use engine::{Config, Database, OsFs, ReadOptions, ReadRequest, SyncPolicy, Vectors};
use larder_benches::{cards, workload};
use stdx::clock::ManualClock;

/// Cards there are.
const CARDS: u64 = 2000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let times = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let directory = tempfile::tempdir().expect("a temporary directory");
    // A clock that stands: that of the system asks the kernel in a way that valgrind does not know.
    let clock = Arc::new(ManualClock::at(0));
    let config = Config { sync: SyncPolicy::Memory, seed: 1, ..Config::default() };
    let files = OsFs::open(directory.path()).expect("the directory can be used");
    let database = Database::open(files, &config, clock).expect("the database opens");
    database.apply("hot.toml", &workload::definitions(), false).expect("they are valid");
    workload::put_wide(&database, 0..CARDS);
    let payments = cards::payments(cards::Shape::Uniform, count(CARDS), 40_000, 1);
    payments.chunks(1000).for_each(|payments| workload::push(&database, payments));
    match path.as_str() {
        "read-row" => read(&database, "wide:*", 1, times),
        "read-batch" => read(&database, "wide:*", 100, times),
        "read-windows" => read(&database, "spend:*", 1, times),
        "put" => (0..times).for_each(|number| {
            let card = number * 7919 % CARDS;
            workload::put_wide(&database, card..card + 1);
        }),
        "push" => payments.chunks(1).cycle().skip(39_000).take(count(times)).for_each(|payments| {
            workload::push(&database, payments);
        }),
        "push-batch" => {
            payments.chunks(100).cycle().skip(390).take(count(times)).for_each(|payments| {
                workload::push(&database, payments);
            });
        }
        _ => panic!("a path: read-row, read-batch, read-windows, put, push, push-batch"),
    }
}

fn count(times: u64) -> usize {
    usize::try_from(times).expect("few")
}

fn read(database: &Database<OsFs>, features: &str, batch: u64, times: u64) {
    let plan = database.plan_features(&[features]).expect("the group exists");
    let keys: Vec<_> = (0..CARDS).map(|card| workload::key(card * 7919 % CARDS)).collect();
    let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    let mut batches = keys.chunks(count(batch)).cycle();
    let mut vectors = Vectors::default();
    for _ in 0..times {
        let keys = batches.next().expect("they cycle");
        let request = ReadRequest { keys, request_rows: &[], options: ReadOptions::default() };
        database.read_into(&plan, &request, &[], &mut vectors).expect("the keys are valid");
        assert_eq!(vectors.columns.first().map(model::column::Column::len), Some(keys.len()));
    }
}
