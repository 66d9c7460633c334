//! What the database says of itself: how far its log is, and that it has failed.

use storage::{SyncPolicy, wal::Work};

use super::Life;
use crate::{failure::Failure, history::History};

/// Longest time that the interval policy leaves written records unsynced, in ms.
const INTERVAL_MS: u64 = 50;

impl Life<'_> {
    /// What the database says of itself is a promise too.
    pub(super) fn hear_positions(&mut self) -> Result<(), Failure> {
        let (appended, written, durable) = self.positions();
        let History { durable: known_durable, written: known_written, .. } = self.world.history;
        if appended < written
            || written < durable
            || durable < known_durable
            || written < known_written
        {
            return Err(Failure::new(format!(
                "{appended} appended, {written} written, {durable} durable, after {known_written} and {known_durable}"
            )));
        }
        self.world.history.promise_written(written);
        self.world.history.promise_durable(durable);
        self.hear_interval(written, durable)
    }

    /// Under the interval policy nothing written stays unsynced for longer than it says, while the flusher works.
    pub(super) fn hear_interval(&mut self, written: u64, durable: u64) -> Result<(), Failure> {
        use stdx::clock::Clock as _;
        let now_ms = self.world.clock.mono_ns() / 1_000_000;
        if written == durable || self.world.policy != SyncPolicy::Interval {
            self.unsynced_since_ms = None;
            return Ok(());
        }
        let since = *self.unsynced_since_ms.get_or_insert(now_ms);
        if now_ms - since < INTERVAL_MS {
            return Ok(());
        }
        self.unsynced_since_ms = None;
        self.step(Work::Idle)?;
        let (_, written, durable) = self.positions();
        if written != durable && self.database.wal().poisoned().is_none() {
            let what = format!("records after {durable} are unsynced since {} ms", now_ms - since);
            return Err(Failure::new(what));
        }
        self.world.history.promise_durable(durable);
        Ok(())
    }

    /// After a failed write or sync nothing is promised any more, and reads go on.
    pub(super) fn check_poisoned(&mut self) -> Result<(), Failure> {
        if self.database.wal().poisoned().is_some() {
            self.world.coverage.poisonings += 1;
            let before = self.positions();
            for work in [Work::Write, Work::Sync, Work::Idle] {
                if self.step_log(work).is_ok() {
                    return Err(Failure::new(format!("{work:?} works after the log failed")));
                }
            }
            self.write()?;
            let after = self.positions();
            if after != before {
                return Err(Failure::new(format!("positions move from {before:?} to {after:?}")));
            }
        }
        self.clients.hear(self.world)?;
        self.check()
    }
}
