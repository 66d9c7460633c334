//! A backup: a consistent copy of everything in another directory, while the database is in use.

use storage::Vfs;

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
    /// that starts with what was acknowledged when this was called.
    ///
    /// # Errors
    /// As [`Database::checkpoint`], and those of the target.
    pub fn backup(
        &self,
        target: &V,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<BackedUp, Error> {
        let checkpoint = self.checkpoint(progress)?;
        // The next checkpoint would remove what is being copied.
        let _one = self.checkpoints.turn();
        let (files, bytes) = self.wal.copy_to(target)?;
        Ok(BackedUp { checkpoint, files, bytes })
    }
}
