//! What checkpoints cost: how fast they write, on the wall and on the CPU, and what reads notice of them.
//!
//! ```text
//! load ─► checkpoint × n ─► start from the snapshot, in the same process ─► every row once, twice, verification
//!      ─► reads while a checkpoint runs and while none does, in turns of the same length, rows written all the time
//! ```
//!
//! A read's latency is told twice: by the wall clock, and less the time in which the thread was ready to run and others
//! had the core. On a shared machine the first is mostly about them, the second is what the database does: the read's own
//! work, and waiting for locks.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::{Database, OsFs, ReadOptions, ReadPlan, ReadRequest, SyncPolicy};
use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
};

use crate::{
    kernel::{self, RunQueue},
    report::{median, megabytes, ms, ratio, say},
    workload,
};

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Rows of 50 f64.
    pub rows: u64,
    /// Checkpoints for the rate, and pairs of turns of reads.
    pub turns: usize,
    /// Rows written each second while reads are timed, in writes of ten.
    pub rows_per_second: u64,
}

/// Rows of one write while reads are timed.
const WRITE: u64 = 10;
/// A turn of reads is at least so long.
const TURN_NS_MIN: u64 = 1_000_000;

/// Measures everything and prints it.
///
/// # Panics
/// When something does not work: measurements have nobody to tell.
pub fn run(directory: &Path, options: &Options) {
    let (clock, rows) = (SystemClock::new(), options.rows);
    timed("load", || {
        let database = workload::open(directory, SyncPolicy::Os);
        database.apply("bench.toml", &workload::definitions(), false).expect("they are valid");
        for start in (0..rows).step_by(1000) {
            workload::put_wide(&database, start..(start + 1000).min(rows));
        }
        database.close().expect("synced");
        say(&format!("log: {:.1} MB", megabytes(database.wal().stats().bytes_written)));
    });
    let database =
        timed("start by replaying the log", || workload::open(directory, SyncPolicy::Os));
    let rates: Vec<_> = (0..options.turns).map(|_| checkpoint(&database)).collect();
    let of = |rate: &dyn Fn(&Checkpoint) -> f64| median(rates.iter().map(rate).collect());
    say(&format!(
        "checkpoint, median of {}: {:.0} MB/s on the wall, {:.0} MB and {:.0} entities a second of CPU",
        rates.len(),
        of(&|done| done.bytes as f64 * 1e3 / done.wall_ns as f64),
        of(&|done| done.bytes as f64 * 1e3 / done.cpu_ns as f64),
        of(&|done| done.entities as f64 * 1e9 / done.cpu_ns as f64),
    ));
    say("from memory:");
    disturb(&database, options);
    // What was written since would be replayed: the start is to be one from a snapshot alone.
    checkpoint(&database);
    drop(database);

    let start_ns = clock.mono_ns();
    let database = timed("start from the snapshot", || workload::open(directory, SyncPolicy::Os));
    let plan = database.plan_features(&["wide:*"]).expect("the group exists");
    timed("first read", || read(&database, &plan, 7 % rows));
    say(&format!("first read after start: {:.2} ms", ms(clock.mono_ns() - start_ns)));
    for what in ["every row once, from the snapshot", "every row once more"] {
        timed(what, || (0..rows).for_each(|number| read(&database, &plan, number)));
    }
    timed("verification of the rest", || {
        while {
            let verified = database.verify_step(64).expect("undamaged");
            verified.done < verified.total
        } {}
    });
    say("from the snapshot:");
    disturb(&database, options);
}

/// One checkpoint.
#[derive(Debug, Clone, Copy)]
struct Checkpoint {
    wall_ns: u64,
    /// Of the thread that made it: reading memory, checksums, writing. The log's thread is not in it.
    cpu_ns: u64,
    bytes: u64,
    entities: u64,
}

fn checkpoint(database: &Database<OsFs>) -> Checkpoint {
    // With nothing new there would be nothing to measure.
    workload::put_wide(database, 0..1);
    let clock = SystemClock::new();
    let (wall_ns, cpu_ns) = (clock.mono_ns(), kernel::thread_ns());
    let done = database.checkpoint(&mut |_| {}).expect("the disk has room");
    let (wall_ns, cpu_ns) = (clock.mono_ns() - wall_ns, kernel::thread_ns() - cpu_ns);
    let (bytes, entities) = (done.bytes, done.entities);
    say(&format!(
        "checkpoint: {:.1} MB, {entities} entities, {:.0} ms, CPU {:.0} ms",
        megabytes(bytes),
        ms(wall_ns),
        ms(cpu_ns)
    ));
    Checkpoint { wall_ns, cpu_ns, bytes, entities }
}

/// Latencies of reads, in ns.
#[derive(Debug, Default)]
struct Latencies {
    wall: Vec<u64>,
    /// Less the time on the run queue.
    own: Vec<u64>,
}

/// Per mille of the reads that are not slower.
const RANKS: [(&str, usize); 3] = [("p50", 500), ("p99", 990), ("p99.9", 999)];

/// The latencies of each of [`RANKS`], in ns: by the wall clock, and the own ones.
type Ranks = [(u64, u64); RANKS.len()];

impl Latencies {
    fn ranks(&mut self) -> Ranks {
        self.wall.sort_unstable();
        self.own.sort_unstable();
        RANKS.map(|(_, mille)| {
            let at = |sorted: &[u64]| sorted.get(sorted.len() * mille / 1000).copied().unwrap_or(0);
            (at(&self.wall), at(&self.own))
        })
    }

