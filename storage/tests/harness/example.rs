//! A small log: batches of one record each in the first segment, written while time stands still.

use std::sync::Arc;

use stdx::clock::ManualClock;
use storage::{Error, Vfs, Wal, WalConfig, fs::SimFs, wal::Work};

use crate::harness::{Opened, open_at};

/// Opens the log of `fs` and returns what it replayed.
pub(crate) fn open<V: Vfs>(fs: &V, config: &WalConfig) -> Result<Opened<V>, Error> {
    open_at(fs, config, Arc::new(ManualClock::at(0)))
}

/// Appends `payloads`, each as a batch of its own, written and (under `always`) synced.
pub(crate) fn append_each(wal: &Wal<SimFs>, payloads: &[&[u8]]) {
    for payload in payloads {
        wal.append(7, payload).expect("the log takes records");
        wal.step(Work::Write).expect("the disk works");
    }
}
