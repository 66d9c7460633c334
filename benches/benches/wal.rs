//! What a write waits for, by sync policy: one record in the log, and one row of 50 f64 from the call to its promise;
//! from 1, 16 and 64 writers at once, who share syncs.
//!
//! One iteration is one write; with many writers, an iteration's share of the time in which all of them wrote. Files are
//! real, in the system's temporary directory (`TMPDIR` chooses another disk).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::{OsFs, SyncPolicy};
use larder_benches::workload;
use stdx::clock::{Clock, SystemClock};
use storage::{Directory, Wal, WalConfig};

const POLICIES: [SyncPolicy; 4] =
    [SyncPolicy::Memory, SyncPolicy::Os, SyncPolicy::Interval, SyncPolicy::Always];
const WRITERS: [u64; 3] = [1, 16, 64];
/// Kind of the records: the log does not care.
const KIND: u8 = 1;
/// Rows that are written over and over.
const ENTITIES: u64 = 20_000;

/// Time in which `writers` threads do `iterations` writes together.
fn together(writers: u64, iterations: u64, write: impl Fn(u64) + Sync) -> Duration {
    let (clock, next) = (SystemClock::new(), AtomicU64::new(0));
    let start_ns = clock.mono_ns();
    std::thread::scope(|threads| {
        for _ in 0..writers.min(iterations) {
            threads.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= iterations {
                        return;
                    }
                    write(number);
                }
            });
        }
    });
    Duration::from_nanos(clock.mono_ns() - start_ns)
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append a record of a row of 50 f64 and wait");
    group.throughput(Throughput::Elements(1));
    let record = workload::wide_row(7);
    for sync in POLICIES {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let log = log(directory.path(), sync);
        for writers in WRITERS {
            group.bench_with_input(BenchmarkId::new(sync.as_str(), writers), &writers, |b, _| {
                b.iter_custom(|iterations| {
                    together(writers, iterations, |_| {
                        log.reserve(record.len()).expect("there is room");
                        let lsn = log.append(KIND, &record).expect("the log is open");
                        log.ticket(lsn, None).wait().expect("the disk works");
                    })
                });
            });
        }
        log.close().expect("the disk works");
    }
    group.finish();
}

fn log(directory: &std::path::Path, sync: SyncPolicy) -> Wal<OsFs> {
    let files = OsFs::open(directory).expect("the directory can be used");
    let directory = Directory::open(files, 1).expect("the directory is new");
    let config = WalConfig { sync, ..WalConfig::default() };
    let clock = Arc::new(SystemClock::new());
    Wal::open(&directory, config, clock, &mut |_, _, _| Ok(())).expect("the log is new").0
}

fn put(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("put 1 row of 50 f64 and wait");
    group.throughput(Throughput::Elements(1));
    for sync in POLICIES {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let database = workload::open(directory.path(), sync);
        database.apply("bench.toml", &workload::definitions(), false).expect("they are valid");
        for writers in WRITERS {
            group.bench_with_input(BenchmarkId::new(sync.as_str(), writers), &writers, |b, _| {
                b.iter_custom(|iterations| {
                    together(writers, iterations, |number| {
                        let number = number % ENTITIES;
                        let written = workload::put_wide(&database, number..number + 1);
                        written.ticket.wait().expect("the disk works");
                    })
                });
            });
        }
        database.close().expect("the disk works");
    }
    group.finish();
}

criterion_group! {
    name = benches;
    // Four policies, three numbers of writers, two levels: 24 lines, some of which wait for a disk.
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2));
    targets = append, put
}
criterion_main!(benches);
