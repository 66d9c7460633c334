//! A backup: a consistent copy of everything in another directory, while the database is in use.

use storage::{Vfs, snapshot::Snapshot};

use super::{CheckpointProgress, Checkpointed};
use crate::{Database, Error};

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
    /// that starts with what was acknowledged when this was called. `progress` is told of each MiB that is copied, too;
    /// [`Database::stop_checkpoints`] ends it there.
    ///
    /// # Errors
    /// As [`Database::checkpoint`], and those of the target, which is empty again then.
    pub fn backup(
        &self,
        target: &V,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<BackedUp, Error> {
        let checkpoint = self.checkpoint(progress)?;
        // The next checkpoint would remove what is being copied.
        let _one = self.checkpoints.turn();
        if !checkpoint.is_new {
            self.verify_again(progress)?;
        }
        let mut now = CheckpointProgress::default();
        let (files, bytes) = self.wal.copy_to(target, &mut |bytes| {
            now.bytes_copied += bytes;
            progress(now);
            self.checkpoints.may_go_on()
        })?;
        Ok(BackedUp { checkpoint, files, bytes })
    }

    /// Verifies every block of the snapshot: one that was written long ago may be damaged by now, and a copy of damage is no backup.
    fn verify_again(&self, progress: &mut dyn FnMut(CheckpointProgress)) -> Result<(), Error> {
        const BLOCKS: usize = 64;
        let directory = &self.directory;
        let Some(reference) = directory.snapshot() else { return Ok(()) };
        let snapshot = Snapshot::open(directory.vfs(), &reference, directory.cluster())?;
        loop {
            let verified = snapshot.verify(BLOCKS)?;
            if verified.done >= verified.total {
                return Ok(());
            }
            progress(CheckpointProgress::default());
            self.checkpoints.may_go_on()?;
        }
    }
}
