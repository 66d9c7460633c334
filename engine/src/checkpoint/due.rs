//! When a checkpoint is due, and the verification of the snapshot that is served from.

use std::fmt;

use storage::{Lsn, Remedy, SyncPolicy, Vfs};

use super::{Checkpointed, progress::State};
use crate::{Database, Error, Trouble};

/// A checkpoint that failed is not tried again before so long, in ns.
const RETRY_NS: u64 = 30_000_000_000;
/// Of the time between checkpoints: after so many without one there is something wrong.
const OVERDUE_INTERVALS: u64 = 2;

/// Why a checkpoint is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointReason {
    /// The last one was so long ago, and something was written since.
    Time,
    /// So much of the log would have to be replayed.
    LogBytes,
    /// The file of the last snapshot is damaged, and what was in it is in memory.
    Damage,
}

impl fmt::Display for CheckpointReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "the last one was long ago",
            Self::LogBytes => "the log has grown",
            Self::Damage => "the last snapshot is damaged",
        })
    }
}

/// How far the verification of the snapshot is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Blocks of 64 KiB that were found good.
    pub done: u64,
    /// Blocks there are.
    pub total: u64,
}

/// What is known against the last snapshot.
struct Damage {
    why: String,
    /// Reads meet it, and so would a checkpoint.
    is_served: bool,
}

impl<V: Vfs> Database<V> {
    /// Why a checkpoint is due, if one is.
    pub fn checkpoint_due(&self) -> Option<CheckpointReason> {
        if self.wal.policy() == SyncPolicy::Memory || self.wal.poisoned().is_some() {
            return None;
        }
        let now_ns = self.clock.mono_ns();
        let state = self.checkpoints.state();
        let is_too_soon = now_ns.saturating_sub(state.tried_ns) < RETRY_NS;
        if state.failure.is_some() && is_too_soon {
            return None;
        }
        if self.needs_checkpoint() {
            return (!is_too_soon).then_some(CheckpointReason::Damage);
        }
        if self.wal.appended_lsn() <= self.kept(&state) {
            return None;
        }
        let (every_ns, wal_bytes) = (self.checkpoints.every_ns, self.checkpoints.wal_bytes);
        if wal_bytes.is_some_and(|limit| self.log_bytes() >= limit) {
            return Some(CheckpointReason::LogBytes);
        }
        let waited_ns = now_ns.saturating_sub(state.last_ns);
        every_ns.is_some_and(|every| waited_ns >= every).then_some(CheckpointReason::Time)
    }

    /// The newest record that is in the last snapshot for certain.
    fn kept(&self, state: &State) -> Lsn {
        state.last.map_or(Lsn(self.directory.replay_from().0.saturating_sub(1)), |last| last.lsn)
    }

    /// The last checkpoint, when another one would write the same snapshot again: nothing was written since (what sweeps and clocks do
    /// without a record, a start does too), and nothing is known against it.
    pub(super) fn nothing_new(&self) -> Option<Checkpointed> {
        let state = self.checkpoints.state();
        let snapshot = self.directory.snapshot()?;
        let lsn = self.kept(&state);
        // After a failure nobody knows which manifest the disk has: the next checkpoint settles it.
        if self.damage(&state).is_some() || state.failure.is_some() || self.wal.appended_lsn() > lsn
        {
            return None;
        }
        let in_memory = || self.group_memory().iter().map(|group| group.entities).sum();
        let entities = state.last.map_or_else(in_memory, |last| last.entities);
        let (number, bytes) = (snapshot.number, snapshot.bytes);
        let (took_ms, segments_removed, is_new) = (0, 0, false);
        Some(Checkpointed { number, lsn, entities, bytes, took_ms, segments_removed, is_new })
    }

    /// What anybody found wrong with the snapshot that tables are served from, or with the file of the one that counts.
    fn damage(&self, state: &State) -> Option<Damage> {
        if let Some(why) = self.snapshot.lock().as_ref().and_then(|snapshot| snapshot.damage()) {
            return Some(Damage { why: why.to_string(), is_served: true });
        }
        let counts = self.directory.snapshot()?.number;
        let (_, why) = state.damaged.as_ref().filter(|(number, _)| *number == counts)?;
        Some(Damage { why: why.clone(), is_served: false })
    }

    /// The file of the last snapshot is damaged, and what was in it is whole only as long as the database is open.
    pub fn needs_checkpoint(&self) -> bool {
        self.damage(&self.checkpoints.state()).is_some_and(|damage| !damage.is_served)
    }

    /// Bytes of log behind the last checkpoint, about: what a start would have to replay.
    pub fn log_bytes(&self) -> u64 {
        self.wal.bytes_since_checkpoint()
    }

    /// Why snapshots are not as they should be, if so, with what to do.
    pub fn checkpoint_trouble(&self) -> Option<Trouble> {
        let trouble = |reason, remedy| Some(Trouble { reason, remedy });
        let state = self.checkpoints.state();
        match self.damage(&state) {
            Some(Damage { why, is_served: true }) => {
                return trouble(
                    format!("the snapshot is damaged: {why}"),
                    Remedy::Snapshot.as_str(),
                );
            }
            Some(Damage { why, .. }) => {
                let failure =
                    state.failure.map(|why| format!("; the attempt at another failed: {why}"));
                let reason = format!(
                    "the last snapshot is damaged, no start can use it: {why}{}",
                    failure.unwrap_or_default()
                );
                let remedy = "do not stop the server before there is another: what was in it is still served, and a checkpoint is \
                              tried every 30 s, or at once by `larder checkpoint`";
                return trouble(reason, remedy);
            }
            None => {}
        }
        if let Some(why) = state.failure {
            let remedy = "see why, and mend it: a checkpoint is tried again every 30 s, and until one succeeds the log only grows";
            return trouble(format!("the last checkpoint failed: {why}"), remedy);
        }
        let late = self.checkpoints.every_ns.map(|every| every.saturating_mul(OVERDUE_INTERVALS));
        let waited_ns = self.clock.mono_ns().saturating_sub(state.last_ns);
        if late.is_none_or(|late| waited_ns <= late) || self.checkpoint_due().is_none() {
            return None;
        }
        let reason = format!("no checkpoint for {} s", waited_ns / 1_000_000_000);
        trouble(reason, "start one with `larder checkpoint` and look at the server's log")
    }

    /// Verifies up to `blocks` further blocks of the snapshot that is served from.
    ///
    /// # Errors
    /// [`Error::Storage`] names file and offset of damage.
    pub fn verify_step(&self, blocks: usize) -> Result<Verified, Error> {
        let snapshot = self.snapshot.lock().clone();
        let Some(snapshot) = snapshot else { return Ok(Verified::default()) };
        let progress = snapshot.verify(blocks)?;
        Ok(Verified { done: progress.done as u64, total: progress.total as u64 })
    }
}
