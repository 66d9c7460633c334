//! What it costs to replay a log: rows of 50 f64 in batches of 500, and events into 5 windows × 6 aggregates at Zipf 1.1.
//!
//! `cargo run --release -p larder-benches --example recovery DIRECTORY [ROWS] [EVENTS] [ROUNDS]`
//!
//! The logs are written into DIRECTORY when they are not there yet, so that programs built from two versions can open the same
//! ones in turns. Wall-clock times mean little on a shared machine; CPU time and ratios within one run mean more.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use engine::{Config, Database, OsFs, SyncPolicy};
use larder_benches::{
    cards::{Shape, payments},
    kernel, workload,
};
use stdx::clock::{Clock, SystemClock};

/// Rows or events of a record.
const BATCH: usize = 500;
/// Cards that the events are spread over.
const CARDS: usize = 100_000;
/// How many threads replay, in turns.
const THREADS: [usize; 2] = [1, 2];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let own = tempfile::tempdir().expect("a temporary directory");
    let given = arguments.next();
    let directory = given.as_deref().map_or(own.path(), Path::new);
    let mut number =
        |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rows, events, rounds) = (number(1_000_000), number(2_000_000), number(3));
    let (of_rows, of_events) = (directory.join("rows"), directory.join("events"));
    if !of_rows.exists() {
        load(&of_rows, &workload::definitions(), |database| {
            for start in (0..rows).step_by(BATCH) {
                workload::put_wide(database, start..(start + BATCH as u64).min(rows));
            }
        });
    }
    if !of_events.exists() {
        load(&of_events, workload::MONTH, |database| {
            let count = usize::try_from(events).expect("as many as fit into memory");
            let all = payments(Shape::Zipf, CARDS, count, 1);
            all.chunks(BATCH).for_each(|batch| workload::push(database, batch));
        });
    }
    for round in 0..rounds {
        for threads in THREADS {
            replay(&of_rows, "rows", round, threads);
            replay(&of_events, "events", round, threads);
        }
    }
}

fn load(directory: &Path, definitions: &str, fill: impl FnOnce(&Database<OsFs>)) {
    let database = open(directory, 1);
    database.apply("bench.toml", definitions, false).expect("valid");
    fill(&database);
    database.close().expect("synced");
}

fn replay(directory: &Path, what: &str, round: u64, threads: usize) {
    let clock = SystemClock::new();
    let (wall, cpu) = (clock.mono_ns(), kernel::process_ns());
    let database = open(directory, threads);
    let (wall, cpu) = (clock.mono_ns() - wall, kernel::process_ns() - cpu);
    let (records, seconds) = (database.recovery().records, wall as f64 / 1e9);
    let bytes = database.recovery().bytes as f64;
    let line = format!(
        "{what} round {round} threads {threads}: {:.0} ms, CPU {:.0} ms, {:.0} records/s, {:.0} MB/s",
        seconds * 1e3,
        cpu as f64 / 1e6,
        records as f64 / seconds,
        bytes / 1e6 / seconds,
    );
    writeln!(std::io::stdout(), "{line}").expect("standard output is writable");
}

fn open(directory: &Path, replay_threads: usize) -> Database<OsFs> {
    let config = Config { sync: SyncPolicy::Os, replay_threads, ..Config::default() };
    let files = OsFs::open(directory).expect("a directory");
    Database::open(files, &config, Arc::new(SystemClock::new())).expect("opens")
}
