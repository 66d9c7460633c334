//! The log of reads: which vectors are logged, and the thread that writes them. A network thread draws lots and hands over; it
//! waits for nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use engine::{ReadRequest, ReadTrace, SyncPolicy, Vectors};
use export::reads::{ReadLayout, ReadLog, ReadLogLimits, ReadSample};
use protocol::StatValue;
use stdx::{
    clock::Clock,
    prng::{Prng, seed_from_os},
    sync::Mutex,
};
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};

use crate::shared::Shared;

/// Reads that may wait for the thread.
const WAITING_MAX: usize = 4096;
/// Bytes of what waits there.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// So much of the disk must be to spare, beyond what the log may need, for reads to be logged.
const ROOM_BYTES: u64 = 8 << 20;
/// Between two looks at how far the log is.
const TICK: Duration = Duration::from_millis(100);

/// A service whose vectors are logged.
#[derive(Debug)]
pub(crate) struct Logged {
    /// The part of its vectors.
    pub(crate) rate: f64,
    pub(crate) layout: Arc<ReadLayout>,
}

/// What is between those who read and the thread that writes.
pub(crate) struct ReadLogs {
    waiting: mpsc::Sender<ReadSample>,
    /// The directory of the history; without one nothing is logged.
    root: Option<PathBuf>,
    seed: u64,
    /// Bytes that wait for the thread.
    waiting_bytes: AtomicUsize,
    /// Reads for which lots were drawn.
    draws: AtomicU64,
    /// Vectors that were lost because the thread is behind.
    lost: AtomicU64,
    /// Vectors in files, and vectors that the writer lost.
    logged: AtomicU64,
    dropped: AtomicU64,
    /// The last file could not be written.
    is_failing: AtomicBool,
    /// What the thread left when the server stopped, to be written when the log is closed.
    rest: Mutex<Option<Rest>>,
}

/// See [`ReadLogs`].
struct Rest {
    log: ReadLog,
    arriving: mpsc::Receiver<ReadSample>,
}

impl ReadLogs {
    /// A log in the history's directory `root`, and the other end.
    pub(crate) fn new(root: Option<PathBuf>) -> (Self, mpsc::Receiver<ReadSample>) {
        Self::seeded(root, seed_from_os())
    }

    fn seeded(root: Option<PathBuf>, seed: u64) -> (Self, mpsc::Receiver<ReadSample>) {
        let (waiting, arriving) = mpsc::channel(WAITING_MAX);
        let counter = || AtomicU64::new(0);
        let logs = Self {
            waiting,
            root,
            seed,
            waiting_bytes: AtomicUsize::new(0),
            draws: counter(),
            lost: counter(),
            logged: counter(),
            dropped: counter(),
            is_failing: AtomicBool::new(false),
            rest: Mutex::new(None),
        };
        (logs, arriving)
    }

    /// Places of those of `vectors` vectors that are logged, at `rate`: each by itself, whatever request it comes in.
    pub(crate) fn draw(&self, rate: f64, vectors: usize) -> Vec<usize> {
        let number = self.draws.fetch_add(1, Ordering::Relaxed);
        let mut lots = Prng::new(self.seed.wrapping_add(number));
        (0..vectors).filter(|_| lots.chance(rate)).collect()
    }

    /// Hands over the vectors of `trace`. When the thread is behind they are lost, and counted.
    pub(crate) fn offer(
        &self,
        logged: &Logged,
        request: &ReadRequest<'_>,
        vectors: &Vectors,
        trace: ReadTrace,
    ) {
        let rows = trace.vectors.len() as u64;
        let sample = ReadSample::new(&logged.layout, request, vectors, trace);
        let sent = sample.map(|sample| self.send(sample));
        if !sent.unwrap_or(false) {
            self.lost.fetch_add(rows, Ordering::Relaxed);
        }
    }

