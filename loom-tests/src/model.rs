//! Runs a model and counts its executions.

use std::panic::Location;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use stdx::clock::{Clock, SystemClock};

/// Operations of all threads in one execution: a model with files in it has some hundred.
const BRANCHES_MAX: usize = 20_000;

/// Checks `model` in all interleavings that `LOOM_MAX_PREEMPTIONS` allows, and prints how many those were.
#[track_caller]
pub fn check(model: impl Fn() + Send + Sync + 'static) {
    let place = Location::caller();
    let executions = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&executions);
    let clock = SystemClock::new();
    let start_ns = clock.mono_ns();
    let mut builder = loom::model::Builder::new();
    builder.max_branches = BRANCHES_MAX;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let executions = executions.load(Ordering::Relaxed);
    let took_ms = (clock.mono_ns() - start_ns) / 1_000_000;
    #[expect(clippy::print_stdout, reason = "shown with --nocapture: how much was tried")]
    {
        println!("{}: {executions} executions in {took_ms} ms", place.file());
    }
}
