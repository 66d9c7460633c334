//! When a read that is not answered goes out a second time: after a fixed time, or after as long as most reads take.

use std::time::Duration;

use stdx::sync::Mutex;

/// Latencies remembered of one prepared service.
const KEPT: usize = 256;
/// How many there must be before they say anything, and how many new ones before they are sorted again.
const FEW: usize = 32;

/// When a read goes out a second time, on another connection, and to another address when several are given
/// ([`crate::ClientBuilder::also_read_from`]); the first answer counts. At most one read in twenty does so, after the first
/// ten, so that a server that has become slow is not asked twice for everything. Never a write.
///
/// Delays are rounded up to whole milliseconds. A client with one address and one connection has nowhere else to go and sends
/// every read once.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Hedge {
    /// Never.
    #[default]
    Never,
    /// After this long without an answer.
    After(Duration),
    /// After as long as this share of the last reads of the same service took at most, in percent: `95.0` is a good one. Not
    /// before 32 reads were answered. Taken between 50 and 99.9.
    Percentile(f64),
}

impl Hedge {
    /// How long to wait for the first answer; `None` without a second request.
    pub(crate) fn delay(self, latencies: &Latencies) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::After(delay) => Some(delay),
            Self::Percentile(percent) => latencies.percentile(percent),
        }
    }
}

/// How long the last reads took.
pub(crate) struct Latencies(Mutex<Ring>);

struct Ring {
    last_us: Vec<u32>,
    /// Where the next one goes.
    next: usize,
    /// Those of some reads ago, in order.
    sorted_us: Vec<u32>,
    /// How many came since then.
    since: usize,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Ring { last_us: Vec::new(), next: 0, sorted_us: Vec::new(), since: 0 }))
    }

    /// Remembers that a read took `latency`.
    pub(crate) fn note(&self, latency: Duration) {
        let latency_us = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        let ring = &mut *self.0.lock();
        let next = ring.next;
        match ring.last_us.get_mut(next) {
            Some(oldest) => *oldest = latency_us,
            None => ring.last_us.push(latency_us),
        }
        ring.next = (next + 1) % KEPT;
        ring.since += 1;
        if ring.since == FEW {
            ring.since = 0;
            ring.sorted_us.clone_from(&ring.last_us);
            ring.sorted_us.sort_unstable();
        }
    }

    /// What `percent` of the last reads took at most.
    fn percentile(&self, percent: f64) -> Option<Duration> {
        let ring = self.0.lock();
        // The least whose rank is not below the share: nearest rank, looked for where it is near, at the end.
        let share = percent.clamp(50.0, 99.9) / 100.0;
        let least = ring.sorted_us.len() as f64 * share;
        let ranks = (1..=ring.sorted_us.len()).rev();
        let rank = ranks.take_while(|rank| *rank as f64 >= least).last()?;
        let latency_us = ring.sorted_us.get(rank - 1)?;
        Some(Duration::from_micros(u64::from(*latency_us)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(latencies: impl IntoIterator<Item = u64>) -> Latencies {
        let noted = Latencies::new();
        latencies.into_iter().for_each(|ms| noted.note(Duration::from_millis(ms)));
        noted
    }

    #[test]
    fn percentiles_are_those_of_the_last_reads() {
        let latencies = noted(1..=96);
        let percentile = |percent| Hedge::Percentile(percent).delay(&latencies);
        assert_eq!(percentile(50.0), Some(Duration::from_millis(48)));
        assert_eq!(percentile(95.0), Some(Duration::from_millis(92)));
        assert_eq!(percentile(100.0), Some(Duration::from_millis(96)));
        assert_eq!(percentile(f64::NAN), None, "no share at all");
        // Slow ones of long ago are forgotten.
        let latencies = noted((0..32).map(|_| 900).chain((0..256).map(|_| 2)));
        assert_eq!(latencies.percentile(99.9), Some(Duration::from_millis(2)));
    }

    #[test]
    fn a_few_reads_say_nothing_yet() {
        assert_eq!(Hedge::Percentile(95.0).delay(&noted(0..31)), None);
        assert!(Hedge::Percentile(95.0).delay(&noted(0..32)).is_some());
        assert_eq!(Hedge::Never.delay(&noted(0..64)), None);
        let fixed = Hedge::After(Duration::from_millis(3)).delay(&noted([]));
        assert_eq!(fixed, Some(Duration::from_millis(3)));
    }
}
