//! Text that Prometheus scrapes, version 0.0.4: families with a help line, a type and samples.
//!
//! ```text
//! # HELP larder_requests_total Requests answered.
//! # TYPE larder_requests_total counter
//! larder_requests_total{operation="read",status="OK"} 12
//! ```
//!
//! Bytes by <https://prometheus.io/docs/instrumenting/exposition_formats/>, which is the whole format: a family's samples stand
//! together, help escapes backslash and line feed, a label's value the double quote too.

use std::fmt::Write;

use stdx::histogram::Buckets;

/// What the answer of a scrape is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family's numbers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only rises, from 0 at the start.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

/// Names and values of labels.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

/// A family that is being written. One without samples leaves nothing.
#[derive(Debug)]
pub(super) struct Family<'a> {
    name: &'a str,
    /// Help and type, until the first sample.
    head: Option<String>,
    text: &'a mut String,
}

impl Exposition {
    /// Begins a family.
    pub(super) fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let head = Some(format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { name, head, text: &mut self.text }
    }

    /// The whole text.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// One sample.
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: f64) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// A histogram whose values are `scale` each.
    pub(super) fn histogram(&mut self, labels: Labels<'_>, buckets: &Buckets, scale: f64) {
        let mut count = 0;
        for (bound, more) in buckets.bounds.iter().zip(&buckets.counts) {
            count += more;
            let bound = scaled(*bound, scale).to_string();
            self.line("_bucket", labels, Some(("le", &bound)), whole(count));
        }
        let count = buckets.count();
        self.line("_bucket", labels, Some(("le", "+Inf")), whole(count));
        self.line("_sum", labels, None, scaled(buckets.sum, scale));
        self.line("_count", labels, None, whole(count));
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, last: Option<(&str, &str)>, value: f64) {
        self.text.push_str(&self.head.take().unwrap_or_default());
        say(self.text, format_args!("{}{suffix}", self.name));
        let mut mark = '{';
        for (name, value) in labels.iter().chain(last.as_ref()) {
            say(self.text, format_args!("{mark}{name}=\"{}\"", escaped(value)));
            mark = ',';
        }
        if mark == ',' {
            self.text.push('}');
        }
        say(self.text, format_args!(" {value}\n"));
    }
}

/// Counts are far below 2^53: exact.
pub(super) fn whole(count: u64) -> f64 {
    count as f64
}

/// `value` units of `scale` each: 1 for things and bytes, 1e-3 for ms, 1e-9 for ns.
pub(super) fn scaled(value: u64, scale: f64) -> f64 {
    // Divided, since 1e-9 is no binary fraction: 10_000 ns are 0.00001 s and not a little more.
    if scale < 1.0 { whole(value) / scale.recip().round() } else { whole(value) * scale }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn say(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_samples_and_escapes_are_as_the_format_has_them() {
        let mut text = Exposition::default();
        text.family("a_total", Kind::Counter, "Back\\slash,\nline.")
            .sample(&[("of", "a \"b\" \\ \n")], 3.0)
            .sample(&[], 0.5);
        // Nothing to tell: no line.
        text.family("c_total", Kind::Counter, "C.");
        text.family("b", Kind::Gauge, "B.").sample(&[("x", "1"), ("y", "")], -1.0);
        let expected = "# HELP a_total Back\\\\slash,\\nline.\n# TYPE a_total counter\n\
             a_total{of=\"a \\\"b\\\" \\\\ \\n\"} 3\na_total 0.5\n\
             # HELP b B.\n# TYPE b gauge\nb{x=\"1\",y=\"\"} -1\n";
        assert_eq!(text.into_text(), expected);
    }

    #[test]
    fn a_histogram_has_cumulative_buckets_in_base_units() {
        let buckets = Buckets { bounds: &[10_000, 1_500_000], counts: vec![2, 1, 4], sum: 70_000 };
        let mut text = Exposition::default();
        text.family("t_seconds", Kind::Histogram, "T.").histogram(&[("o", "r")], &buckets, 1e-9);
        let text = text.into_text();
        let lines: Vec<_> = text.lines().skip(2).collect();
        let expected = [
            "t_seconds_bucket{o=\"r\",le=\"0.00001\"} 2",
            "t_seconds_bucket{o=\"r\",le=\"0.0015\"} 3",
            "t_seconds_bucket{o=\"r\",le=\"+Inf\"} 7",
            "t_seconds_sum{o=\"r\"} 0.00007",
            "t_seconds_count{o=\"r\"} 7",
        ];
        assert_eq!(lines, expected);
    }
}
