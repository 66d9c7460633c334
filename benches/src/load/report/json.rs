//! A report for programs.

use serde_json::{Map, Value as Json, json};

use super::{Outcome, PERCENTS, Report};
use crate::load::{
    compare::{Row, Spread},
    find_max::Step,
    run::Run,
    slo::Judgement,
    tally::Part,
};

/// The report as one object; latencies are in µs, times in s, rates in requests a second.
#[must_use]
pub fn to_json(report: &Report) -> Json {
    let settings: Map<String, Json> = report
        .settings
        .iter()
        .map(|(name, value)| (name.clone(), Json::from(value.as_str())))
        .collect();
    let machine = &report.machine;
    let mut json = json!({
        "command": report.command,
        "version": report.version,
        "date": report.date,
        "machine": {
            "processor": machine.processor,
            "cores": machine.cores,
            "kernel": machine.kernel,
            "load_average": machine.load_average,
        },
        "settings": settings,
        "doubts": report.doubts,
        "slo": report.judgements.iter().map(judgement).collect::<Vec<_>>(),
    });
    match &report.outcome {
        Outcome::Run(run) => json["larder"] = side(run),
        Outcome::Comparison(comparison) => {
            if let Some((larder, peer)) = comparison.sums() {
                json["larder"] = side(larder);
                json["peer"] = side(peer);
                json["peer"]["name"] = Json::from(comparison.peer.as_str());
            }
            json["ratios"] = comparison.rows().iter().map(ratio).collect();
            json["pairs"] = Json::from(comparison.pairs());
        }
        Outcome::Search(search) => {
            json["find_max"] = json!({
                "held_rate": search.held,
                "held_times": search.times,
                "held_of_times": search.tried,
                "is_over": search.is_over,
                "missed_rate": search.missed,
                "generator_is_the_limit": search.is_generators,
                "result": search.sentence(),
                "steps": search.steps.iter().map(step).collect::<Vec<_>>(),
            });
        }
    }
    json
}

fn side(run: &Run) -> Json {
    let tally = &run.tally;
    let us = |ns: u64| Json::from(ns as f64 / 1e3);
    let mut latency: Map<String, Json> = PERCENTS
        .iter()
        .map(|percent| (format!("p{percent}"), us(tally.quantile(percent / 100.0))))
        .collect();
    latency.insert("mean".to_owned(), Json::from(tally.mean_ns() / 1e3));
    latency.insert("max".to_owned(), us(tally.quantile(1.0)));
    let (late, late_ns_max, sent) = tally.late_sends();
    let part_seconds = tally.part_seconds();
    json!({
        "pace": run.pace.to_string(),
        "seconds": tally.seconds(),
        "answered": tally.answered(),
        "answered_within_seconds": tally.answers_within(),
        "rate": tally.rate(),
        "units": tally.units(),
        "units_refused": tally.refused_units(),
        "failed": tally.failed(),
        "failures": tally.failures(),
        "latency_us": latency,
        "server_cpu_us_per_request": run.server_cpu_us(),
        "generators": run.generators,
        "generator_share_of_core": run.generator_share(),
        "sent": sent,
        "sent_late": late,
        "sent_late_us_max": late_ns_max as f64 / 1e3,
        "timeline": tally.timeline().iter().map(|part| moment(part, part_seconds)).collect::<Vec<_>>(),
    })
}

fn moment(part: &Part, seconds: f64) -> Json {
    let latencies = &part.latencies_us;
    let quantile = |quantile| {
        if latencies.is_empty() { None } else { Some(latencies.value_at_quantile(quantile)) }
    };
    json!({
        "rate": latencies.len() as f64 / seconds,
        "p50_us": quantile(0.5),
        "p99_us": quantile(0.99),
        "max_us": quantile(1.0),
        "failed": part.failed,
    })
}

fn judgement(judgement: &Judgement) -> Json {
    json!({
        "percentile": judgement.limit.percent,
        "within_us": judgement.limit.within_ns as f64 / 1e3,
        "measured_us": judgement.measured_ns.map(|ns| ns as f64 / 1e3),
        "over": judgement.over,
        "of": judgement.of,
        "over_share_at_most_95": judgement.over_share_at_most,
        "held": judgement.is_met(),
        "well_founded": judgement.is_well_founded(),
    })
}

fn spread(spread: &Spread) -> Json {
    json!({
        "min": spread.min, "q25": spread.q25, "median": spread.median, "q75": spread.q75, "max": spread.max,
    })
}

fn ratio(row: &Row) -> Json {
    json!({
        "figure": row.figure.as_str(),
        "larder": spread(&row.larder),
        "peer": spread(&row.peer),
        "ratio": spread(&row.ratio),
    })
}

fn step(step: &Step) -> Json {
    json!({
        "rate": step.rate,
        "seconds": step.seconds,
        "verdict": step.verdict.as_str(),
        "slo": step.judgements.iter().map(judgement).collect::<Vec<_>>(),
    })
}
