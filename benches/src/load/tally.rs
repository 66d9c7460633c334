//! What came of requests: latencies, and failures apart from them, over all and second by second.
//!
//! Whether a request belongs to the measurement is decided by when it was due, so that slow answers at the end still count.
//! Rates are of what was answered within the time, whenever it was due: what comes after the end is nothing done within it.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// Longest latency told apart, in ns.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Longest latency of a timeline's parts, in µs.
const LATENCY_US_MAX: u64 = LATENCY_NS_MAX / 1000;
/// Most parts of a timeline: a longer measurement has longer ones.
const PARTS_MAX: u64 = 600;
/// The width of a part, where it is not more.
const PART_NS: u64 = 1_000_000_000;
/// A send later than this is one that the generator could not keep up with.
const LATE_NS: u64 = 1_000_000;
/// Most different failures told apart.
const FAILURES_MAX: usize = 32;

/// What came of the requests that were due within a span of time.
#[derive(Debug, Clone)]
pub struct Tally {
    from_ns: u64,
    until_ns: u64,
    part_ns: u64,
    latencies: Histogram<u64>,
    timeline: Vec<Part>,
    failures: BTreeMap<String, u64>,
    units: u64,
    refused_units: u64,
    /// Answers that came within the time, and their rows or events.
    answers_within: u64,
    units_within: u64,
    sent: u64,
    late: u64,
    late_ns_max: u64,
}

/// What came of the requests of one part of the time, a second mostly.
#[derive(Debug, Clone)]
pub struct Part {
    /// Latencies in µs, two digits.
    pub latencies_us: Histogram<u64>,
    /// Requests without an answer, or with one that was none.
    pub failed: u64,
}

impl Part {
    fn new() -> Self {
        Self { latencies_us: histogram(LATENCY_US_MAX, 2), failed: 0 }
    }
}

fn histogram(max: u64, digits: u8) -> Histogram<u64> {
    // Bounds and digits are constants that fit; a histogram that grows by itself is what would be without them.
    Histogram::new_with_bounds(1, max, digits).unwrap_or_else(|_| {
        Histogram::new(digits.min(5)).expect("up to five digits are always possible")
    })
}

impl Tally {
    /// Of requests due from `from_ns` to before `until_ns`; `parts` says in how many parts the time may be cut at most.
    #[must_use]
    pub fn new(from_ns: u64, until_ns: u64, parts: u64) -> Self {
        let span = until_ns.saturating_sub(from_ns).max(1);
        let part_ns = span.div_ceil(parts.clamp(1, PARTS_MAX)).max(PART_NS.min(span));
        let count = usize::try_from(span.div_ceil(part_ns)).unwrap_or(1);
        Self {
            from_ns,
            until_ns,
            part_ns,
            latencies: histogram(LATENCY_NS_MAX, 3),
            timeline: vec![Part::new(); count],
            failures: BTreeMap::new(),
            units: 0,
            refused_units: 0,
            answers_within: 0,
            units_within: 0,
            sent: 0,
            late: 0,
            late_ns_max: 0,
        }
    }

    /// As [`Tally::new`], a part for each second.
    #[must_use]
    pub fn by_second(from_ns: u64, until_ns: u64) -> Self {
        Self::new(from_ns, until_ns, PARTS_MAX)
    }

    fn part(&mut self, due_ns: u64) -> Option<&mut Part> {
        if due_ns >= self.until_ns {
            return None;
        }
        let part = due_ns.checked_sub(self.from_ns)? / self.part_ns;
        self.timeline.get_mut(usize::try_from(part).ok()?)
    }

    /// A request that was due at `due_ns` was sent at `sent_ns`.
    pub fn sent_at(&mut self, due_ns: u64, sent_ns: u64) {
        if self.part(due_ns).is_none() {
            return;
        }
        let late_ns = sent_ns.saturating_sub(due_ns);
        self.sent += 1;
        self.late += u64::from(late_ns > LATE_NS);
        self.late_ns_max = self.late_ns_max.max(late_ns);
    }

