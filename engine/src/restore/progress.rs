//! How far a replay is, for whoever waits for it.

use std::sync::Arc;

use stdx::clock::Clock;

/// Between two lines of the log.
const TOLD_EVERY_NS: u64 = 1_000_000_000;

/// See the module.
pub(super) struct Progress {
    clock: Arc<dyn Clock>,
    started_ns: u64,
    told_ns: u64,
    /// Bytes there are, asked for when it is told for the first time.
    total: Option<u64>,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Progress {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let now = clock.mono_ns();
        Self { clock, started_ns: now, told_ns: now, total: None, records: 0, bytes: 0 }
    }

    /// A record was read.
    pub(super) fn read(&mut self, payload: &[u8]) {
        self.records += 1;
        self.bytes += payload.len() as u64;
    }

    /// Tells how far it is, when that was not told for a second; `total` are the bytes there are.
    pub(super) fn tell(&mut self, total: impl FnOnce() -> u64) {
        let now = self.clock.mono_ns();
        if now.saturating_sub(self.told_ns) < TOLD_EVERY_NS {
            return;
        }
        self.told_ns = now;
        let total = *self.total.get_or_insert_with(total);
        // What frames records in the log is not counted: it is never quite there before the end.
        let percent = (self.bytes * 100).checked_div(total).unwrap_or(0).min(99);
        let (records, bytes) = (self.records, self.bytes);
        tracing::info!(records, bytes, took_ms = self.took_ms(), "replaying the log: {percent} %");
    }

    /// Since the start, in ms.
    pub(super) fn took_ms(&self) -> u64 {
        self.clock.mono_ns().saturating_sub(self.started_ns) / 1_000_000
    }
}
