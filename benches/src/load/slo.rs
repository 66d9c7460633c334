//! What latencies are asked for, `p99=1ms,p99.9=5ms`, and whether a measurement held it.
//!
//! A request that failed met no latency: it counts as slower than any limit. So does one that was never sent because too many
//! were waiting. How sure a share is, is said by the upper end of Wilson's score interval (Wilson, 1927), one-sided, 95 %.

use std::fmt;
use std::str::FromStr;

use super::tally::Tally;

/// Samples that a percentile needs beyond it before it is worth a judgement.
pub const SAMPLES_BEYOND: u64 = 100;
/// The 95 % quantile of the normal distribution.
const Z_95: f64 = 1.644_853_6;
/// Longest limit: the histograms end there.
const LIMIT_NS_MAX: f64 = 60e9;

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Percent of requests, below 100.
    pub percent: f64,
    /// That must be answered within so many ns.
    pub within_ns: u64,
}

/// Limits that must all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    limits: Vec<Limit>,
}

/// How one limit was held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// What was asked.
    pub limit: Limit,
    /// The latency at that percentile, failures counted as slowest; `None` when they reach down to it.
    pub measured_ns: Option<u64>,
    /// Requests slower than the limit, failures included.
    pub over: u64,
    /// Of so many.
    pub of: u64,
    /// With 95 % confidence at most this share (0 to 1) of requests is over the limit.
    pub over_share_at_most: f64,
}

impl Judgement {
    /// True when the limit was held.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.of > 0 && self.over as f64 <= allowed_share(self.limit) * self.of as f64
    }

    /// True when there were enough requests to tell.
    #[must_use]
    pub fn is_well_founded(&self) -> bool {
        self.of >= samples_needed(self.limit)
    }
}

fn allowed_share(limit: Limit) -> f64 {
    // Percents of few digits: 99.9 leaves 0.1 and not 0.0999999.
    ((100.0 - limit.percent) * 1e6).round() / 1e8
}

fn samples_needed(limit: Limit) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "percents have at most four places: below 10^9"
    )]
    let needed = (SAMPLES_BEYOND as f64 / allowed_share(limit)).ceil() as u64;
    needed
}

impl Slo {
    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Requests that a measurement needs so that each percentile has [`SAMPLES_BEYOND`] beyond it.
    #[must_use]
    pub fn samples_needed(&self) -> u64 {
        self.limits.iter().map(|limit| samples_needed(*limit)).max().unwrap_or(0)
    }

    /// How each limit was held.
    #[must_use]
    pub fn judge(&self, tally: &Tally) -> Vec<Judgement> {
        self.limits.iter().map(|limit| judge(*limit, tally)).collect()
    }
}

fn judge(limit: Limit, tally: &Tally) -> Judgement {
    let of = tally.ended();
    let over = tally.answered_over(limit.within_ns) + tally.failed();
    Judgement {
        limit,
        measured_ns: tally.quantile_with_failures(limit.percent / 100.0),
        over,
        of,
        over_share_at_most: wilson_upper(over, of),
    }
}

/// The upper end of the score interval of a share.
fn wilson_upper(hits: u64, of: u64) -> f64 {
    if of == 0 {
        return 1.0;
    }
    let (count, share) = (of as f64, hits as f64 / of as f64);
    let square = Z_95 * Z_95;
    let middle = share + square / (2.0 * count);
    let spread = Z_95 * (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
    ((middle + spread) / (1.0 + square / count)).min(1.0)
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut limits = Vec::new();
        for part in text.split(',') {
            let limit = parse_limit(part.trim()).map_err(|why| format!("`{text}`: {why}"))?;
            if limits.iter().any(|other: &Limit| other.percent.total_cmp(&limit.percent).is_eq()) {
                return Err(format!("`{text}`: p{} is given twice", limit.percent));
            }
            limits.push(limit);
        }
        limits.sort_by(|a, b| a.percent.total_cmp(&b.percent));
        let falls = limits.windows(2).find(|pair| pair[0].within_ns > pair[1].within_ns);
        if let Some(pair) = falls {
            let (low, high) = (pair[0], pair[1]);
            return Err(format!(
                "`{text}`: p{} cannot be asked to be faster than p{}",
                high.percent, low.percent
            ));
        }
        Ok(Self { limits })
    }
}

