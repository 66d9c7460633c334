//! What one thread counts of the requests it answers.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::{Header, frame::HEADER_BYTES};
use stdx::histogram::{Buckets, DURATIONS_NS, Histogram, add};

/// Codes of operations that are told apart; others, which no release knows yet, count as 0.
pub(crate) const OPERATIONS_MAX: usize = 32;
/// Codes of call statuses that are told apart.
pub(crate) const STATUSES_MAX: usize = 16;
/// Where the status stands in a frame: docs/formats/wire.md.
const STATUS_AT: usize = 21;

const _: () = assert!(STATUS_AT < HEADER_BYTES);

/// The figures of one thread. Only it writes them; on lines of memory of their own.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Meter {
    /// Its number among all threads that have one.
    lane: usize,
    requests: [[AtomicU64; STATUSES_MAX]; OPERATIONS_MAX],
    durations_ns: [Histogram<{ DURATIONS_NS.len() }>; OPERATIONS_MAX],
    in_flight: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

/// A request that is being answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// Code of its operation.
    pub(crate) opcode: u8,
    /// Its number, chosen by the peer.
    pub(crate) request_id: u64,
    /// The first bytes of its body: of operations on something prepared, the handle.
    pub(crate) handle: u64,
    /// Bytes of its body.
    pub(crate) bytes: usize,
    /// When its bytes were read.
    pub(crate) received_ns: u64,
    /// When its handler began, and when that was done with it.
    pub(crate) begun_ns: u64,
    pub(crate) handled_ns: u64,
}

impl Begun {
    /// A request with this header and body, whose bytes were read at `received_ns`, and which is begun at `begun_ns`.
    #[inline]
    pub(crate) fn new(header: &Header, body: &[u8], received_ns: u64, begun_ns: u64) -> Self {
        Self {
            opcode: header.opcode_code,
            request_id: header.request_id,
            handle: body.first_chunk().map_or(0, |handle| u64::from_le_bytes(*handle)),
            bytes: body.len(),
            received_ns,
            begun_ns,
            handled_ns: begun_ns,
        }
    }
}

impl Meter {
    pub(super) fn new(lane: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            lane,
            requests: std::array::from_fn(|_| std::array::from_fn(|_| zero())),
            durations_ns: std::array::from_fn(|_| Histogram::new(&DURATIONS_NS)),
            in_flight: zero(),
            received_bytes: zero(),
            sent_bytes: zero(),
        }
    }

    /// Where this thread counts what it serves.
    pub(crate) fn lane(&self) -> usize {
        self.lane
    }

    /// The reply to a request stands in the output, with this code of a call status.
    #[inline]
    pub(crate) fn answered(&self, begun: &Begun, status: u8, now_ns: u64) {
        let (operation, status) = (usize::from(begun.opcode), usize::from(status));
        let operation = if operation < OPERATIONS_MAX { operation } else { 0 };
        if let Some(count) = self.requests[operation].get(status) {
            add(count, 1);
        }
        self.durations_ns[operation].record(now_ns.saturating_sub(begun.received_ns));
    }

    /// A request waits for the log or for another thread.
    pub(crate) fn begins_waiting(&self) {
        add(&self.in_flight, 1);
    }

    /// So many that waited do so no more.
    pub(crate) fn ends_waiting(&self, requests: usize) {
        add(&self.in_flight, (requests as u64).wrapping_neg());
    }

    /// Bytes came from a peer.
    pub(crate) fn received(&self, bytes: usize) {
        add(&self.received_bytes, bytes as u64);
    }

    /// Bytes went to a peer.
    pub(crate) fn sent(&self, bytes: usize) {
        add(&self.sent_bytes, bytes as u64);
    }

    /// Requests of this operation that were answered with this status.
    pub(crate) fn requests(&self, operation: usize, status: usize) -> u64 {
        let count = self.requests.get(operation).and_then(|counts| counts.get(status));
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How long requests of this operation took.
    pub(crate) fn durations(&self, operation: usize) -> Option<Buckets> {
        self.durations_ns.get(operation).map(Histogram::read)
    }

    /// Requests that wait, bytes received, bytes sent.
    pub(crate) fn traffic(&self) -> [u64; 3] {
        [&self.in_flight, &self.received_bytes, &self.sent_bytes]
            .map(|number| number.load(Ordering::Relaxed))
    }
}

/// The status of the reply at the front of `output`.
#[inline]
pub(crate) fn reply_status(output: &[u8]) -> u8 {
    output.get(STATUS_AT).copied().unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{CallStatus, Opcode, frame};

    #[test]
    fn the_status_is_read_where_the_frame_has_it() {
        for status in CallStatus::ALL {
            let mut output = vec![7; 3];
            let header = Header::request(Opcode::Put, 9, 0).reply(status);
            let body = |out: &mut stdx::cursor::Writer<'_>| {
                out.u64(1);
            };
            frame::write(&mut output, header, body).expect("it is small");
            assert_eq!(reply_status(&output[3..]), status.code());
        }
        assert_eq!(reply_status(&[]), u8::MAX, "no reply");
    }

    #[test]
    fn every_operation_and_status_of_this_release_is_told_apart() {
        assert!(Opcode::all().all(|opcode| usize::from(opcode.code()) < OPERATIONS_MAX));
        assert!(CallStatus::ALL.iter().all(|s| usize::from(s.code()) < STATUSES_MAX));
    }

    #[test]
    fn an_operation_that_nobody_knows_counts_as_none() {
        let meter = Meter::new(0);
        let header = Header { opcode_code: 200, ..Header::request(Opcode::Ping, 1, 0) };
        meter.answered(&Begun::new(&header, &[], 0, 0), CallStatus::Invalid.code(), 1);
        meter.answered(&Begun::new(&header, &[], 0, 0), u8::MAX, 1);
        assert_eq!(meter.requests(0, usize::from(CallStatus::Invalid.code())), 1);
        assert_eq!(meter.durations(0).expect("told apart").count(), 2);
    }

    #[test]
    fn what_waits_is_in_flight_until_it_does_no_more() {
        let meter = Meter::new(0);
        (0..3).for_each(|_| meter.begins_waiting());
        meter.ends_waiting(2);
        assert_eq!(meter.traffic()[0], 1);
        meter.ends_waiting(1);
        assert_eq!(meter.traffic()[0], 0);
    }
}
