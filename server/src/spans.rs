//! Spans: a sample of the requests that were answered, for a program that shows requests across machines. A network thread draws lots
//! and hands over; it waits for nothing, and what finds no room is counted. How spans leave the process is not known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::StatValue;
use stdx::prng::{Prng, seed_from_os};
use tokio::{sync::mpsc, time::timeout};

use crate::{answered::Answered, metrics::Begun, peer::Peer, shared::Shared};

/// Spans that may wait for whoever takes them: some hundred bytes each.
const WAITING_MAX: usize = 4096;

/// The end where requests become spans: see [`crate::Config::spans`].
#[derive(Debug, Clone)]
pub struct Spans {
    /// The part of requests, 0 to 1.
    sample: f64,
    seed: u64,
    waiting: mpsc::Sender<Answered>,
    counts: Arc<Counts>,
}

/// The end where spans are taken out.
#[derive(Debug)]
pub struct SpanQueue {
    arriving: mpsc::Receiver<Answered>,
    /// Taken out for a batch that is not full.
    gathered: Vec<Answered>,
    counts: Arc<Counts>,
}

/// What became of them.
#[derive(Debug, Default)]
struct Counts {
    /// There was no room.
    dropped: AtomicU64,
    sent: AtomicU64,
    failed: AtomicU64,
}

impl Spans {
    /// Of the part `sample` of requests, 0 to 1; and where they come out.
    #[must_use]
    pub fn new(sample: f64) -> (Self, SpanQueue) {
        Self::seeded(sample, seed_from_os())
    }

    fn seeded(sample: f64, seed: u64) -> (Self, SpanQueue) {
        let (waiting, arriving) = mpsc::channel(WAITING_MAX);
        let counts = Arc::new(Counts::default());
        let queue = SpanQueue { arriving, gathered: Vec::new(), counts: Arc::clone(&counts) };
        (Self { sample, seed, waiting, counts }, queue)
    }

    /// Whether the lot falls on a request. What is drawn from is the request itself: threads share no state for it.
    fn draws(&self, begun: &Begun) -> bool {
        let request = begun.received_ns ^ begun.request_id.rotate_left(32);
        Prng::new(self.seed ^ request).chance(self.sample)
    }

    /// Hands a span over, if there is room: it is described only then.
    fn offer(&self, span: impl FnOnce() -> Answered) {
        match self.waiting.try_reserve() {
            Ok(room) => room.send(span()),
            Err(_) => _ = self.counts.dropped.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// For the statistics.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (String, StatValue)> + use<> {
        let number = |counter: &AtomicU64| StatValue::U64(counter.load(Ordering::Relaxed));
        let Counts { dropped, sent, failed } = &*self.counts;
        [("spans_sent", sent), ("spans_dropped", dropped), ("spans_failed", failed)]
            .map(|(name, counter)| (name.to_owned(), number(counter)))
            .into_iter()
    }
}

impl SpanQueue {
    /// Those that come within `linger` of the next one, `spans_max` at most. Empty when none will come any more. Nothing is lost
    /// when it is given up.
    pub async fn next(&mut self, spans_max: usize, linger: Duration) -> Vec<Answered> {
        let Self { arriving, gathered, .. } = self;
        if gathered.is_empty() && arriving.recv_many(gathered, spans_max).await == 0 {
            return Vec::new();
        }
        let gather = async {
            while gathered.len() < spans_max {
                let room = spans_max - gathered.len();
                if arriving.recv_many(gathered, room).await == 0 {
                    return;
                }
            }
        };
        // When the time is over: with those that came.
        let _is_full = timeout(linger, gather).await;
        std::mem::take(gathered)
    }

    /// Those that are there now, `spans_max` at most unless more were gathered before, without waiting.
    pub fn rest(&mut self, spans_max: usize) -> Vec<Answered> {
        let mut spans = std::mem::take(&mut self.gathered);
        while spans.len() < spans_max {
            let Ok(span) = self.arriving.try_recv() else { break };
            spans.push(span);
        }
        spans
    }

    /// So many were taken by whom they are for.
    pub fn sent(&self, spans: usize) {
        self.counts.sent.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// So many were not.
    pub fn failed(&self, spans: usize) {
        self.counts.failed.fetch_add(spans as u64, Ordering::Relaxed);
    }
}

/// A request was answered with the bytes of `reply` at `now_ns`: it becomes a span, if spans are wanted and the lot falls on it.
#[inline]
pub(crate) fn watch(shared: &Shared, peer: &Peer, begun: &Begun, reply: &[u8], now_ns: u64) {
    if let Some(spans) = &shared.spans
        && spans.draws(begun)
    {
        spans.offer(|| Answered::of(shared, peer, begun, reply, now_ns));
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Header, Opcode};

    use super::*;
    use crate::answered::tests::request;

    fn numbers(spans: &Spans) -> Vec<u64> {
        let value = |(_, value)| match value {
            StatValue::U64(value) => value,
            other => panic!("{other:?} is no number"),
        };
        spans.figures().map(value).collect()
    }

    #[test]
    fn lots_fall_on_the_part_of_requests_that_was_asked_for() {
        let begun = |number: u64| {
            // Requests of one connection count up; those that were read together have one time.
            let header = Header::request(Opcode::Read, number, 0);
            Begun::new(&header, &[], 1_000_000 * (number / 10), 0)
        };
        for (sample, seed) in [(0.0, 1), (0.01, 2), (0.5, 3), (1.0, 4)] {
            let (spans, _queue) = Spans::seeded(sample, seed);
            let drawn = (0..100_000).filter(|number| spans.draws(&begun(*number))).count();
            let (mean, deviation) = (1e5 * sample, (1e5 * sample * (1.0 - sample)).sqrt());
            let distance = (drawn as f64 - mean).abs();
            assert!(distance <= 5.0 * deviation, "{drawn} at {sample}, seed {seed}");
        }
    }

    #[test]
    fn who_finds_no_room_is_dropped_and_counted_and_nobody_waits() {
        let (spans, mut queue) = Spans::new(1.0);
        for _ in 0..WAITING_MAX + 3 {
            spans.offer(|| request("read", [1, 2, 3]));
        }
        assert_eq!(queue.rest(usize::MAX).len(), WAITING_MAX);
        queue.sent(2);
        queue.failed(1);
        assert_eq!(numbers(&spans), [2, 3, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn spans_come_in_batches_and_none_is_left_behind() {
        let (spans, mut queue) = Spans::new(1.0);
        for _ in 0..5 {
            spans.offer(|| request("read", [1, 2, 3]));
        }
        let linger = Duration::from_secs(1);
        let sizes = [queue.next(3, linger).await.len(), queue.next(3, linger).await.len()];
        assert_eq!(sizes, [3, 2]);
        spans.offer(|| request("put", [1, 2, 3]));
        let given_up = timeout(linger / 2, queue.next(3, linger)).await;
        assert!(given_up.is_err(), "it would wait for more");
        drop(spans);
        assert_eq!(queue.next(3, linger).await[0].operation, "put");
        assert!(queue.next(3, linger).await.is_empty(), "nobody sends any more");
    }
}
