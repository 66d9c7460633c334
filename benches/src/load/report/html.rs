//! A report as one page: no scripts, nothing from elsewhere, light or dark as its reader has it.

use std::fmt::Write;

use super::{
    Outcome, Report,
    chart::{self, Line},
    figures, three_digits,
};
use crate::load::{
    compare::{Comparison, Spread},
    find_max::{Search, Step},
    run::Run,
    slo::{Judgement, format_ns},
};

const STYLE: &str = include_str!("style.css");
/// Classes of the colours: of Larder's middle and slow latencies, of the peer's.
const COLOURS: [&str; 4] = ["a", "a2", "b", "b2"];

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut body = String::new();
    let workload = report.settings.iter().find(|(name, _)| name == "workload");
    let workload = workload.map_or("load", |(_, value)| value.as_str());
    let _ = write!(
        body,
        "<h1>larder bench: {}</h1><p class=\"lead\">{}, {}</p>",
        text(workload),
        text(&report.date),
        text(&report.machine.line())
    );
    match &report.outcome {
        Outcome::Run(run) => of_run(&mut body, run, &report.judgements),
        Outcome::Comparison(comparison) => of_comparison(&mut body, comparison),
        Outcome::Search(search) => of_search(&mut body, search),
    }
    of_judgements(&mut body, &report.judgements);
    for doubt in &report.doubts {
        let _ = write!(body, "<section class=\"doubt\">{}</section>", text(doubt));
    }
    let mut rows = vec![vec!["version".to_owned(), report.version.clone()]];
    rows.extend(report.settings.iter().map(|(name, value)| vec![name.clone(), value.clone()]));
    section(&mut body, "Measured by", &format!("<pre>{}</pre>", text(&report.command)));
    section(&mut body, "Settings", &table(&["", ""], &rows));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\"><title>larder bench: {}</title><style>\n{STYLE}</style></head><body>{body}</body></html>\n",
        text(workload)
    )
}

fn of_run(body: &mut String, run: &Run, judgements: &[Judgement]) {
    let rows: Vec<_> = figures(run).into_iter().map(|(name, value)| vec![name, value]).collect();
    keys(body, &rows);
    let line = |class| Line { name: "larder".to_owned(), class, points: curve(run) };
    section(
        body,
        "Latency by share of requests",
        &chart::percentiles(&[line("a")], &asked(judgements)),
    );
    section(
        body,
        "Second by second",
        &chart::over("second", &timeline("larder", ("a", "a2"), run)),
    );
    let drawn = chart::plain("second", "requests/s", &[rates("larder", "a", run)]);
    section(body, "Answers", &drawn);
    section(body, "Figures", &table(&["", ""], &rows));
}

/// The limits as points of the drawing.
fn asked(judgements: &[Judgement]) -> Vec<(f64, f64)> {
    let point =
        |judgement: &Judgement| (judgement.limit.percent, judgement.limit.within_ns.max(1) as f64);
    judgements.iter().map(point).collect()
}

/// Answers a second of each part of the time.
fn rates(name: &str, class: &'static str, run: &Run) -> Line {
    let seconds = run.tally.part_seconds();
    let points = (1_u32..)
        .zip(run.tally.timeline())
        .map(|(number, part)| {
            (f64::from(number) * seconds, part.latencies_us.len() as f64 / seconds)
        })
        .collect();
    Line { name: name.to_owned(), class, points }
}

/// What matters most, large.
fn keys(body: &mut String, rows: &[Vec<String>]) {
    body.push_str("<section class=\"key\">");
    for wanted in ["rate", "p50", "p99", "p99.9", "server CPU per request"] {
        let found = rows.iter().find(|row| row.first().is_some_and(|name| name == wanted));
        if let Some(value) = found.and_then(|row| row.get(1)) {
            let _ = write!(body, "<div><b>{}</b>{}</div>", text(value), text(wanted));
        }
    }
    body.push_str("</section>");
}

fn of_comparison(body: &mut String, comparison: &Comparison) {
    let head = ["", "larder", "peer", "ratio", "half of the pairs", "all pairs"];
    let rows: Vec<_> = comparison
        .rows()
        .iter()
        .map(|row| {
            let Spread { min, q25, median, q75, max } = row.ratio;
            vec![
                row.figure.as_str().to_owned(),
                three_digits(row.larder.median),
                three_digits(row.peer.median),
                three_digits(median),
                format!("{} to {}", three_digits(q25), three_digits(q75)),
                format!("{} to {}", three_digits(min), three_digits(max)),
            ]
        })
        .collect();
    let explained = format!(
        "{}<p class=\"legend\">larder over {}; medians of {} pairs of turns side by side, ratios pair by pair</p>",
        table(&head, &rows),
        text(&comparison.peer),
        comparison.pairs()
    );
    section(body, "Ratios", &explained);
    let Some((larder, peer)) = comparison.sums() else { return };
    let line = |name: &str, class, run| Line { name: text(name), class, points: curve(run) };
    let lines = [line("larder", "a", larder), line(&comparison.peer, "b", peer)];
    section(body, "Latency by share of requests", &chart::percentiles(&lines, &[]));
    let [a, a2, b, b2] = COLOURS;
    let mut lines = timeline("larder", (a, a2), larder);
    lines.extend(timeline("peer", (b, b2), peer));
    section(body, "Second by second of each side's turns", &chart::over("second", &lines));
    let lines = [rates("larder", a, larder), rates("peer", b, peer)];
    section(body, "Answers", &chart::plain("second", "requests/s", &lines));
    for (name, run) in [("larder", larder), (comparison.peer.as_str(), peer)] {
        let rows: Vec<_> =
            figures(run).into_iter().map(|(name, value)| vec![name, value]).collect();
        section(body, &format!("Figures: {}", text(name)), &table(&["", ""], &rows));
    }
}

