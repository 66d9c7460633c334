//! Requests that took long: the last ones and the slowest, each with where its time went; and what is written to the log of those and of
//! requests that failed by a defect. Whatever is quick passes by with one comparison.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::{
    limits::{SLOW_DESCRIBED_MAX, SLOW_KEPT_MAX, SLOWEST_KEPT_MAX},
    time::format_timestamp,
};
use protocol::{CallStatus, Opcode};
use serde_json::{Value, json};
use stdx::{clock::Clock, sync::Mutex};

use crate::{
    dispatch::has_handle,
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
    last: VecDeque<SlowRequest>,
    /// Slowest first.
    slowest: Vec<SlowRequest>,
}

/// A request that took long. Times in ns.
#[derive(Debug, Clone)]
pub(crate) struct SlowRequest {
    at_ms: i64,
    operation: &'static str,
    /// What its handle stands for; empty when it has none.
    on: String,
    request_id: u64,
    peer: String,
    status: &'static str,
    took_ns: u64,
    parts: Parts,
    request_bytes: usize,
    reply_bytes: usize,
}

/// Where the time went.
#[derive(Debug, Clone, Copy)]
struct Parts {
    /// Until its handler began: requests of the same connection came before it.
    thread_ns: u64,
    /// In its handler, where it may wait for a shard that somebody writes.
    handler_ns: u64,
    /// Until the log had it, of a write; until another thread had the answer, of others.
    waiting_ns: u64,
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
    pub(crate) fn read(&self) -> (Vec<SlowRequest>, Vec<SlowRequest>) {
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

    fn keep(&self, request: SlowRequest) {
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

impl SlowRequest {
    /// What it waited for most.
    fn reason(&self) -> &'static str {
        let Parts { thread_ns, handler_ns, waiting_ns } = self.parts;
        if thread_ns >= handler_ns.max(waiting_ns) {
            "waited for the thread"
        } else if handler_ns >= waiting_ns {
            "its own work, or a shard that was locked"
        } else if matches!(self.operation, "put" | "push" | "delete" | "retract" | "apply") {
            "waited for the disk"
        } else {
            "worked on by another thread"
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let ms = |ns: u64| ns as f64 / 1e6;
        json!({
            "at": format_timestamp(self.at_ms),
            "operation": self.operation,
            "on": self.on,
            "status": self.status,
            "took_ms": ms(self.took_ns),
            "reason": self.reason(),
            "waited_for_thread_ms": ms(self.parts.thread_ns),
            "handler_ms": ms(self.parts.handler_ns),
            "waited_after_ms": ms(self.parts.waiting_ns),
            "request_bytes": self.request_bytes,
            "reply_bytes": self.reply_bytes,
            "request_id": self.request_id,
            "peer": self.peer,
        })
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
    let opcode = Opcode::from_code(begun.opcode);
    let operation = opcode.map_or("unknown", Opcode::name);
    let request_id = begun.request_id;
    let took_ns = now_ns.saturating_sub(begun.received_ns);
    // Who asks for these has time: a checkpoint takes as long as it takes.
    let is_slow_by_nature = matches!(opcode, Some(Opcode::Checkpoint | Opcode::Export));
    let is_slow = took_ns >= shared.slow.threshold_ns && !is_slow_by_nature;
    let is_described = is_slow && shared.slow.counts(now_ns);
    if !is_defect && !is_described {
        return;
    }
    let on = on(shared, opcode, begun.handle);
    if is_defect {
        tracing::error!(request_id, operation, on, %peer, "a request failed by a defect of the server");
    }
    if !is_described {
        return;
    }
    let status = CallStatus::from_code(reply_status(reply)).map_or("?", CallStatus::as_str);
    let request = SlowRequest {
        at_ms: shared.clock.wall_ms(),
        operation,
        on,
        request_id,
        peer: peer.to_string(),
        status,
        took_ns,
        parts: Parts {
            thread_ns: begun.begun_ns.saturating_sub(begun.received_ns),
            handler_ns: begun.handled_ns.saturating_sub(begun.begun_ns),
            waiting_ns: now_ns.saturating_sub(begun.handled_ns),
        },
        request_bytes: begun.bytes,
        reply_bytes: reply.len(),
    };
    if let Some(more) = shared.slow.lines.pass(now_ns) {
        let (on, reason) = (request.on.as_str(), request.reason());
        let took_ms = took_ns / 1_000_000;
        tracing::info!(request_id, operation, on, %peer, status, took_ms, reason, more, "a request was slow");
    }
    shared.slow.keep(request);
}

/// What the handle of a request stands for: `service:x`, `group:y`, `stream:z`; of a list of features their groups.
fn on(shared: &Shared, opcode: Option<Opcode>, handle: u64) -> String {
    let handle = opcode.filter(|opcode| has_handle(*opcode)).map(|_| handle);
    let Some(prepared) = handle.and_then(|handle| shared.handles.get(handle)) else {
        return String::new();
    };
    let (_, definitions) = shared.database.definitions();
    prepared.resources(&definitions).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(operation: &'static str, parts: [u64; 3]) -> SlowRequest {
        let [thread_ns, handler_ns, waiting_ns] = parts;
        SlowRequest {
            at_ms: 0,
            operation,
            on: String::new(),
            request_id: 7,
            peer: String::new(),
            status: "OK",
            took_ns: parts.iter().sum(),
            parts: Parts { thread_ns, handler_ns, waiting_ns },
            request_bytes: 1,
            reply_bytes: 2,
        }
    }

    #[test]
    fn the_reason_is_what_took_longest() {
        assert_eq!(request("read", [5, 1, 1]).reason(), "waited for the thread");
        assert!(request("read", [1, 5, 1]).reason().contains("its own work"));
        assert_eq!(request("put", [1, 1, 5]).reason(), "waited for the disk");
        assert_eq!(request("read", [1, 1, 5]).reason(), "worked on by another thread");
    }

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