    fn longest(&self) -> u64 {
        self.own.last().copied().unwrap_or(0)
    }
}

/// Reads in turns without and with a checkpoint, while rows are written all the time.
fn disturb(database: &Database<OsFs>, options: &Options) {
    std::thread::scope(|threads| {
        // Also when something here panics, the writer ends.
        let running = Arc::new(());
        let until = Arc::downgrade(&running);
        let writer = threads.spawn(move || write(database, options, &until));
        let mut reads = Reads::new(database, options.rows);
        let mut pairs = Vec::new();
        for _ in 0..options.turns {
            let start_ns = reads.clock.mono_ns();
            let checkpoint = threads.spawn(|| checkpoint(database));
            let mut with = reads.during(|_| !checkpoint.is_finished());
            checkpoint.join().expect("it does not panic");
            let end_ns = reads.clock.mono_ns();
            let length_ns = (end_ns - start_ns).max(TURN_NS_MIN);
            let mut without = reads.during(|now_ns| now_ns < end_ns + length_ns);
            pairs.push((without.ranks(), with.ranks()));
            for (name, latencies) in [("without", &without), ("with", &with)] {
                let count = latencies.own.len();
                say(&format!("  {name} one: {count} reads, longest {} ns", latencies.longest()));
            }
        }
        drop(running);
        let written = writer.join().expect("it does not panic");
        say(&format!("  {written} rows were written meanwhile"));
        tell(&pairs);
    });
}

/// Prints latencies without and with checkpoints, and the ratio, as medians over turns.
fn tell(pairs: &[(Ranks, Ranks)]) {
    for (rank, (name, _)) in RANKS.iter().enumerate() {
        let of = |figure: &dyn Fn((u64, u64), (u64, u64)) -> f64| {
            median(pairs.iter().map(|(without, with)| figure(without[rank], with[rank])).collect())
        };
        say(&format!(
            "  {name:5} less the run queue: {:.0} ns without, {:.0} ns with, ratio {:.2}; on the wall: {:.0}, {:.0}, {:.2}",
            of(&|without, _| without.1 as f64),
            of(&|_, with| with.1 as f64),
            of(&|without, with| ratio(with.1, without.1)),
            of(&|without, _| without.0 as f64),
            of(&|_, with| with.0 as f64),
            of(&|without, with| ratio(with.0, without.0)),
        ));
    }
}

/// One thread's reads of rows drawn by lot.
struct Reads<'a> {
    database: &'a Database<OsFs>,
    plan: ReadPlan,
    rows: u64,
    clock: SystemClock,
    queue: Option<RunQueue>,
    prng: Prng,
}

impl<'a> Reads<'a> {
    fn new(database: &'a Database<OsFs>, rows: u64) -> Self {
        let plan = database.plan_features(&["wide:*"]).expect("the group exists");
        let (clock, queue) = (SystemClock::new(), RunQueue::of_this_thread());
        Self { database, plan, rows, clock, queue, prng: Prng::new(3) }
    }

    /// Reads, one after the other, as long as `go_on` says at the end of one.
    fn during(&mut self, go_on: impl Fn(u64) -> bool) -> Latencies {
        let mut latencies = Latencies::default();
        let queued = |queue: &Option<RunQueue>| queue.as_ref().map_or(0, RunQueue::waited_ns);
        let mut before_ns = queued(&self.queue);
        loop {
            let number = self.prng.below(self.rows);
            let start_ns = self.clock.mono_ns();
            read(self.database, &self.plan, number);
            let end_ns = self.clock.mono_ns();
            let after_ns = queued(&self.queue);
            let wall_ns = end_ns - start_ns;
            latencies.wall.push(wall_ns);
            latencies.own.push(wall_ns.saturating_sub(after_ns - before_ns));
            before_ns = after_ns;
            if !go_on(end_ns) {
                return latencies;
            }
        }
    }
}

/// Writes rows drawn by lot at the wanted rate until nobody holds `until` any more; how many.
fn write(database: &Database<OsFs>, options: &Options, until: &Weak<()>) -> u64 {
    let (clock, mut prng) = (SystemClock::new(), Prng::new(2));
    let mut written = 0;
    let start_ns = clock.mono_ns();
    while until.strong_count() > 0 {
        let number = prng.below(options.rows);
        let rows = number..(number + WRITE).min(options.rows);
        written += WRITE;
        workload::put_wide(database, rows);
        let due_ns = start_ns + written * 1_000_000_000 / options.rows_per_second.max(1);
        let early_ns = due_ns.saturating_sub(clock.mono_ns());
        std::thread::park_timeout(Duration::from_nanos(early_ns));
    }
    written
}

fn read(database: &Database<OsFs>, plan: &ReadPlan, number: u64) {
    let key = workload::key(number);
    let keys = [key.as_bytes()];
    let options = ReadOptions::default();
    let request = ReadRequest { keys: &keys, request_rows: &[], options };
    let vectors = database.read(plan, &request).expect("readable");
    assert!(vectors.columns.get(0).is_some_and(|c| c.get(0).is_ok()), "row {number}");
}

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let clock = SystemClock::new();
    let (wall, cpu) = (clock.mono_ns(), kernel::process_ns());
    let done = act();
    let (wall, cpu) = (clock.mono_ns() - wall, kernel::process_ns() - cpu);
    say(&format!("{what}: {:.2} ms, CPU {:.2} ms", ms(wall), ms(cpu)));
    done
}
