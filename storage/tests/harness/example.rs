//! A small log: batches of one record each in the first segment.

use storage::{Wal, fs::SimFs, wal::Work};

/// Appends `payloads`, each as a batch of its own, written and (under `always`) synced.
pub(crate) fn append_each(wal: &Wal<SimFs>, payloads: &[&[u8]]) {
    for payload in payloads {
        wal.append(7, payload).expect("the log takes records");
        wal.step(Work::Write).expect("the disk works");
    }
}
