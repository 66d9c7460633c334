//! Steps as data: runs them in order with a heading and a timing each, stops at the first that fails, sums up.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::bench;
use crate::cargo::Cargo;
use crate::check;
use crate::error::Error;
use crate::fuzz;
use crate::report;
use crate::repository;

/// One row of a table of steps.
#[derive(Debug)]
pub(crate) struct Step {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it makes sure of.
    pub(crate) about: &'static str,
    /// What it does.
    pub(crate) action: Action,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Action {
    /// Everything of `cargo xtask check`.
    Check,
    /// One call of cargo.
    Cargo(Cargo),
    /// One after the other, while they succeed.
    Each(&'static [Cargo]),
    /// Every fuzz target under libFuzzer.
    Fuzz,
    /// Every benchmark once, and the instructions of the hot paths.
    BenchSmoke,
}

/// How one step went.
#[derive(Debug)]
struct Outcome {
    name: &'static str,
    took: Duration,
    passed: bool,
}

/// Prints the names of `steps` and what they are for.
pub(crate) fn list(steps: &[Step]) {
    let rows: Vec<_> = steps.iter().map(|step| (step.name, step.about)).collect();
    report::list(&rows);
}

/// Runs `steps` in the repository, each call of cargo for tests or benchmarks at most for `limit`, and prints a summary, also after a failure.
///
/// # Errors
/// That of the first step that fails.
pub(crate) fn run(steps: &[&Step], limit: Duration) -> Result<(), Error> {
    let root = repository::root()?;
    let (outcomes, result) = run_each(steps, |step| perform(step, &root, limit));
    report::progress(&summary(&outcomes, steps.len()));
    result
}

fn perform(step: &Step, root: &Path, limit: Duration) -> Result<(), Error> {
    report::heading(&format!("{}: {}", step.name, step.about));
    match &step.action {
        Action::Check => check::run(&[]),
        Action::Cargo(cargo) => cargo.run_within(root, limit),
        Action::Each(calls) => calls.iter().try_for_each(|cargo| cargo.run_within(root, limit)),
        Action::Fuzz => fuzz::run(root),
        Action::BenchSmoke => bench::smoke(root, limit),
    }
}

fn run_each(
    steps: &[&Step],
    mut perform: impl FnMut(&Step) -> Result<(), Error>,
) -> (Vec<Outcome>, Result<(), Error>) {
    let mut outcomes = Vec::with_capacity(steps.len());
    for step in steps {
        let start = now();
        let result = perform(step);
        outcomes.push(Outcome { name: step.name, took: start.elapsed(), passed: result.is_ok() });
        if result.is_err() {
            return (outcomes, result);
        }
    }
    (outcomes, Ok(()))
}

/// A table of steps and seconds; `planned` of them were to run.
fn summary(outcomes: &[Outcome], planned: usize) -> String {
    let width = outcomes.iter().map(|outcome| outcome.name.len()).max().unwrap_or(0).max(5);
    let mut table = String::new();
    let mut total = Duration::ZERO;
    for outcome in outcomes {
        total += outcome.took;
        let seconds = outcome.took.as_secs_f64();
        let verdict = if outcome.passed { "ok" } else { "FAILED" };
        let _ = write!(table, "\n{:width$} {seconds:8.1} s  {verdict}", outcome.name);
    }
    let _ = write!(table, "\n{:width$} {:8.1} s", "total", total.as_secs_f64());
    let left = planned - outcomes.len();
    if left > 0 {
        let _ = write!(table, "  {left} not run");
    }
    table
}

#[expect(clippy::disallowed_methods, reason = "people want to know how long their wait was")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 3] = [
        Step { name: "first", about: "", action: Action::Check },
        Step { name: "second", about: "", action: Action::Check },
        Step { name: "third", about: "", action: Action::Check },
    ];

    #[test]
    fn the_first_failure_stops_the_run_and_is_in_the_summary() {
        let steps: Vec<&Step> = STEPS.iter().collect();
        let mut ran = Vec::new();
        let (outcomes, result) = run_each(&steps, |step| {
            ran.push(step.name);
            if step.name == "second" { Err(Error::Check("planted".to_owned())) } else { Ok(()) }
        });
        assert!(result.is_err());
        assert_eq!(ran, ["first", "second"]);
        let table = summary(&outcomes, steps.len());
        assert!(table.contains("second") && table.contains("FAILED"), "{table}");
        assert!(table.contains("1 not run"), "{table}");
    }

    #[test]
    fn a_run_without_failure_passes_every_step() {
        let steps: Vec<&Step> = STEPS.iter().collect();
        let (outcomes, result) = run_each(&steps, |_| Ok(()));
        assert!(result.is_ok());
        let table = summary(&outcomes, steps.len());
        assert!(table.contains("third") && !table.contains("FAILED"), "{table}");
        assert!(!table.contains("not run"), "{table}");
    }
}
