//! Requests that took long: the last ones and the slowest, each with where its time went; and what is written to the log of those and of
//! requests that failed by a defect. Whatever is quick passes by with one comparison.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::limits::{SLOW_DESCRIBED_MAX, SLOW_KEPT_MAX, SLOWEST_KEPT_MAX};
use protocol::{CallStatus, Opcode};
use stdx::sync::Mutex;

use crate::{
    answered::Answered,
    door::Throttle,
    metrics::{Begun, reply_status},
    peer::Peer,
    shared::Shared,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct SlowLog {
    threshold_ns: u64,
    count: AtomicU64,
    kept: Mutex<Kept>,
    lines: Throttle,
    /// The second of the last one that was described, and how many were in it.
    second: AtomicU64,
    described: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    /// Oldest first.
    last: VecDeque<Answered>,
    /// Slowest first.
    slowest: Vec<Answered>,
}

impl SlowLog {
    /// Keeps what takes as long or longer.
    pub(crate) fn new(threshold: Duration) -> Self {
        Self {
            threshold_ns: u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX),
            count: AtomicU64::new(0),
            kept: Mutex::default(),
            lines: Throttle::default(),
            second: AtomicU64::new(0),
            described: AtomicU64::new(0),
        }
    }

    pub(crate) fn threshold_ms(&self) -> f64 {
        self.threshold_ns as f64 / 1e6
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The last ones, newest first, and the slowest.
    pub(crate) fn read(&self) -> (Vec<Answered>, Vec<Answered>) {
        let kept = self.kept.lock();
        (kept.last.iter().rev().cloned().collect(), kept.slowest.clone())
    }

    /// Counts one, and says whether it is described: when everything is slow, describing all of it would make it slower.
    fn counts(&self, now_ns: u64) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        let second = now_ns / 1_000_000_000;
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.described.store(0, Ordering::Relaxed);
        }
        self.described.fetch_add(1, Ordering::Relaxed) < SLOW_DESCRIBED_MAX
    }

    fn keep(&self, request: Answered) {
        let mut kept = self.kept.lock();
        let place = kept.slowest.partition_point(|slower| slower.took_ns >= request.took_ns);
        if place < SLOWEST_KEPT_MAX {
            kept.slowest.insert(place, request.clone());
            kept.slowest.truncate(SLOWEST_KEPT_MAX);
        }
        if kept.last.len() == SLOW_KEPT_MAX {
            kept.last.pop_front();
        }
        kept.last.push_back(request);
    }
}

/// A request was answered with the bytes of `reply` at `now_ns`: tells when that took long, or when it failed by a defect.
#[inline]
pub(crate) fn watch(shared: &Shared, peer: &Peer, begun: &Begun, reply: &[u8], now_ns: u64) {
    let is_slow = now_ns.saturating_sub(begun.received_ns) >= shared.slow.threshold_ns;
    let is_defect = reply_status(reply) == CallStatus::Internal.code();
    if is_slow || is_defect {
        tell(shared, peer, begun, reply, (now_ns, is_defect));
    }
}

#[cold]
fn tell(
    shared: &Shared,
    peer: &Peer,
    begun: &Begun,
    reply: &[u8],
    (now_ns, is_defect): (u64, bool),
) {
    let took_ns = now_ns.saturating_sub(begun.received_ns);
    // Who asks for these has time: a checkpoint takes as long as it takes.
    let opcode = Opcode::from_code(begun.opcode);
    let is_slow_by_nature = matches!(opcode, Some(Opcode::Checkpoint | Opcode::Export));
    let is_slow = took_ns >= shared.slow.threshold_ns && !is_slow_by_nature;
    let is_described = is_slow && shared.slow.counts(now_ns);
    if !is_defect && !is_described {
        return;
    }
    let request = Answered::of(shared, peer, begun, reply, now_ns);
    let Answered { request_id, operation, status, ref on, .. } = request;
    if is_defect {
        tracing::error!(request_id, operation, on, %peer, "a request failed by a defect of the server");
    }
    if !is_described {
        return;
    }
    if let Some(more) = shared.slow.lines.pass(now_ns) {
        let (took_ms, reason) = (took_ns / 1_000_000, request.reason());
        tracing::info!(request_id, operation, on, %peer, status, took_ms, reason, more, "a request was slow");
    }
    shared.slow.keep(request);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answered::tests::request;

    #[test]
    fn of_very_many_in_a_second_some_are_described_and_all_are_counted() {
        let log = SlowLog::new(Duration::from_millis(10));
        let described = |second: u64| {
            let at = |part: u64| second * 1_000_000_000 + part * 1_000_000;
            (0..900).filter(|part| log.counts(at(*part))).count() as u64
        };
        assert_eq!([described(5), described(6)], [SLOW_DESCRIBED_MAX; 2]);
        assert_eq!(log.count(), 1800);
    }

    #[test]
    fn the_last_and_the_slowest_are_kept_and_no_more() {
        let log = SlowLog::new(Duration::from_millis(10));
        for number in 0..1000 {
            // The slowest come first.
            log.keep(request("read", [0, 2000 - number, 0]));
        }
        let (last, slowest) = log.read();
        assert_eq!((last.len(), slowest.len()), (SLOW_KEPT_MAX, SLOWEST_KEPT_MAX));
        assert_eq!((last[0].took_ns, slowest[0].took_ns), (1001, 2000));
        assert!(slowest.is_sorted_by(|a, b| a.took_ns >= b.took_ns));
    }
}
