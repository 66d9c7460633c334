//! Every program of measurements runs once, tiny, so that none rots. What they print is nobody's concern here.

use larder_benches::{durability, export, replay, restart};

#[test]
fn checkpoints_are_measured() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = durability::Options { rows: 2000, turns: 1, rows_per_second: 1000 };
    durability::run(directory.path(), &options);
}

#[test]
fn exports_are_measured() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    export::run(directory.path(), 2000);
}

#[test]
fn replays_are_measured() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path().to_owned();
    let options = replay::Options { cards: 50, events: 3000, rows: 400, threads: 2, directory };
    replay::generate(&options);
    let measured = replay::replay(&options);
    assert_eq!(measured.report.rows, 400);
    assert!(measured.report.streams.iter().all(|(_, counts)| counts.accepted == 3000));
}

#[test]
fn restarts_are_measured_beside_redis_where_there_is_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let binary = std::env::var_os("LARDER_BINARY").map(Into::into);
    let this = std::env::current_exe().expect("a test knows its own path");
    let options = restart::Options {
        entities: 1000,
        payments: 1000,
        runs: 2,
        first_reads: 20,
        with_redis: true,
        binary: binary.unwrap_or_else(|| restart::compile(&this)),
        directory: directory.path().to_owned(),
    };
    let ways = restart::run(&options);
    assert_eq!(ways.len(), if restart::redis_is_installed() { 5 } else { 3 });
    for (name, starts) in ways {
        assert_eq!(starts.len(), 2, "{name}");
        assert!(starts.iter().all(|start| start.first_read_cpu_ns > 0), "{name}: {starts:?}");
    }
}
