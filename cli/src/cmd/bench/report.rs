//! The report of a load: how it was made, beside what came of it; and its files.

use std::path::Path;

use larder_benches::load::{
    Bench, Pace,
    report::{Machine, Outcome, Report, page, to_json},
    run::Run,
    slo::Judgement,
    workload::Table,
};
use model::time::format_timestamp;
use stdx::clock::{Clock, SystemClock};

use super::servers::Servers;
use crate::{args, error::CliError, output};

/// Puts it together.
pub(super) fn of(
    args: &args::Bench,
    (bench, servers): (&Bench, &Servers),
    machine: Machine,
    outcome: Outcome,
    judgements: Vec<Judgement>,
) -> Report {
    let plan = bench.plan();
    let profile = if cfg!(debug_assertions) { "with debug checks" } else { "optimised" };
    let mut settings = vec![("workload".to_owned(), plan.workload.to_string())];
    let mut add = |name: &str, value: String| settings.push((name.to_owned(), value));
    add("server", servers.describe(args));
    if let Some(peer) = bench.peer_name() {
        add("peer", peer);
    }
    add("entities", format!("{}, {}", plan.entities, plan.distribution));
    if plan.service.is_none() {
        add("features", plan.features.to_string());
    }
    let has_events = plan.workload.tables().iter().any(|table| *table != Table::Rows);
    if has_events && !args.no_fill {
        add("events", format!("{} of each entity before", plan.events));
    }
    if plan.workload.shares().iter().any(|(kind, _)| kind.is_batch()) {
        add("batch", plan.batch.to_string());
    }
    add("warm-up", format!("{:?}", args.warm_up));
    add("connections", plan.connections.to_string());
    add("generator threads", plan.generators.to_string());
    add("timeout", format!("{} ms", plan.timeout.as_millis()));
    add("seed", plan.seed.to_string());
    if let Some(server) = bench.server() {
        add("server memory", format!("{:.1} MB resident", server.resident_bytes() as f64 / 1e6));
    }
    Report {
        command: shown(std::env::args()),
        version: format!("larder {}, {profile}", env!("CARGO_PKG_VERSION")),
        date: format_timestamp(SystemClock::new().wall_ms()),
        machine,
        settings,
        doubts: doubts(bench, &outcome, !judgements.is_empty()),
        outcome,
        judgements,
    }
}

/// What speaks against the figures, and against the limits if there are any.
fn doubts(bench: &Bench, outcome: &Outcome, has_limits: bool) -> Vec<String> {
    const CLOSED: &str = "a closed loop asks less when answers come late: only with --rate is a limit judged as callers see it";
    let closed = |run: &Run| {
        let is_closed = matches!(run.pace, Pace::Closed { .. });
        (has_limits && is_closed).then(|| CLOSED.to_owned())
    };
    let mut doubts = Vec::new();
    match outcome {
        Outcome::Run(run) => {
            doubts.extend(run.left_out());
            doubts.extend(run.generator_limit());
            doubts.extend(closed(run));
        }
        Outcome::Comparison(comparison) => {
            if let Some((larder, peer)) = comparison.sums() {
                doubts.extend(closed(larder));
                doubts.extend(peer.server_cpu_ns.is_none().then(|| unknown("the peer's")));
                let about =
                    |name, run: &Run| run.generator_limit().map(|limit| format!("{name}: {limit}"));
                doubts.extend(about("larder", larder));
                doubts.extend(about("peer", peer));
            }
            doubts.extend(comparison.doubts());
        }
        Outcome::Search(search) => doubts.extend(search.doubts()),
    }
    doubts.extend(bench.server().is_none().then(|| unknown("the server's")));
    if cfg!(debug_assertions) {
        doubts.push(
            "this build has debug checks: only a release build is as fast as it can be".to_owned(),
        );
    }
    doubts
}

fn unknown(whose: &str) -> String {
    format!(
        "{whose} CPU time is not known: its process was not found on this machine, or belongs to another user"
    )
}

/// Checks that the files that are asked for have a place.
pub(super) fn check(args: &args::Bench) -> Result<(), CliError> {
    if args.report.as_deref() == Some(Path::new("-")) {
        return Err(CliError::usage("--report -: a page needs a file: name one"));
    }
    let files =
        [&args.report, &args.json].into_iter().flatten().filter(|path| *path != Path::new("-"));
    for path in files {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        let missing = directory.filter(|directory| !directory.is_dir());
        if path.is_dir() || missing.is_some() {
            let problem = match missing {
                Some(missing) => {
                    format!("there is no directory {}: make it first", missing.display())
                }
                None => "is a directory: name a file".to_owned(),
            };
            return Err(CliError::usage(format!("{}: {problem}", path.display())));
        }
    }
    Ok(())
}

/// Writes the files that were asked for.
pub(super) fn write(args: &args::Bench, report: &Report) -> Result<(), CliError> {
    if let Some(path) = &args.report {
        write_file(path, &page(report))?;
        output::note(&format!("report: {}", path.display()));
    }
    match args.json.as_deref() {
        None => Ok(()),
        Some(path) if path == Path::new("-") => output::line(&to_json(report).to_string()),
        Some(path) => write_file(path, &format!("{:#}\n", to_json(report))),
    }
}

#[expect(clippy::disallowed_methods, reason = "a user's file; it is no file of a database")]
fn write_file(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text)
        .map_err(|error| CliError::failed(format!("{}: cannot write: {error}", path.display())))
}

/// The command, without a token that stands in it: reports are passed on.
fn shown(words: impl IntoIterator<Item = String>) -> String {
    const TOKEN: &str = "--token";
    let mut is_token = false;
    let word = |word: String| {
        let is_secret = std::mem::replace(&mut is_token, word == TOKEN);
        match word.split_once('=') {
            _ if is_secret => "…".to_owned(),
            Some((TOKEN, _)) => format!("{TOKEN}=…"),
            _ => quoted(&word),
        }
    };
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown_however_it_was_given() {
        let words = ["larder", "--token", "s3cret", "--token=s3cret", "--token-file", "it's"];
        let command = shown(words.map(str::to_owned));
        assert_eq!(command, r"larder --token … --token=… --token-file 'it'\''s'");
    }

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        let words = ["--slo", "p99=1ms,p99.9=5ms", "card={n}", "it's", ""].map(quoted);
        assert_eq!(words, ["--slo", "p99=1ms,p99.9=5ms", "'card={n}'", r"'it'\''s'", "''"]);
    }
}