fn of_search(body: &mut String, search: &Search) {
    section(
        body,
        "Highest rate that holds the limits",
        &format!("<p>{}</p>", text(&search.sentence())),
    );
    let mut steps: Vec<_> = search.steps.iter().collect();
    steps.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let limits = search.steps.first().map_or(0, |step| step.judgements.len());
    let lines: Vec<Line> = (0..limits)
        .zip(COLOURS)
        .filter_map(|(index, class)| {
            let limit = steps.first()?.judgements.get(index)?.limit;
            let name = format!("p{}, asked {}", limit.percent, format_ns(limit.within_ns));
            let point =
                |step: &&Step| Some((step.rate, step.judgements.get(index)?.measured_ns? as f64));
            Some(Line { name, class, points: steps.iter().filter_map(point).collect() })
        })
        .collect();
    section(body, "Latency by rate", &chart::over("requests/s", &lines));
    let mut rows = Vec::new();
    for step in &search.steps {
        let mut row = vec![format!("{:.0}/s", step.rate), format!("{:.1} s", step.seconds)];
        let measured: Vec<_> = step
            .judgements
            .iter()
            .map(|judgement| {
                let measured = judgement.measured_ns.map_or_else(|| "failed".to_owned(), format_ns);
                let few = if judgement.is_well_founded() { "" } else { " (too few requests)" };
                format!("p{} {measured}{few}", judgement.limit.percent)
            })
            .collect();
        row.push(measured.join(", "));
        row.push(step.verdict.as_str().to_owned());
        rows.push(row);
    }
    section(body, "Steps", &table(&["rate", "time", "measured", ""], &rows));
}

fn of_judgements(body: &mut String, judgements: &[Judgement]) {
    if judgements.is_empty() {
        return;
    }
    let rows: Vec<_> = judgements
        .iter()
        .map(|judgement| {
            vec![
                format!("p{}", judgement.limit.percent),
                format_ns(judgement.limit.within_ns),
                judgement.measured_ns.map_or_else(|| "failed".to_owned(), format_ns),
                format!("{:.3} %", 100.0 * judgement.over as f64 / judgement.of.max(1) as f64),
                format!("{:.3} %", 100.0 * judgement.over_share_at_most),
                if judgement.is_met() { "held" } else { "missed" }.to_owned(),
            ]
        })
        .collect();
    let head = ["limit", "asked", "measured", "over the limit", "95 % sure below", ""];
    section(body, "Limits", &table(&head, &rows));
}

/// Percent and latency in ns of all requests, as far as they were answered: failures are the slowest.
fn curve(run: &Run) -> Vec<(f64, f64)> {
    const STEPS_PER_NINE: u32 = 20;
    let answered = run.tally.answered();
    if answered == 0 {
        return Vec::new();
    }
    let nines = (answered as f64).log10().clamp(0.3, 6.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 120")]
    let steps = (nines * f64::from(STEPS_PER_NINE)) as u32;
    (0..=steps)
        .map_while(|step| {
            let share = 1.0 - 10.0_f64.powf(-f64::from(step) / f64::from(STEPS_PER_NINE));
            let ns = run.tally.quantile_with_failures(share)?;
            Some((100.0 * share, ns.max(1) as f64))
        })
        .collect()
}

/// The middle and the slow latencies of each part of the time.
fn timeline(name: &str, (middle, slow): (&'static str, &'static str), run: &Run) -> Vec<Line> {
    let seconds = run.tally.part_seconds();
    let points = |quantile: f64| {
        (1_u32..)
            .zip(run.tally.timeline())
            .filter(|(_, part)| !part.latencies_us.is_empty())
            .map(|(number, part)| {
                let us = part.latencies_us.value_at_quantile(quantile);
                (f64::from(number) * seconds, us as f64 * 1e3)
            })
            .collect()
    };
    vec![
        Line { name: format!("{name} p50"), class: middle, points: points(0.5) },
        Line { name: format!("{name} p99"), class: slow, points: points(0.99) },
    ]
}

fn section(body: &mut String, title: &str, content: &str) {
    let _ = write!(body, "<section><h2>{title}</h2>{content}</section>");
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = "<table>".to_owned();
    if head.iter().any(|name| !name.is_empty()) {
        let cells: String = head.iter().map(|name| format!("<th>{}</th>", text(name))).collect();
        let _ = write!(out, "<thead><tr>{cells}</tr></thead>");
    }
    out.push_str("<tbody>");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let class = match cell.as_str() {
                "held" => " class=\"held\"",
                word if word.starts_with("missed") => " class=\"missed\"",
                long if long.len() > 60 => " class=\"wrap\"",
                _ => "",
            };
            let _ = write!(out, "<td{class}>{}</td>", text(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    out
}

/// Text as HTML takes it.
fn text(plain: &str) -> String {
    plain
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
