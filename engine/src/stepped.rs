//! A database whose log has no thread: whoever simulates it writes and syncs by hand, through [`Database::wal`].
//!
//! Everything else is as with a thread. So what a simulation finds, it finds in the code that is served from.

use std::sync::Arc;

use stdx::clock::Clock;
use storage::{Lsn, SyncLevel, Vfs, WalConfig, wal::Work};

use crate::{Config, Database, Error};

impl<V: Vfs> Database<V> {
    /// As [`Database::open`], without the log's thread: nothing is written but by [`storage::Wal::step`], [`Database::checkpoint`]
    /// and [`Database::close`].
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_stepped(vfs: V, config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let wal = WalConfig { threaded: false, ..config.wal() };
        crate::restore::open(vfs, config, wal, clock)
    }

    /// Waits until everything up to `lsn` is on the disk; a log without a thread is brought there.
    ///
    /// # Errors
    /// [`Error::Storage`] when the log failed or its disk is full.
    pub(crate) fn wait_durable(&self, lsn: Lsn) -> Result<(), Error> {
        if self.wal.durable_lsn() < lsn {
            // Nothing is done where there is a thread that does it.
            self.wal.step(Work::Write)?;
            self.wal.step(Work::Sync)?;
        }
        self.wal.ticket(lsn, Some(SyncLevel::Durable)).wait_unless_full()?;
        Ok(())
    }
}
