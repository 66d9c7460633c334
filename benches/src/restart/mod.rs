//! What a restart costs: from the start of a process to its first answered read, and to full speed.
//!
//! ```text
//! fill ─► [start ─► first read ─► reads until the speed is full ─► kill -9] × runs, for each way of starting, in turns
//! ```
//!
//! `larder` fills directories through the engine and starts the real binary; `redis` fills and starts a redis-server of
//! its own;
//! `child` is a process that is measured from outside. Whoever reads is this process, over a socket. The first read is
//! timed by the wall clock, everything else is CPU time of the process that starts: other programs on the machine do not
//! change it much.

mod child;
mod larder;
mod redis;

use std::path::{Path, PathBuf};

use stdx::clock::{Clock, SystemClock};

use crate::{
    kernel::{self, Resident},
    report::{median, megabytes, ms, say},
};
pub use larder::compile;
pub use redis::is_installed as redis_is_installed;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// Rows of 50 f64, and entities with counters.
    pub entities: u64,
    /// Payments beside the first of each entity, Zipf 1.1.
    pub payments: usize,
    /// Starts of each kind.
    pub runs: usize,
    /// Single reads that are timed before any others: those that a cold start has to bring from the disk.
    pub first_reads: usize,
    /// Redis too, when there is one.
    pub with_redis: bool,
    /// The `larder` binary.
    pub binary: PathBuf,
    /// Where the data goes.
    pub directory: PathBuf,
}

/// One start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start {
    /// From the start of the process to the answer of the first read.
    pub first_read_ns: u64,
    /// CPU time of the process by then.
    pub first_read_cpu_ns: u64,
    /// Resident memory by then.
    pub first_resident: Resident,
    /// Wall time of one of the reads behind the first, as many as were asked for: the middle one.
    pub first_reads_p50_ns: u64,
    /// Of a hundred of them, the slowest but one.
    pub first_reads_p99_ns: u64,
    /// Of all of them together.
    pub first_reads_ns: u64,
    /// CPU time of the process until the reads were at full speed, less what these reads cost at full speed.
    pub full_speed_cpu_ns: u64,
    /// Reads, in batches, until then.
    pub reads_until_full_speed: u64,
    /// CPU time of the process for one row of a batch at full speed.
    pub read_cpu_ns: u64,
    /// Resident memory at the end.
    pub last_resident: Resident,
}

/// A server that is running and can be read from.
trait Reader {
    /// The process.
    fn child(&self) -> &child::Child;
    /// Reads these entities in one round trip.
    fn read(&mut self, numbers: &[u64]);
}

/// A way of starting: what it is called, the files it starts from, how it is done.
struct Way<'a> {
    name: &'static str,
    files: PathBuf,
    start: Box<dyn Fn() -> Box<dyn Reader> + 'a>,
    starts: Vec<Start>,
}

/// Entities of one batch of reads.
const BATCH: usize = 100;
/// Batches of one measurement of the speed.
const WINDOW: usize = 100;
/// Speed is full when a window costs at most so much of the least that one cost.
const FULL: f64 = 1.1;

/// Measures everything `options` asks for and prints it; the starts of each way, by name.
///
/// # Panics
/// When something does not work: measurements have nobody to tell.
#[must_use]
pub fn run(options: &Options) -> Vec<(&'static str, Vec<Start>)> {
    let binary = options.binary.as_path();
    let at = |name: &str| options.directory.join(name);
    let (log, mapped, windows) = (at("log"), at("mapped"), at("windows"));
    larder::fill_rows(&log, options.entities, false);
    larder::fill_rows(&mapped, options.entities, true);
    larder::fill_counters(&windows, options.entities, options.payments);
    let wide = |files: &Path| {
        let files = files.to_owned();
        Box::new(move || larder::start(binary, &files, "wide:*")) as Box<dyn Fn() -> _>
    };
    let counters = windows.clone();
    let mut ways = vec![
        Way::new("larder, rows, mapped snapshot", mapped.clone(), wide(&mapped)),
        Way::new("larder, rows, log replayed", log.clone(), wide(&log)),
        Way::new(
            "larder, counters, mapped snapshot",
            windows,
            Box::new(move || larder::start(binary, &counters, "spend:*")),
        ),
    ];
    if options.with_redis && redis::is_installed() {
        let directory = at("redis");
        redis::fill(&directory, options.entities);
        for (name, aof) in [("redis, rows, RDB", false), ("redis, rows, AOF", true)] {
            let (files, from) = (directory.clone(), directory.clone());
            ways.push(Way::new(name, files, Box::new(move || redis::start(&from, aof))));
        }
    } else if options.with_redis {
        say("!!! redis-server is NOT INSTALLED: the comparison with it is SKIPPED");
    }
    for run in 0..options.runs {
        for way in &mut ways {
            way.run(options, run);
        }
    }
    summarize(&ways);
    ways.into_iter().map(|way| (way.name, way.starts)).collect()
}

impl<'a> Way<'a> {
    fn new(
        name: &'static str,
        files: PathBuf,
        start: Box<dyn Fn() -> Box<dyn Reader> + 'a>,
    ) -> Self {
        Self { name, files, start, starts: Vec::new() }
    }

