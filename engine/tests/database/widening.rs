//! A large group gets one more feature while it is read: nobody waits for its rows to be laid out anew.
//!
//! `LARDER_ROWS=1000000 cargo test --release --package larder-engine --test database widening -- --nocapture` measures it
//! (docs/decisions/0011-more-features-without-a-pause.md).

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use engine::{
    Config, Database, PutRequest, PutRowRequest, ReadOptions, ReadRequest, SyncPolicy, WriteOptions,
};
use model::{status::Status, value::Value};
use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
};
use storage::fs::SimFs;

const FEATURES: usize = 20;
const ROWS: u32 = 20_000;
/// Reads between two changes of the definitions.
const READS: usize = 50;
/// Features that are added, one by one.
const MORE: usize = 10;

fn definitions(features: usize) -> String {
    let features: String = (0..features).map(|feature| format!("f{feature} = \"i64\"\n")).collect();
    format!(
        "[entity.e]\nkey = \"string\"\n[group.g]\nentity = \"e\"\n[group.g.features]\n{features}"
    )
}

fn put(database: &Database<SimFs>, rows: u32) {
    let numbers: Vec<u32> = (0..rows).collect();
    for numbers in numbers.chunks(1000) {
        let rows: Vec<_> = numbers
            .iter()
            .map(|number| {
                let states = vec![0b1010_1010; FEATURES / 4];
                let cells = i64::from(*number).to_le_bytes().repeat(FEATURES);
                (number.to_string(), [states, cells].concat())
            })
            .collect();
        let rows = rows.iter().map(|(key, row)| PutRowRequest {
            key: key.as_bytes(),
            event_time: Some(1),
            row,
        });
        let put = PutRequest { group: 0, features: FEATURES, rows: rows.collect() };
        let written = database.put(&put, &WriteOptions::default()).expect("taken");
        assert_eq!(written.rejects.len(), 0);
    }
}

/// Reads one row after the other until nobody listens any more, and says so every [`READS`]; how long each took, in ns.
///
/// It owns `progress`: when it panics, whoever waits to hear of it is told.
fn reads(database: &Database<SimFs>, rows: u32, progress: SyncSender<()>) -> Vec<u64> {
    let (clock, mut prng, mut took) = (SystemClock::new(), Prng::new(1), Vec::new());
    let mut plan = database.plan_features(&["g:*"]).expect("defined");
    while !took.len().is_multiple_of(READS) || took.is_empty() || progress.send(()).is_ok() {
        let number = prng.below(rows.into());
        let key = number.to_string();
        let keys = [key.as_bytes()];
        let request =
            ReadRequest { keys: &keys, request_rows: &[], options: ReadOptions::default() };
        let began_ns = clock.mono_ns();
        let vectors = loop {
            match database.read(&plan, &request) {
                Ok(vectors) => break vectors,
                // Perhaps not for the last time: the next definitions may come between the plan and the read.
                Err(engine::Error::StalePlan { .. }) => {
                    plan = database.plan_features(&["g:*"]).expect("defined");
                }
                Err(error) => panic!("{error}"),
            }
        };
        took.push(clock.mono_ns() - began_ns);
        for (feature, column) in vectors.columns.iter().enumerate() {
            let expected = if feature < FEATURES {
                (Status::Present, Some(Value::I64(i64::try_from(number).expect("small"))))
            } else {
                (Status::NotFound, None)
            };
            let (status, value) = column.get(0).expect("one row");
            let found = (status, value.map(|value| value.to_owned()));
            assert_eq!(found, expected, "row {number}, f{feature}");
        }
    }
    took
}

#[test]
fn what_is_read_while_a_large_group_gets_more_features_is_right() {
    let rows = std::env::var("LARDER_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(ROWS);
    let config = Config { sync: SyncPolicy::Os, ..Config::default() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let files = SimFs::new();
    let database = Database::open(files.clone(), &config, Arc::clone(&clock)).expect("opens");
    database.apply("f.toml", &definitions(FEATURES), false).expect("valid");
    put(&database, rows);
    let (progress, progressed) = sync_channel(0);
    let (mut took, applied_ns) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| reads(&database, rows, progress));
        let mut applied_ns = 0;
        for more in 1..=MORE {
            progressed.recv().expect("it reads");
            let began_ns = clock.mono_ns();
            database.apply("f.toml", &definitions(FEATURES + more), false).expect("valid");
            applied_ns += clock.mono_ns() - began_ns;
        }
        progressed.recv().expect("it reads");
        drop(progressed);
        (reader.join().expect("every value was right"), applied_ns / MORE as u64)
    });
    took.sort_unstable();
    let at = |part: usize| took[took.len() * part / 1000] as f64 / 1e3;
    let longest = took.last().map_or(0.0, |ns| *ns as f64 / 1e3);
    println!(
        "{rows} rows: one more feature in {:.1} ms; {} reads meanwhile, p50 {:.1} us, p99 {:.1} us, p99.9 {:.1} us, longest {longest:.1} us",
        applied_ns as f64 / 1e6,
        took.len(),
        at(500),
        at(990),
        at(999),
    );
    // Some rows are laid out anew, most are not: a restart makes the same of both.
    put(&database, 100);
    let digest = database.digest().expect("readable");
    database.close().expect("closed");
    drop(database);
    let database = Database::open(files, &config, clock).expect("opens again");
    assert_eq!(database.digest().expect("readable"), digest);
}