    /// A request that was due at `due_ns` was answered at `now_ns`, with `units` rows or events.
    pub fn answered_at(&mut self, due_ns: u64, now_ns: u64, units: u64) {
        if (self.from_ns..self.until_ns).contains(&now_ns) {
            self.answers_within += 1;
            self.units_within += units;
        }
        let latency = now_ns.saturating_sub(due_ns).max(1);
        let Some(part) = self.part(due_ns) else { return };
        part.latencies_us.saturating_record((latency / 1000).max(1));
        self.latencies.saturating_record(latency);
        self.units += units;
    }

    /// Of the request that was due at `due_ns`, `units` rows or events were answered and not taken.
    pub fn refused_at(&mut self, due_ns: u64, units: u64) {
        if self.part(due_ns).is_some() {
            self.refused_units += units;
        }
    }

    /// A request that was due at `due_ns` failed: `why` is a status or a word.
    pub fn failed_at(&mut self, due_ns: u64, why: &str) {
        let Some(part) = self.part(due_ns) else { return };
        part.failed += 1;
        let is_full = self.failures.len() >= FAILURES_MAX && !self.failures.contains_key(why);
        let why = if is_full { "other" } else { why };
        *self.failures.entry(why.to_owned()).or_default() += 1;
    }

    /// Adds what another generator counted in the same time.
    pub fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.timeline.len(), other.timeline.len(), "both cut the same time");
        // Histograms of the same bounds always add up.
        let _ = self.latencies.add(&other.latencies);
        for (part, theirs) in self.timeline.iter_mut().zip(&other.timeline) {
            let _ = part.latencies_us.add(&theirs.latencies_us);
            part.failed += theirs.failed;
        }
        self.add_counts(other);
    }

    fn add_counts(&mut self, other: &Self) {
        for (why, count) in &other.failures {
            *self.failures.entry(why.clone()).or_default() += count;
        }
        self.units += other.units;
        self.refused_units += other.refused_units;
        self.answers_within += other.answers_within;
        self.units_within += other.units_within;
        self.sent += other.sent;
        self.late += other.late;
        self.late_ns_max = self.late_ns_max.max(other.late_ns_max);
    }

    /// Adds what was counted in a later time: the parts of the timeline follow those that are there.
    pub fn append(&mut self, later: &Self) {
        let _ = self.latencies.add(&later.latencies);
        self.timeline.extend(later.timeline.iter().cloned());
        self.until_ns += later.until_ns.saturating_sub(later.from_ns);
        self.add_counts(later);
    }

    /// Requests answered well.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.latencies.len()
    }

    /// Requests that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Requests that were answered well or failed.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.answered() + self.failed()
    }

    /// Failures by status or word.
    #[must_use]
    pub fn failures(&self) -> &BTreeMap<String, u64> {
        &self.failures
    }

    /// Rows or events of the answers.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.units
    }

    /// Rows or events that were answered and not taken: rejected, late, or of nobody.
    #[must_use]
    pub fn refused_units(&self) -> u64 {
        self.refused_units
    }

    /// Requests sent more than a millisecond after they were due, the largest such delay in ns, and all requests sent.
    #[must_use]
    pub fn late_sends(&self) -> (u64, u64, u64) {
        (self.late, self.late_ns_max, self.sent)
    }

    /// Answers slower than `ns`.
    #[must_use]
    pub fn answered_over(&self, ns: u64) -> u64 {
        let above = self.latencies.highest_equivalent(ns);
        self.latencies
            .iter_recorded()
            .filter(|it| it.value_iterated_to() > above)
            .map(|it| it.count_since_last_iteration())
            .sum()
    }

    /// The latency in ns that this share of the answers (0 to 1) is not above; 0 of none.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> u64 {
        if self.latencies.is_empty() { 0 } else { self.latencies.value_at_quantile(quantile) }
    }

    /// As [`Tally::quantile`], of all requests, failures being the slowest; `None` when it falls among them.
    #[must_use]
    pub fn quantile_with_failures(&self, quantile: f64) -> Option<u64> {
        let all = self.ended() as f64;
        let wanted = quantile * all / self.answered() as f64;
        (wanted <= 1.0 && self.answered() > 0).then(|| self.quantile(wanted))
    }

    /// The mean of the latencies, in ns.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        if self.latencies.is_empty() { 0.0 } else { self.latencies.mean() }
    }

    /// All latencies, in ns.
    #[must_use]
    pub fn latencies(&self) -> &Histogram<u64> {
        &self.latencies
    }

    /// The parts of the time, in order.
    #[must_use]
    pub fn timeline(&self) -> &[Part] {
        &self.timeline
    }

    /// The width of a part, in seconds.
    #[must_use]
    pub fn part_seconds(&self) -> f64 {
        self.part_ns as f64 / 1e9
    }

    /// The time that is measured, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.until_ns.saturating_sub(self.from_ns) as f64 / 1e9
    }

    /// Answers that came within the measured time, whenever their requests were due.
    #[must_use]
    pub fn answers_within(&self) -> u64 {
        self.answers_within
    }

    /// Answers a second, of those that came within the time.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.answers_within as f64 / self.seconds().max(1e-9)
    }

    /// Rows or events a second, of the answers that came within the time.
    #[must_use]
    pub fn unit_rate(&self) -> f64 {
        self.units_within as f64 / self.seconds().max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn what_was_due_before_or_after_is_not_counted() {
        let mut tally = Tally::by_second(SECOND, 3 * SECOND);
        for due in [0, SECOND - 1, 3 * SECOND] {
            tally.answered_at(due, due + 1000, 1);
            tally.failed_at(due, "lost");
            tally.sent_at(due, due);
        }
        assert_eq!((tally.answered(), tally.failed(), tally.late_sends().2), (0, 0, 0));
        tally.answered_at(3 * SECOND - 1, 5 * SECOND, 1);
        assert_eq!((tally.answered(), tally.timeline()[1].latencies_us.len()), (1, 1));
    }

    #[test]
    fn rates_are_of_what_was_answered_within_the_time() {
        let mut tally = Tally::by_second(SECOND, 3 * SECOND);
        for (due, answered) in [(0, SECOND), (SECOND, 2 * SECOND), (2 * SECOND, 3 * SECOND)] {
            tally.answered_at(due, answered, 10);
        }
        assert_eq!((tally.answered(), tally.answers_within()), (2, 2));
        assert!((tally.rate() - 1.0).abs() < 1e-9 && (tally.unit_rate() - 10.0).abs() < 1e-9);
        tally.answered_at(2 * SECOND, 9 * SECOND, 10);
        assert_eq!((tally.answered(), tally.answers_within()), (3, 2), "late answers are no rate");
    }

    #[test]
    fn failures_are_counted_by_word_and_never_among_latencies() {
        let mut tally = Tally::by_second(0, SECOND);
        tally.answered_at(0, 5_000, 100);
        (0..3).for_each(|_| tally.failed_at(10, "OVERLOADED"));
        tally.failed_at(20, "timeout");
        assert_eq!((tally.answered(), tally.failed(), tally.units()), (1, 4, 100));
        assert_eq!(tally.failures()["OVERLOADED"], 3);
        assert_eq!(tally.latencies().max() / 100, 50);
        assert_eq!(tally.quantile_with_failures(0.5), None, "most of them failed");
        assert!(tally.quantile_with_failures(0.2).is_some());
    }

    #[test]
    fn late_sends_are_counted_from_a_millisecond_on() {
        let mut tally = Tally::by_second(0, SECOND);
        for late in [0, 999_999, 1_000_000, 1_000_001, 7_000_000] {
            tally.sent_at(5, 5 + late);
        }
        assert_eq!(tally.late_sends(), (2, 7_000_000, 5));
    }

    #[test]
    fn generators_add_up_and_long_times_have_longer_parts() {
        let mut all = Tally::by_second(0, 2 * SECOND);
        for due in [5, SECOND + 5] {
            let mut one = Tally::by_second(0, 2 * SECOND);
            one.answered_at(due, due + 2_000_000, 1);
            all.add(&one);
        }
        assert_eq!((all.answered(), all.timeline().len()), (2, 2));
        assert!(all.timeline().iter().all(|part| part.latencies_us.len() == 1));
        assert_eq!(all.answered_over(1_999_000), 2);
        assert_eq!(all.answered_over(2_010_000), 0);
        assert_eq!(Tally::by_second(0, 3600 * SECOND).timeline().len(), 600);
        assert_eq!(Tally::by_second(0, SECOND / 2).timeline().len(), 1);
    }
}
