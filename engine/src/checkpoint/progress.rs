//! How checkpoints go: one at a time, how far the running one is, what became of the last.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stdx::sync::{Mutex, MutexGuard};
use storage::Lsn;

use crate::{Config, Error};

/// What a checkpoint or backup is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CheckpointPhase {
    /// A snapshot is written.
    #[default]
    Writing,
    /// The last snapshot, which is about to be copied, is verified.
    Verifying,
    /// Snapshot and log are copied into a backup.
    Copying,
}

impl fmt::Display for CheckpointPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Writing => "writing a snapshot",
            Self::Verifying => "verifying the last snapshot",
            Self::Copying => "copying a backup",
        })
    }
}

/// How far a checkpoint or backup is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckpointProgress {
    /// What goes on.
    pub phase: CheckpointPhase,
    /// Shards written.
    pub shards_done: usize,
    /// Shards there are.
    pub shards: usize,
    /// Entities written.
    pub entities: u64,
    /// Bytes of the snapshot so far: written, or verified in that phase.
    pub bytes: u64,
    /// Bytes of a backup copied so far, once the snapshot is finished.
    pub bytes_copied: u64,
}

/// A finished checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpointed {
    /// Number of its snapshot.
    pub number: u64,
    /// Every record up to this one is in it.
    pub lsn: Lsn,
    /// Entities of all groups.
    pub entities: u64,
    /// Length of the snapshot.
    pub bytes: u64,
    /// From its start to the removal of old files, in ms.
    pub took_ms: u64,
    /// Segments of the log that are no longer needed and were removed.
    pub segments_removed: u64,
    /// False: nothing was written since, so that this is the checkpoint there was.
    pub is_new: bool,
}

/// What became of checkpoints since the database was opened.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    turn: Mutex<()>,
    state: Mutex<State>,
    done_count: AtomicU64,
    failed_count: AtomicU64,
    stopped: AtomicBool,
    pub(super) every_ns: Option<u64>,
    pub(super) wal_bytes: Option<u64>,
}

/// What is known of the last checkpoints.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) running: Option<CheckpointProgress>,
    pub(crate) last: Option<Checkpointed>,
    /// When the last one ended well, or the database was opened, in ns of the monotonic clock.
    pub(crate) last_ns: u64,
    /// When the last one was tried.
    pub(crate) tried_ns: u64,
    /// Why the last one failed, until one succeeds.
    pub(crate) failure: Option<String>,
    /// The snapshot that was found damaged when somebody looked at its file again, and how. It says nothing once another counts.
    pub(crate) damaged: Option<(u64, String)>,
}

impl Checkpoints {
    /// Since `now_ns` there has been none.
    pub(crate) fn new(config: &Config, now_ns: u64) -> Self {
        let state = State { last_ns: now_ns, tried_ns: now_ns, ..State::default() };
        Self {
            state: Mutex::new(state),
            every_ns: config.checkpoint_every_ms.map(|ms| ms.saturating_mul(1_000_000)),
            wal_bytes: config.checkpoint_wal_bytes,
            ..Self::default()
        }
    }

    /// Waits until no checkpoint runs.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    /// None goes on from here.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Refuses when none may go on.
    ///
    /// # Errors
    /// [`storage::Error::Closed`].
    pub(crate) fn may_go_on(&self) -> Result<(), storage::Error> {
        if self.stopped.load(Ordering::Acquire) { Err(storage::Error::Closed) } else { Ok(()) }
    }

    /// The running one has come so far.
    pub(crate) fn at(&self, progress: CheckpointProgress) {
        self.state.lock().running = Some(progress);
    }

    /// Nobody may rely on the file of snapshot `number`.
    pub(super) fn note_damage(&self, number: u64, error: &Error) {
        let why = match error {
            // Its remedy is for those who are served from it.
            Error::Storage(storage::Error::Damaged { file, offset, why, .. }) => {
                format!("{file} at byte {offset}: {why}")
            }
            other => other.to_string(),
        };
        let mut state = self.state.lock();
        // The first that was found stands for all.
        if state.damaged.as_ref().is_none_or(|(damaged, _)| *damaged != number) {
            state.damaged = Some((number, why));
        }
    }

    /// One ended at `now_ns`.
    pub(crate) fn ended(&self, done: &Result<Checkpointed, Error>, now_ns: u64) {
        let mut state = self.state.lock();
        state.running = None;
        state.tried_ns = now_ns;
        match done {
            Ok(done) => {
                state.last = Some(*done);
                state.last_ns = now_ns;
                state.failure = None;
                self.done_count.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                state.failure = Some(error.to_string());
                self.failed_count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How far the running one is.
    pub(super) fn running(&self) -> CheckpointProgress {
        self.state.lock().running.unwrap_or_default()
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Those that ended well, and those that did not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.done_count.load(Ordering::Relaxed), self.failed_count.load(Ordering::Relaxed))
    }
}
