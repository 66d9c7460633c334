//! A backup: a consistent copy of everything in another directory, while the database is in use.

use storage::{
    Vfs,
    snapshot::{Snapshot, SnapshotRef},
};

use super::{CheckpointPhase, CheckpointProgress, Checkpointed};
use crate::{Database, Error, StorageError, shard::SHARD_COUNT};

/// Bytes of a block of a snapshot (docs/formats/snapshot.md).
const BLOCK_BYTES: u64 = 64 << 10;
/// Blocks that are verified in one step.
const VERIFY_BLOCKS: usize = 64;

/// A finished backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// The checkpoint that it begins with: every record up to its LSN is in the copy, and maybe some more.
    pub checkpoint: Checkpointed,
    /// Files of the copy.
    pub files: u64,
    /// Bytes of the copy.
    pub bytes: u64,
}

impl<V: Vfs> Database<V> {
    /// Makes a checkpoint, then copies the snapshot and the log behind it into `target`, an empty directory: a database of its own
    /// that starts with what was acknowledged when this was called. A snapshot from before is verified again first; when it is
    /// damaged, another one is made. `progress` is told of every 4 MiB that are verified and of each MiB that is copied, too;
    /// [`Database::stop_checkpoints`] ends it there.
    ///
    /// # Errors
    /// As [`Database::checkpoint`], and those of the target, which is empty again then: [`storage::Error::Full`] already when the
    /// copy would not leave the log the space of two segments.
    pub fn backup(
        &self,
        target: &V,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<BackedUp, Error> {
        loop {
            let checkpoint = self.checkpoint(progress)?;
            // The next checkpoint would remove what is being verified and copied.
            let _one = self.checkpoints.turn();
            // What was found damaged is known from here on, so that the next checkpoint writes, or says why it cannot.
            if checkpoint.is_new || self.is_whole(&checkpoint, progress)? {
                return self.copy(checkpoint, target, progress);
            }
        }
    }

    fn copy(
        &self,
        checkpoint: Checkpointed,
        target: &V,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<BackedUp, Error> {
        let mut now = at(&checkpoint, CheckpointPhase::Copying);
        let kept_free = super::KEPT_FREE_SEGMENTS * self.segment_bytes;
        let (files, bytes) = self.wal.copy_to(target, kept_free, &mut |bytes| {
            now.bytes_copied += bytes;
            progress(now);
            self.checkpoints.may_go_on()
        })?;
        Ok(BackedUp { checkpoint, files, bytes })
    }

    /// Verifies every block of the snapshot: one that was written long ago may be damaged by now, and a copy of damage is no backup.
    /// All that is found is remembered against it.
    fn is_whole(
        &self,
        checkpoint: &Checkpointed,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<bool, Error> {
        let directory = &self.directory;
        let Some(reference) = directory.snapshot() else { return Ok(true) };
        let snapshot = match Snapshot::open(directory.vfs(), &reference, directory.cluster()) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::error!(%error, "the last snapshot cannot be read: another one is tried");
                self.note_damage(&reference, error);
                return Ok(false);
            }
        };
        let (mut now, mut is_whole) = (at(checkpoint, CheckpointPhase::Verifying), true);
        loop {
            match snapshot.verify(VERIFY_BLOCKS) {
                Ok(verified) if verified.done >= verified.total => return Ok(is_whole),
                Ok(verified) => now.bytes = verified.done as u64 * BLOCK_BYTES,
                Err(error) => {
                    if is_whole {
                        tracing::error!(%error, "the last snapshot is damaged: another one is tried");
                    }
                    is_whole = false;
                    self.note_damage(&reference, error);
                }
            }
            progress(now);
            self.checkpoints.may_go_on()?;
        }
    }

    /// Remembers what was found against the snapshot: no checkpoint copies it, and nobody is served from what is damaged.
    fn note_damage(&self, reference: &SnapshotRef, error: StorageError) {
        let served = self.snapshot.lock().clone();
        let served = served.filter(|served| served.number() == reference.number);
        if let (Some(served), StorageError::Damaged { offset, why, .. }) = (served, &error) {
            served.revoke(*offset, why);
        }
        self.checkpoints.note_damage(reference.number, &Error::Storage(error));
    }
}

/// The progress of what comes once `checkpoint` was made.
fn at(checkpoint: &Checkpointed, phase: CheckpointPhase) -> CheckpointProgress {
    let (shards, entities) = (SHARD_COUNT, checkpoint.entities);
    let bytes = if phase == CheckpointPhase::Copying { checkpoint.bytes } else { 0 };
    CheckpointProgress { phase, shards_done: shards, shards, entities, bytes, bytes_copied: 0 }
}
