//! What durability costs, and what a start costs: rows of 50 f64 in real files.
//!
//! `cargo run --release -p larder-benches --example durability [ROWS] [DIRECTORY]`
//!
//! ```text
//! load ─► start by replaying the log ─► checkpoint ─► start from the snapshot: open, first read, every row once, verification
//!      ─► reads while checkpoints run and while none does, in turns
//! ```
//!
//! Times are wall clock, with the CPU time of the process beside them: on a shared machine only ratios within one run mean
//! something.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use engine::{Config, Database, OsFs, ReadOptions, ReadPlan, ReadRequest, SyncPolicy};
use larder_benches::{kernel, workload};
use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
};

/// Turns of reads without and with checkpoints.
const TURNS: usize = 5;
/// Length of a turn without checkpoints, in ns.
const TURN_NS: u64 = 1_000_000_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let own = tempfile::tempdir().expect("a temporary directory");
    let given = arguments.next();
    let directory = given.as_deref().map_or(own.path(), Path::new);
    let clock = SystemClock::new();
    let database = timed(&clock, "load", |_| {
        let database = open(directory);
        let applied = database.apply("bench.toml", &workload::definitions(), false).expect("valid");
        drop(applied);
        for start in (0..rows).step_by(1000) {
            workload::put_wide(&database, start..(start + 1000).min(rows));
        }
        database.close().expect("synced");
        database
    });
    say(&format!("log: {:.1} MB", megabytes(database.wal().stats().bytes_written)));
    drop(database);
    let database = timed(&clock, "start by replaying the log", |_| open(directory));
    timed(&clock, "checkpoint", |_| {
        let done = database.checkpoint(&mut |_| {}).expect("the disk has room");
        say(&format!("snapshot: {:.1} MB, {} entities", megabytes(done.bytes), done.entities));
    });
    drop(database);

    let start_ns = clock.mono_ns();
    let database = timed(&clock, "start from the snapshot", |_| open(directory));
    let plan = database.plan_features(&["wide:*"]).expect("the group exists");
    timed(&clock, "first read", |_| read(&database, &plan, 7));
    say(&format!("first read after start: {:.2} ms", ms(clock.mono_ns() - start_ns)));
    timed(&clock, "every row once, from the snapshot", |_| {
        (0..rows).for_each(|number| read(&database, &plan, number));
    });
    timed(&clock, "every row once more", |_| {
        (0..rows).for_each(|number| read(&database, &plan, number));
    });
    timed(&clock, "verification of the rest", |_| {
        while {
            let verified = database.verify_step(64).expect("undamaged");
            verified.done < verified.total
        } {}
    });
    disturb(&database, &plan, rows, &clock);
}

/// Reads in turns without and with checkpoints, while rows are written all the time.
fn disturb(database: &Database<OsFs>, plan: &ReadPlan, rows: u64, clock: &SystemClock) {
    let is_over = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut prng = Prng::new(2);
            while !is_over.load(Ordering::Relaxed) {
                let number = prng.below(rows);
                workload::put_wide(database, number..(number + 10).min(rows));
                written.fetch_add(10, Ordering::Relaxed);
                std::thread::yield_now();
            }
        });
        let mut prng = Prng::new(3);
        let (mut without, mut with) = (Vec::new(), Vec::new());
        let mut took = Vec::new();
        for _ in 0..TURNS {
            let end = clock.mono_ns() + TURN_NS;
            reads(database, plan, rows, clock, &mut prng, &mut without, || clock.mono_ns() < end);
            let checkpoint =
                threads.spawn(|| database.checkpoint(&mut |_| {}).expect("room").took_ms);
            reads(database, plan, rows, clock, &mut prng, &mut with, || !checkpoint.is_finished());
            took.push(checkpoint.join().expect("it does not panic"));
        }
        is_over.store(true, Ordering::Relaxed);
        say(&format!(
            "checkpoints under load took {took:?} ms; rows written meanwhile: {}",
            written.load(Ordering::Relaxed)
        ));
        for (name, latencies) in [("without", &mut without), ("with", &mut with)] {
            latencies.sort_unstable();
            let at =
                |mille: usize| latencies.get(latencies.len() * mille / 1000).copied().unwrap_or(0);
            say(&format!(
                "reads {name} a checkpoint: {}, p50 {} ns, p99 {} ns, p99.9 {} ns, longest {} ns",
                latencies.len(),
                at(500),
                at(990),
                at(999),
                latencies.last().copied().unwrap_or(0)
            ));
        }
    });
}

fn reads(
    database: &Database<OsFs>,
    plan: &ReadPlan,
    rows: u64,
    clock: &SystemClock,
    prng: &mut Prng,
    latencies: &mut Vec<u64>,
    go_on: impl Fn() -> bool,
) {
    while go_on() {
        let number = prng.below(rows);
        let start = clock.mono_ns();
        read(database, plan, number);
        latencies.push(clock.mono_ns() - start);
    }
}

fn open(directory: &Path) -> Database<OsFs> {
    let config = Config { sync: SyncPolicy::Os, ..Config::default() };
    let files = OsFs::open(directory).expect("a directory");
    Database::open(files, &config, std::sync::Arc::new(SystemClock::new())).expect("opens")
}

fn read(database: &Database<OsFs>, plan: &ReadPlan, number: u64) {
    let key = workload::key(number);
    let keys = [key.as_bytes()];
    let options = ReadOptions::default();
    let request = ReadRequest { keys: &keys, request_rows: &[], options };
    let vectors = database.read(plan, &request).expect("readable");
    assert!(vectors.columns.first().is_some_and(|c| c.get(0).is_ok()), "row {number}");
}

fn timed<T>(clock: &SystemClock, what: &str, act: impl FnOnce(&SystemClock) -> T) -> T {
    let (wall, cpu) = (clock.mono_ns(), kernel::process_ns());
    let done = act(clock);
    let (wall, cpu) = (clock.mono_ns() - wall, kernel::process_ns() - cpu);
    say(&format!("{what}: {:.2} ms, CPU {:.2} ms", ms(wall), ms(cpu)));
    done
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is writable");
}
