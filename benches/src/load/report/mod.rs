//! What a load came to, for people and for programs: figures in words, JSON, and a page that needs nothing else.

mod chart;
mod html;
mod json;

use super::{
    compare::Comparison,
    find_max::Search,
    run::Run,
    slo::{Judgement, format_ns},
};

pub use html::page;
pub use json::to_json;

/// The percentiles told.
pub const PERCENTS: [f64; 6] = [50.0, 75.0, 90.0, 99.0, 99.9, 99.99];

/// Everything that somebody needs to believe a figure, or to measure it again.
#[derive(Debug, Clone)]
pub struct Report {
    /// The command, as a shell would take it.
    pub command: String,
    /// Version and build profile of the program.
    pub version: String,
    /// When, RFC 3339.
    pub date: String,
    /// Where.
    pub machine: Machine,
    /// Settings that make the load, name and value.
    pub settings: Vec<(String, String)>,
    /// What was measured.
    pub outcome: Outcome,
    /// Limits asked for, and how they were held.
    pub judgements: Vec<Judgement>,
    /// What speaks against the figures.
    pub doubts: Vec<String>,
}

/// What was measured.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// One side, once.
    Run(Box<Run>),
    /// Two sides in turns.
    Comparison(Comparison),
    /// One side at many rates.
    Search(Search),
}

/// The machine, as Linux tells it; empty texts elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// Processes that wanted to run, on average over the last minute, before the load began.
    pub load_average: String,
}

impl Machine {
    /// This machine, now.
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split_once(':')));
        let load = read("/proc/loadavg");
        Self {
            processor: model.map_or(String::new(), |(_, name)| name.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average: load.split_whitespace().next().unwrap_or_default().to_owned(),
        }
    }

    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{}, {} cores, Linux {}, load average {} before",
            self.processor, self.cores, self.kernel, self.load_average
        )
    }
}

/// Name and value of what one run came to.
#[must_use]
pub fn figures(run: &Run) -> Vec<(String, String)> {
    let tally = &run.tally;
    let mut figures = vec![
        ("pace".to_owned(), run.pace.to_string()),
        (
            "answered".to_owned(),
            format!("{} requests in {:.1} s", tally.answered(), tally.seconds()),
        ),
        ("rate".to_owned(), format!("{:.0} requests/s", tally.rate())),
    ];
    let mut add = |name: &str, value: String| figures.push((name.to_owned(), value));
    if tally.units() != tally.answered() {
        add("rows or events", format!("{:.0}/s", tally.unit_rate()));
    }
    if tally.answered() > 0 {
        for percent in PERCENTS {
            add(&format!("p{percent}"), format_ns(tally.quantile(percent / 100.0)));
        }
        add("slowest", format_ns(tally.quantile(1.0)));
    }
    for (why, count) in tally.failures() {
        let share = 100.0 * *count as f64 / tally.ended().max(1) as f64;
        add(&format!("failed: {why}"), format!("{count} ({share:.1} %)"));
    }
    if tally.refused_units() > 0 {
        let share = 100.0 * tally.refused_units() as f64 / tally.units().max(1) as f64;
        add("not taken or not found", format!("{} ({share:.1} %)", tally.refused_units()));
    }
    let cpu = run.server_cpu_us().map_or("not known".to_owned(), |us| format!("{us:.2} µs"));
    add("server CPU per request", cpu);
    let each = if run.generators > 1 { " each" } else { "" };
    add("generators", format!("{:.0} % of a core{each}", 100.0 * run.generator_share()));
    figures
}