    /// False when there is no room.
    fn send(&self, sample: ReadSample) -> bool {
        let bytes = sample.bytes();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_sent = waiting < WAITING_BYTES_MAX && self.waiting.try_send(sample).is_ok();
        if !is_sent {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        is_sent
    }

    /// Hands what has arrived to `log`.
    fn take(&self, sample: ReadSample, log: &mut ReadLog) {
        self.waiting_bytes.fetch_sub(sample.bytes(), Ordering::Relaxed);
        log.offer(sample);
    }

    /// For the statistics.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (String, StatValue)> + use<> {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let figures = [
            ("read_log_vectors", number(&self.logged)),
            ("read_log_dropped", number(&self.lost) + number(&self.dropped)),
        ];
        figures.into_iter().map(|(name, value)| (name.to_owned(), StatValue::U64(value)))
    }

    /// Says how the log is, once when that changes.
    fn note(&self, log: &ReadLog, done: Result<(), export::Error>) {
        let counts = log.counts();
        let was_logged = self.logged.swap(counts.logged, Ordering::Relaxed) < counts.logged;
        self.dropped.store(counts.dropped, Ordering::Relaxed);
        match done {
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "reads that were to be logged are lost; serving goes on");
            }
            Ok(()) if was_logged => self.is_failing.store(false, Ordering::Relaxed),
            _ => {}
        }
    }
}

/// Writes logged reads until told to stop.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut arriving: mpsc::Receiver<ReadSample>,
    mut stop: watch::Receiver<bool>,
) {
    let Some(root) = &shared.reads.root else { return };
    let mut log = match ReadLog::open(root, ReadLogLimits::default()) {
        Ok(log) => log,
        // Everything offered is lost, and counted.
        Err(error) => return tracing::warn!(%error, "reads cannot be logged"),
    };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => {
                let done = turn(&shared, &mut log);
                shared.reads.note(&log, done);
            }
            Some(sample) = arriving.recv() => shared.reads.take(sample, &mut log),
        }
    }
    *shared.reads.rest.lock() = Some(Rest { log, arriving });
}

/// Writes what may be written by now, and removes what is too old.
fn turn(shared: &Shared, log: &mut ReadLog) -> Result<(), export::Error> {
    let (database, now_ms) = (&shared.database, shared.clock.wall_ms());
    let room = database.leaves_room(database.wal().directory().vfs(), ROOM_BYTES);
    log.set_has_room(room.is_ok());
    let done = log.advance(database.wal().durable_lsn(), now_ms);
    let (_, definitions) = database.definitions();
    let kept = |service: &str| {
        let (_, service) = definitions.service(service)?;
        service.read_log.map(|read_log| read_log.kept)
    };
    let retained = log.retain(&kept, now_ms);
    let is_lost = log.counts().dropped > shared.reads.dropped.load(Ordering::Relaxed);
    let room = if is_lost { room } else { Ok(()) };
    done.and(retained).and(room.map_err(export::Error::from))
}

/// Writes what is left, once the log is closed and nobody reads any more.
pub(crate) fn at_stop(shared: &Shared) {
    let Some(Rest { mut log, mut arriving }) = shared.reads.rest.lock().take() else { return };
    while let Ok(sample) = arriving.try_recv() {
        shared.reads.take(sample, &mut log);
    }
    if let Err(error) = log.close(shared.database.wal().durable_lsn(), shared.clock.wall_ms()) {
        tracing::warn!(%error, "the last reads that were to be logged are lost");
    }
}

/// Whether reads can be logged: without a log nothing says what they saw.
pub(crate) fn is_possible(shared: &Shared) -> bool {
    shared.reads.root.is_some() && shared.database.wal().policy() != SyncPolicy::Memory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_fall_on_the_part_that_was_asked_for_whatever_the_size_of_requests() {
        for (rate, vectors, requests) in [(0.01, 1, 100_000), (0.01, 100, 1000), (0.5, 7, 2000)] {
            let (logs, _end) = ReadLogs::seeded(None, 7);
            let drawn: usize = (0..requests).map(|_| logs.draw(rate, vectors).len()).sum();
            let all = (vectors * requests) as f64;
            let spread = 5.0 * (all * rate * (1.0 - rate)).sqrt();
            assert!((drawn as f64 - all * rate).abs() < spread, "{drawn} of {all} at {rate}");
        }
        let (logs, _end) = ReadLogs::seeded(None, 7);
        assert_eq!(logs.draw(1.0, 3), [0, 1, 2]);
        let (again, _end) = ReadLogs::seeded(None, 7);
        again.draw(0.5, 1);
        assert_eq!(logs.draw(0.5, 100), again.draw(0.5, 100), "the seed says all");
    }
}
