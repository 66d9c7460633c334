//! A cut: a second database that stands still at one moment of the one that goes on, for whoever reads all of it.
//!
//! ```text
//! what was appended is durable ─► the log behind the last checkpoint is short, else a checkpoint
//!     ─► [no checkpoint may end: snapshot opened, log copied into memory] ─► the same recovery as at a start, on a clock that stands
//! ```
//!
//! No lock of a shard is taken, so that nobody who reads or writes waits. What it costs: the log behind the last checkpoint in
//! memory, twice at most, and what it changed; everything else is served from the snapshot's file, mapped as it is.

use std::sync::Arc;

use stdx::clock::{Clock, ManualClock};
use storage::{SyncPolicy, Vfs, fs::OverlayFs};

use crate::{CheckpointProgress, Config, Database, Error};

/// More log than this is not copied into memory: a checkpoint shortens it first.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// Bytes of the segment that recovery begins in memory; nothing is written to it.
const SEGMENT_BYTES: u64 = 1 << 20;

impl<V: Vfs> Database<V> {
    /// A database with everything that was acknowledged before this was called, as of the newest record in it: nothing that is
    /// written here later shows there. Its clock stands at this moment. Nothing can be written to it that lasts; who is done with
    /// it drops it. `progress` is told of the checkpoint, if one has to be made.
    ///
    /// # Errors
    /// As [`Database::checkpoint`]; [`storage::Error::NoLog`] when there is no log to restore from.
    pub fn cut(
        &self,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<Database<OverlayFs<V>>, Error> {
        if self.wal.policy() == SyncPolicy::Memory {
            return Err(Error::Storage(storage::Error::NoLog));
        }
        self.wait_durable(self.wal.appended_lsn())?;
        // From memory, of which the file is a bad copy.
        if self.log_bytes() > LOG_BYTES_MAX || self.needs_checkpoint() {
            self.checkpoint(progress)?;
        }
        let view = {
            // A checkpoint would remove what the view is made of.
            let _one = self.checkpoints.turn();
            self.wal.view()?
        };
        // After the last record of the view: no event in it was accepted under a later now.
        let clock = Arc::new(ManualClock::at(self.clock.wall_ms()));
        open_still(view, clock)
    }

    /// The database in the directory of `vfs` as [`Database::cut`] gives it, on a clock that stands at `wall_ms`: no byte of the
    /// directory is changed. The caller holds the directory's lock.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_cut(vfs: V, wall_ms: i64) -> Result<Database<OverlayFs<V>>, Error> {
        open_still(OverlayFs::new(vfs), Arc::new(ManualClock::at(wall_ms)))
    }
}

fn open_still<V: Vfs>(
    view: OverlayFs<V>,
    clock: Arc<dyn Clock>,
) -> Result<Database<OverlayFs<V>>, Error> {
    let config = Config {
        // Of the log in memory: it is there at once.
        sync: SyncPolicy::Always,
        seed: 0,
        segment_bytes: SEGMENT_BYTES,
        checkpoint_every_ms: None,
        checkpoint_wal_bytes: None,
        memory_bytes_max: None,
        // Beside a server that answers: it takes one core at most.
        replay_threads: 1,
        ..Config::default()
    };
    Database::open_stepped(view, &config, clock)
}
