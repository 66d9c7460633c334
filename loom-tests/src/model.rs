//! Runs a model and counts its executions; runs a planted bug, which must be found.

use std::panic::Location;
use std::process::Command;
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

/// Runs the ignored test `name` of this file in a process of its own: it must fail and say `why`. A deadlock aborts the whole
/// process, and a mutant is planted in one.
///
/// # Panics
/// When the planted bug is not found.
pub fn must_fail(name: &str, why: &str) {
    let program = std::env::current_exe().expect("this test has a file");
    let run = Command::new(program).args(["--ignored", "--exact", "--nocapture", name]).output();
    let run = run.expect("a test can be run again");
    let said = String::from_utf8_lossy(&run.stderr) + String::from_utf8_lossy(&run.stdout);
    assert!(!run.status.success(), "the planted bug `{name}` was not found");
    assert!(said.contains(why), "`{name}` failed for another reason than \"{why}\":\n{said}");
}