/// A number with three digits.
#[must_use]
pub fn three_digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        // What is rounded up to the next power of ten has a digit more before the point.
        x if x >= 99.95 => format!("{value:.0}"),
        x if x >= 9.995 => format!("{value:.1}"),
        x if x >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{
        compare::Turns,
        find_max::{Step, Verdict},
        pace::{Arrivals, Pace},
        slo::Slo,
        tally::Tally,
    };

    const SECOND: u64 = 1_000_000_000;

    fn run(seconds: u64, us: u64) -> Run {
        let mut tally = Tally::by_second(0, seconds * SECOND);
        for second in 0..seconds {
            for number in 0..1000 {
                let due = second * SECOND + number;
                tally.answered_at(due, due + us * 1000 + number * number, 1);
                tally.sent_at(due, due);
            }
            tally.failed_at(second * SECOND, "OVERLOADED <&>");
        }
        Run {
            pace: Pace::Open { rate: 1000.0, arrivals: Arrivals::Poisson },
            tally,
            server_cpu_ns: Some(SECOND / 100),
            generator_cpu_ns: SECOND / 10,
            generators: 1,
        }
    }

    fn report(outcome: Outcome, judgements: Vec<Judgement>) -> Report {
        Report {
            command: "larder bench --report 'a <b>.html'".into(),
            version: "0.1.0 (dev)".into(),
            date: "2026-01-02T03:04:05Z".into(),
            machine: Machine { processor: "Z80".into(), cores: 1, ..Machine::default() },
            settings: vec![("seed".into(), "4711".into()), ("workload".into(), "mixed".into())],
            outcome,
            judgements,
            doubts: vec!["the generator could not keep up".into()],
        }
    }

    fn escaped(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
    }

    fn assert_has_frame(page: &str) {
        let parts = [
            "larder bench --report 'a <b>.html'",
            "0.1.0 (dev)",
            "2026-01-02T03:04:05Z",
            "Z80",
            "4711",
            "the generator could not keep up",
        ];
        for part in parts {
            assert!(page.contains(&escaped(part)), "no {part}");
        }
        for outside in ["http://", "https://", "src=", "@import", "<script", "url("] {
            assert!(!page.contains(outside), "the page needs {outside}");
        }
        for tag in ["html", "body", "svg", "table", "section"] {
            let opened = page.matches(&format!("<{tag}")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn numbers_have_three_digits_also_when_they_are_rounded_up() {
        let shown = [0.0, 0.0123, 0.9994, 0.9996, 9.994, 9.996, 99.94, 99.96, 1234.0];
        let wanted = ["0", "0.012", "0.999", "1.00", "9.99", "10.0", "99.9", "100", "1234"];
        assert_eq!(shown.map(three_digits), wanted);
    }

    #[test]
    fn a_page_of_a_run_has_every_figure_and_its_limits() {
        let run = run(3, 200);
        let slo: Slo = "p50=1ms,p99=1.5ms".parse().expect("valid");
        let judgements = slo.judge(&run.tally);
        let page = page(&report(Outcome::Run(Box::new(run.clone())), judgements));
        assert_has_frame(&page);
        for (name, value) in figures(&run) {
            assert!(page.contains(&escaped(&name)), "no {name}");
            assert!(page.contains(&escaped(&value)), "no {value} of {name}");
        }
        for part in ["p99", "1.5ms", "held", "prefers-color-scheme", "second"] {
            assert!(page.contains(part), "no {part}");
        }
    }

    #[test]
    fn a_page_of_a_comparison_has_all_ratios_with_their_spread() {
        let pairs = vec![(run(1, 100), run(1, 300)), (run(1, 110), run(1, 280))];
        let mut comparison = Comparison::new("redis 7".into());
        pairs.into_iter().for_each(|(larder, peer)| comparison.push(larder, peer));
        let turns = Turns::within(Duration::ZERO, Duration::from_secs(4));
        assert!(turns.pairs > 0);
        let page = page(&report(Outcome::Comparison(comparison.clone()), Vec::new()));
        assert_has_frame(&page);
        assert!(page.contains("redis 7"));
        assert_eq!(comparison.rows().len(), 4);
        for row in comparison.rows() {
            assert!(page.contains(row.figure.as_str()), "{}", row.figure.as_str());
            let spread = row.ratio;
            for value in [spread.min, spread.q25, spread.median, spread.q75, spread.max] {
                assert!(page.contains(&three_digits(value)), "{value} of {:?}", row.figure);
            }
            for value in [row.larder.median, row.peer.median] {
                assert!(page.contains(&three_digits(value)), "{value} of {:?}", row.figure);
            }
        }
    }

    #[test]
    fn a_page_of_a_search_has_its_steps_and_its_sentence() {
        let slo: Slo = "p99=1ms".parse().expect("valid");
        let step = |rate, verdict| Step {
            rate,
            verdict,
            judgements: slo.judge(&run(1, 500).tally),
            seconds: 1.0,
        };
        let search = Search {
            steps: vec![step(1000.0, Verdict::Held), step(2000.0, Verdict::Missed)],
            held: Some(1000.0),
            times: 3,
            tried: 3,
            missed: Some(2000.0),
            is_generators: false,
            is_over: true,
        };
        let page = page(&report(Outcome::Search(search.clone()), Vec::new()));
        assert_has_frame(&page);
        for part in ["2000", "held", "missed", &search.sentence()] {
            assert!(page.contains(part), "no {part}");
        }
    }

    #[test]
    fn json_has_the_same_figures_as_numbers() {
        let run = run(2, 200);
        let slo: Slo = "p99=5ms".parse().expect("valid");
        let judgements = slo.judge(&run.tally);
        let json = to_json(&report(Outcome::Run(Box::new(run.clone())), judgements));
        let side = &json["larder"];
        assert_eq!(side["answered"].as_u64(), Some(2000));
        assert_eq!(side["failures"]["OVERLOADED <&>"].as_u64(), Some(2));
        assert_eq!(side["latency_us"]["p99"].as_f64(), Some(run.tally.quantile(0.99) as f64 / 1e3));
        assert_eq!(side["timeline"].as_array().map(Vec::len), Some(2));
        assert_eq!(json["slo"][0]["held"].as_bool(), Some(true));
        assert_eq!(json["settings"]["seed"].as_str(), Some("4711"));
        let mut both = Comparison::new("echo".into());
        both.push(run.clone(), run);
        let json = to_json(&report(Outcome::Comparison(both), Vec::new()));
        assert_eq!(json["ratios"][0]["ratio"]["median"].as_f64(), Some(1.0));
        assert_eq!(json["peer"]["name"].as_str(), Some("echo"));
    }
}
