//! `larder-sim`: simulations from a seed on, as many as asked for. `cargo xtask long sim` runs it.
//!
//! ```text
//! larder-sim [--crashes N] [--seed S] [--threads T]    the defaults are LARDER_CRASHES, LARDER_FIRST_SEED, LARDER_THREADS
//! LARDER_SEED=S larder-sim                             that simulation alone, with everything that happens printed
//! ```

use std::io::Write as _;
use std::process::ExitCode;

use sim::{Campaign, Options, Report, run};

fn main() -> ExitCode {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("LARDER_SEED") {
        return replay(seed);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = number("LARDER_THREADS").map_or(threads, |n| usize::try_from(n).unwrap_or(1));
    let crashes = number("LARDER_CRASHES").unwrap_or(100_000);
    let first_seed = number("LARDER_FIRST_SEED").unwrap_or(1);
    let mut campaign = Campaign { first_seed, crashes, threads };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for pair in arguments.chunks(2) {
        let value = pair.get(1).and_then(|text| text.parse::<u64>().ok());
        match (pair.first().map(String::as_str), value) {
            (Some("--crashes"), Some(crashes)) => campaign.crashes = crashes,
            (Some("--seed"), Some(seed)) => campaign.first_seed = seed,
            (Some("--threads"), Some(threads)) => {
                campaign.threads = usize::try_from(threads).unwrap_or(1);
            }
            _ => {
                say("usage: larder-sim [--crashes N] [--seed S] [--threads T]");
                return ExitCode::from(2);
            }
        }
    }
    let report = campaign.run();
    tell(&campaign, &report);
    if report.found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One simulation, with everything that happens printed.
fn replay(seed: u64) -> ExitCode {
    match run(seed, Options { is_shown: true, is_canary: false }) {
        Ok(passed) => {
            say(&format!("seed {seed} finds nothing; trace {:016x}", passed.trace_hash));
            ExitCode::SUCCESS
        }
        Err(found) => {
            say(&found.to_string());
            ExitCode::FAILURE
        }
    }
}

fn tell(campaign: &Campaign, report: &Report) {
    let Campaign { first_seed, threads, .. } = campaign;
    let last = first_seed + report.seeds.saturating_sub(1);
    for (name, count) in report.coverage.list() {
        say(&format!("{name:24} {count:12}"));
    }
    say(&format!(
        "{} crashes, seeds {first_seed} to {last}, {} canaries, {} s on {threads} threads: {} crashes a second and thread; \
         trace {:016x}",
        report.crashes(),
        report.canaries,
        report.took_ms / 1_000,
        report.rate(*threads),
        report.trace_hash,
    ));
    for found in &report.found {
        say(&format!("FOUND {found}"));
    }
}

/// Prints a line; where nobody reads any more, nobody misses it.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
