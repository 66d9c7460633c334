//! What a load came to, as tables for people.

use larder_benches::load::{
    compare::{Comparison, Spread},
    find_max::{Search, Step},
    report::{Outcome, Report, figures, three_digits},
    slo::{Judgement, SAMPLES_BEYOND, format_ns},
};
use serde_json::Value as Json;

use crate::{
    error::CliError,
    output::{self, Sheet},
};

/// All of it: figures, limits, and what speaks against them.
pub(super) fn report(report: &Report) -> Result<(), CliError> {
    let words = |name: &str| {
        let value = report.settings.iter().find(|(known, _)| known == name);
        value.map_or("", |(_, value)| value.as_str())
    };
    output::line(&format!(
        "{}, entities: {}, {} connections, seed {}",
        words("workload"),
        words("entities"),
        words("connections"),
        words("seed")
    ))?;
    match &report.outcome {
        Outcome::Run(run) => two_columns(&figures(run))?,
        Outcome::Comparison(comparison) => ratios(comparison)?,
        Outcome::Search(search) => steps(search)?,
    }
    limits(&report.judgements)?;
    report.doubts.iter().for_each(|doubt| output::note(doubt));
    Ok(())
}

/// One step of a search, in a line.
pub(super) fn step(step: &Step) -> String {
    format!(
        "{:>9.0} requests/s for {:>5.1} s: {}, {}",
        step.rate,
        step.seconds,
        measured(step),
        step.verdict.as_str()
    )
}

fn measured(step: &Step) -> String {
    let limits: Vec<_> = step
        .judgements
        .iter()
        .map(|judgement| {
            let few = if judgement.is_well_founded() { "" } else { " (too few requests)" };
            format!("p{} {}{few}", judgement.limit.percent, latency(judgement))
        })
        .collect();
    limits.join(", ")
}

fn latency(judgement: &Judgement) -> String {
    judgement.measured_ns.map_or_else(|| "failed".to_owned(), format_ns)
}

fn two_columns(rows: &[(String, String)]) -> Result<(), CliError> {
    let mut sheet = Sheet::new(["", "measured"]);
    for (name, value) in rows {
        sheet.push(vec![Json::from(name.as_str()), Json::from(value.as_str())]);
    }
    output::line(&sheet.to_table())
}

fn ratios(comparison: &Comparison) -> Result<(), CliError> {
    output::line(&format!(
        "larder over {}, {} pairs of turns",
        comparison.peer,
        comparison.pairs()
    ))?;
    let mut sheet = Sheet::new(["", "larder", "peer", "ratio", "half of the pairs", "all pairs"]);
    for row in comparison.rows() {
        let Spread { min, q25, median, q75, max } = row.ratio;
        let between = |low, high| format!("{} to {}", three_digits(low), three_digits(high));
        let cells = [
            row.figure.as_str().to_owned(),
            three_digits(row.larder.median),
            three_digits(row.peer.median),
            three_digits(median),
            between(q25, q75),
            between(min, max),
        ];
        sheet.push(cells.into_iter().map(Json::from).collect());
    }
    output::line(&sheet.to_table())?;
    let Some((larder, peer)) = comparison.sums() else { return Ok(()) };
    for (name, run) in [("larder", larder), ("peer", peer)] {
        for (why, count) in run.tally.failures() {
            output::note(&format!("{name}: {count} requests failed: {why}"));
        }
    }
    Ok(())
}

fn steps(search: &Search) -> Result<(), CliError> {
    let mut sheet = Sheet::new(["requests/s", "time", "measured", ""]);
    for step in &search.steps {
        let cells = [
            format!("{:.0}", step.rate),
            format!("{:.1} s", step.seconds),
            measured(step),
            step.verdict.as_str().to_owned(),
        ];
        sheet.push(cells.into_iter().map(Json::from).collect());
    }
    output::line(&sheet.to_table())?;
    // That no rate was held is said when it ends.
    if search.held.is_some() { output::line(&search.sentence()) } else { Ok(()) }
}

/// What was asked beside what was measured; nothing when nothing was asked.
fn limits(judgements: &[Judgement]) -> Result<(), CliError> {
    if judgements.is_empty() {
        return Ok(());
    }
    let mut sheet =
        Sheet::new(["limit", "asked", "measured", "over the limit", "95 % sure below", ""]);
    for judgement in judgements {
        let over = 100.0 * judgement.over as f64 / judgement.of.max(1) as f64;
        let cells = [
            format!("p{}", judgement.limit.percent),
            format_ns(judgement.limit.within_ns),
            latency(judgement),
            format!("{over:.3} %"),
            format!("{:.3} %", 100.0 * judgement.over_share_at_most),
            if judgement.is_met() { "held" } else { "MISSED" }.to_owned(),
        ];
        sheet.push(cells.into_iter().map(Json::from).collect());
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