    /// Starts once; the odd runs with nothing of the files in the system's memory.
    fn run(&mut self, options: &Options, run: usize) {
        let is_cold = run % 2 == 1;
        if is_cold {
            forget_files(&self.files);
        }
        let start = measure(&*self.start, options);
        let temperature = if is_cold { "files on the disk" } else { "files in the page cache" };
        say(&format!(
            "{}, {temperature}: first read after {:.1} ms (CPU {:.1} ms), resident {:.1} MB and {:.1} MB of files; full \
             speed of {:.2} µs CPU a row after {} rows and {:.1} ms CPU; resident then {:.1} MB and {:.1} MB",
            self.name,
            ms(start.first_read_ns),
            ms(start.first_read_cpu_ns),
            megabytes(start.first_resident.anonymous),
            megabytes(start.first_resident.file),
            start.read_cpu_ns as f64 / 1e3,
            start.reads_until_full_speed,
            ms(start.full_speed_cpu_ns),
            megabytes(start.last_resident.anonymous),
            megabytes(start.last_resident.file),
        ));
        if options.first_reads > 0 {
            say(&format!(
                "    the {} single reads behind the first: p50 {:.0} µs, p99 {:.0} µs, all {:.1} ms",
                options.first_reads,
                start.first_reads_p50_ns as f64 / 1e3,
                start.first_reads_p99_ns as f64 / 1e3,
                ms(start.first_reads_ns),
            ));
        }
        self.starts.push(start);
    }
}

/// One start, from nothing to full speed. The process is gone at the end.
fn measure(start: &dyn Fn() -> Box<dyn Reader>, options: &Options) -> Start {
    let entities = options.entities;
    let clock = SystemClock::new();
    let mut prng = stdx::prng::Prng::new(5);
    let start_ns = clock.mono_ns();
    let mut reader = start();
    reader.read(&[prng.below(entities)]);
    let first_read_ns = clock.mono_ns() - start_ns;
    let cpu = |reader: &dyn Reader| kernel::process_ns_of(reader.child().id());
    let first_read_cpu_ns = cpu(&*reader);
    let first_resident = kernel::resident_of(reader.child().id());
    let mut times: Vec<u64> = (0..options.first_reads)
        .map(|_| {
            let start_ns = clock.mono_ns();
            reader.read(&[prng.below(entities)]);
            clock.mono_ns() - start_ns
        })
        .collect();
    times.sort_unstable();
    let percentile = |percent| times.get(times.len() * percent / 100).copied().unwrap_or(0);
    let cpu_before = cpu(&*reader);
    let windows =
        usize::try_from(entities).unwrap_or(usize::MAX).div_ceil(BATCH * WINDOW).clamp(2, 100);
    let mut marks = vec![cpu_before];
    let mut numbers = [0; BATCH];
    for _ in 0..windows {
        for _ in 0..WINDOW {
            numbers.fill_with(|| prng.below(entities));
            reader.read(&numbers);
        }
        marks.push(cpu(&*reader));
    }
    let costs: Vec<u64> = marks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (warm_up, full) = speed(&costs);
    let rows = (BATCH * WINDOW) as u64;
    let spent = costs.iter().take(warm_up).sum::<u64>();
    Start {
        first_read_ns,
        first_read_cpu_ns,
        first_resident,
        first_reads_p50_ns: percentile(50),
        first_reads_p99_ns: percentile(99),
        first_reads_ns: times.iter().sum(),
        full_speed_cpu_ns: cpu_before + spent.saturating_sub(full * warm_up as u64),
        reads_until_full_speed: warm_up as u64 * rows,
        read_cpu_ns: full / rows,
        last_resident: kernel::resident_of(reader.child().id()),
    }
}

/// How many windows come before the first at full speed, and what one costs at full speed: the middle of the last half.
fn speed(costs: &[u64]) -> (usize, u64) {
    let mut last = costs.get(costs.len() / 2..).unwrap_or_default().to_vec();
    last.sort_unstable();
    let full = last.get(last.len() / 2).copied().unwrap_or(0);
    let is_full = |cost: &u64| *cost as f64 <= full as f64 * FULL;
    (costs.iter().position(is_full).unwrap_or(costs.len()), full)
}

/// Has the system forget what it keeps of the files in a directory.
fn forget_files(directory: &Path) {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    for path in entries.map(|entry| entry.expect("it can be read").path()) {
        if path.is_dir() {
            forget_files(&path);
        } else {
            kernel::forget_cached(&path).expect("it is a file");
        }
    }
}

/// Medians of each way, and ratios to the last one's rows.
fn summarize(ways: &[Way<'_>]) {
    say("\nmedians of all starts:");
    for way in ways {
        let of = |figure: &dyn Fn(&Start) -> u64| {
            median(way.starts.iter().map(|start| ms(figure(start))).collect())
        };
        say(&format!(
            "{:36} first read {:9.1} ms, CPU to it {:9.1} ms, CPU to full speed {:9.1} ms",
            way.name,
            of(&|start| start.first_read_ns),
            of(&|start| start.first_read_cpu_ns),
            of(&|start| start.full_speed_cpu_ns),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_full_from_the_first_window_that_costs_what_the_last_ones_cost() {
        assert_eq!(speed(&[900, 400, 104, 100, 100, 101]), (2, 100));
        assert_eq!(speed(&[100, 100]), (0, 100));
        assert_eq!(speed(&[]), (0, 0));
    }
}
