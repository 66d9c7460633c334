//! What a load came to, as tables for people.

use larder_benches::load::{
    run::Run,
    slo::{Judgement, SAMPLES_BEYOND, format_ns},
};
use serde_json::Value as Json;

use crate::{
    error::CliError,
    output::{self, Sheet},
};

/// The percentiles shown.
const PERCENTS: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// Rate, latencies, failures and costs of one measurement.
pub(super) fn print_run(run: &Run) -> Result<(), CliError> {
    let tally = &run.tally;
    let mut sheet = Sheet::new(["", "measured"]);
    let mut row = |name: &str, value: String| {
        sheet.push(vec![Json::from(name), Json::from(value)]);
    };
    row("pace", run.pace.to_string());
    row("requests answered", format!("{} in {:.1} s", tally.answered(), tally.seconds()));
    row("rate", format!("{:.0} requests/s", tally.rate()));
    if tally.units() != tally.answered() {
        row("rows or events", format!("{:.0}/s", tally.units() as f64 / tally.seconds()));
    }
    for percent in PERCENTS {
        row(&format!("p{percent}"), format_ns(tally.quantile(percent / 100.0)));
    }
    row("slowest", format_ns(tally.quantile(1.0)));
    for (why, count) in tally.failures() {
        row(&format!("failed: {why}"), count.to_string());
    }
    if tally.refused_units() > 0 {
        row("rows or events refused", tally.refused_units().to_string());
    }
    if let Some(us) = run.server_cpu_us() {
        row("server CPU per request", format!("{us:.2} µs"));
    }
    row("generator", format!("{:.0} % of a core", 100.0 * run.generator_share()));
    output::line(&sheet.to_table())
}

/// What was asked beside what was measured; nothing when nothing was asked.
pub(super) fn print_judgements(judgements: &[Judgement]) -> Result<(), CliError> {
    if judgements.is_empty() {
        return Ok(());
    }
    let mut sheet =
        Sheet::new(["slo", "asked", "measured", "over the limit", "95 % sure below", ""]);
    for judgement in judgements {
        let measured = judgement.measured_ns.map_or_else(|| "failed".to_owned(), format_ns);
        let over = 100.0 * judgement.over as f64 / judgement.of.max(1) as f64;
        sheet.push(vec![
            Json::from(format!("p{}", judgement.limit.percent)),
            Json::from(format_ns(judgement.limit.within_ns)),
            Json::from(measured),
            Json::from(format!("{over:.3} %")),
            Json::from(format!("{:.3} %", 100.0 * judgement.over_share_at_most)),
            Json::from(if judgement.is_met() { "held" } else { "MISSED" }),
        ]);
    }
    output::line(&sheet.to_table())?;
    if let Some(thin) = judgements.iter().find(|judgement| !judgement.is_well_founded()) {
        output::note(&format!(
            "{} requests are few for p{}: fewer than {SAMPLES_BEYOND} are beyond it; measure longer",
            thin.of, thin.limit.percent
        ));
    }
    Ok(())
}

/// What speaks against the figures.
pub(super) fn note_doubts(run: &Run, is_remote: bool) {
    if let Some(limit) = run.generator_limit() {
        output::note(&limit);
    }
    if is_remote {
        output::note(
            "the server's CPU time is not known: its process was not found on this machine",
        );
    }
}