fn parse_limit(part: &str) -> Result<Limit, String> {
    let form = "write limits like p99=1ms,p99.9=5ms";
    let Some((percentile, within)) = part.split_once('=') else {
        return Err(format!("`{part}` has no limit; {form}"));
    };
    let percent = percentile.strip_prefix('p').and_then(parse_number);
    let percent = percent.filter(|percent| *percent >= 1.0 && *percent <= 99.9999);
    let percent = percent
        .ok_or_else(|| format!("`{percentile}` is no percentile, p1 to p99.9999 are; {form}"))?;
    let within_ns = parse_duration(within).ok_or_else(|| {
        format!("`{within}` is no latency: write 500us, 1ms or 2s, at most 60s; {form}")
    })?;
    Ok(Limit { percent, within_ns })
}

/// Digits, perhaps a point and more digits.
fn parse_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}

/// A latency in ns: a number with us, µs, ms or s.
fn parse_duration(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 5] =
        [("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("ns", 1.0), ("s", 1e9)];
    let (number, unit) =
        UNITS.iter().find_map(|(unit, ns)| Some((text.strip_suffix(unit)?, *ns)))?;
    let ns = parse_number(number.trim_end())? * unit;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds")]
    let whole = ns.round() as u64;
    (1.0..=LIMIT_NS_MAX).contains(&ns).then_some(whole)
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, limit) in self.limits.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}p{}={}", limit.percent, format_ns(limit.within_ns))?;
        }
        Ok(())
    }
}

/// A latency with three digits and its unit.
#[must_use]
pub fn format_ns(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns}ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let places = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    let text = format!("{value:.places$}");
    let short =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{short}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(latencies_us: impl Iterator<Item = u64>, failures: u64) -> Tally {
        let mut tally = Tally::new(0, 1_000_000_000, 1);
        for us in latencies_us {
            tally.answered_at(0, us * 1000, 1);
        }
        (0..failures).for_each(|_| tally.failed_at(0, "OVERLOADED"));
        tally
    }

    #[test]
    fn limits_are_read_sorted_and_written_again() {
        let slo: Slo = "p99.9=5ms, p99=1ms,p50=200us".parse().expect("valid");
        assert_eq!(slo.to_string(), "p50=200us,p99=1ms,p99.9=5ms");
        assert_eq!(slo.samples_needed(), 100_000);
        assert_eq!("p99=1.5ms".parse::<Slo>().expect("valid").limits()[0].within_ns, 1_500_000);
    }

    #[test]
    fn what_is_wrong_with_a_limit_is_said() {
        for (text, why) in [
            ("", "has no limit"),
            ("p99", "has no limit"),
            ("99=1ms", "is no percentile"),
            ("p100=1ms", "is no percentile"),
            ("p-1=1ms", "is no percentile"),
            ("p99=fast", "is no latency"),
            ("p99=1", "is no latency"),
            ("p99=0ms", "is no latency"),
            ("p99=-1ms", "is no latency"),
            ("p99=2h", "is no latency"),
            ("p99=1e3ms", "is no latency"),
            ("p99=1ms,p99=2ms", "is given twice"),
            ("p99=5ms,p99.9=1ms", "cannot be asked to be faster"),
        ] {
            let error = text.parse::<Slo>().expect_err(text);
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
    }

    #[test]
    fn failures_count_as_slower_than_any_limit() {
        let slo: Slo = "p99=1ms".parse().expect("valid");
        let judged = slo.judge(&tally(1..=1000, 0))[0];
        assert!(judged.is_met() && !judged.is_well_founded());
        let judged = slo.judge(&tally(1..=990, 10))[0];
        assert!(judged.is_met(), "one in a hundred may: {judged:?}");
        let judged = slo.judge(&tally(1..=990, 11))[0];
        assert_eq!((judged.is_met(), judged.measured_ns), (false, None));
    }

    #[test]
    fn the_confidence_narrows_with_the_number_of_requests() {
        // Computed by hand from the formula of the paper.
        assert!((wilson_upper(0, 100) - 0.026_34).abs() < 1e-4, "{}", wilson_upper(0, 100));
        assert!(wilson_upper(10, 1000) > wilson_upper(100, 10_000));
        assert!(wilson_upper(100, 10_000) > 0.01);
        assert_eq!(wilson_upper(0, 0), 1.0);
    }

    #[test]
    fn latencies_are_written_with_three_digits() {
        let written = [999, 1000, 1234, 56_780, 999_900, 1_000_000, 61_000_000_000].map(format_ns);
        assert_eq!(written, ["999ns", "1us", "1.23us", "56.8us", "1000us", "1ms", "61s"]);
    }
}
