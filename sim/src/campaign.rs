//! Many simulations, one after the other on every core, until there were enough crashes or something was found.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use stdx::{
    clock::{Clock, SystemClock},
    sync::Mutex,
};

use crate::{
    coverage::Coverage,
    simulation::{Found, Options, run},
};

/// One simulation in so many is run a second time with a judge that must fail it.
const CANARIES: u64 = 100;

/// How long a campaign is.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// The first seed; the others follow.
    pub first_seed: u64,
    /// Kills and power cuts, at least.
    pub crashes: u64,
    /// Threads; each runs simulations of its own.
    pub threads: usize,
}

/// What a campaign was.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What happened.
    pub coverage: Coverage,
    /// Simulations.
    pub seeds: u64,
    /// Simulations that had to fail, and did.
    pub canaries: u64,
    /// Combined of all simulations, whatever the order they ended in.
    pub trace_hash: u64,
    /// From start to end, in ms.
    pub took_ms: u64,
    /// What was found: the campaign ends with the first.
    pub found: Vec<Found>,
}

impl Report {
    /// Kills and power cuts.
    #[must_use]
    pub fn crashes(&self) -> u64 {
        self.coverage.kills + self.coverage.power_cuts
    }

    /// Crashes a second and thread.
    #[must_use]
    pub fn rate(&self, threads: usize) -> u64 {
        self.crashes() * 1_000 / self.took_ms.max(1) / threads.max(1) as u64
    }

    fn add(&mut self, seed: u64) {
        self.seeds += 1;
        match run(seed, Options::default()) {
            Ok(passed) => {
                self.coverage.add(&passed.coverage);
                self.trace_hash = self.trace_hash.wrapping_add(passed.trace_hash);
            }
            Err(found) => self.found.push(*found),
        }
        if seed.is_multiple_of(CANARIES) {
            self.canaries += 1;
            if run(seed, Options { is_canary: true, ..Options::default() }).is_ok() {
                let what = "a lost promise was not reported".to_owned();
                self.found.push(Found { seed, life: 0, what });
            }
        }
    }

    fn join(&mut self, other: Self) {
        self.coverage.add(&other.coverage);
        self.seeds += other.seeds;
        self.canaries += other.canaries;
        self.trace_hash = self.trace_hash.wrapping_add(other.trace_hash);
        self.found.extend(other.found);
    }
}

impl Campaign {
    /// Runs it.
    ///
    /// # Panics
    /// When the system starts no threads.
    #[must_use]
    pub fn run(&self) -> Report {
        let clock = SystemClock::new();
        let (next, crashes) = (AtomicU64::new(self.first_seed), AtomicU64::new(0));
        let is_over = AtomicBool::new(false);
        let whole = Mutex::new(Report::default());
        let work = || {
            let mut report = Report::default();
            while !is_over.load(Ordering::Relaxed) && crashes.load(Ordering::Relaxed) < self.crashes
            {
                let before = report.crashes();
                report.add(next.fetch_add(1, Ordering::Relaxed));
                crashes.fetch_add(report.crashes() - before, Ordering::Relaxed);
                if !report.found.is_empty() {
                    is_over.store(true, Ordering::Relaxed);
                }
            }
            whole.lock().join(report);
        };
        thread::scope(|scope| {
            for number in 0..self.threads.max(1) {
                let builder = thread::Builder::new().name(format!("sim-{number}"));
                let started = builder.spawn_scoped(scope, work);
                assert!(started.is_ok(), "the system starts no thread");
            }
        });
        let mut report = whole.lock().clone();
        report.took_ms = clock.mono_ns() / 1_000_000;
        report
    }
}
