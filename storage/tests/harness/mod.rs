//! A log on a simulated disk, stepped by hand: no thread, no time.

use std::sync::Arc;

use stdx::clock::ManualClock;
use storage::{Error, Lsn, RecoveryReport, SyncPolicy, Wal, WalConfig, fs::SimFs};

/// Records of a log, in order: number, kind, payload.
pub(crate) type Records = Vec<(u64, u8, Vec<u8>)>;

/// Options of a log that a test steps.
pub(crate) fn config(sync: SyncPolicy) -> WalConfig {
    WalConfig { sync, segment_bytes: 8192, seed: 1, threaded: false, ..WalConfig::default() }
}

/// Opens the log of `fs` and returns what it replayed.
pub(crate) fn open(
    fs: &SimFs,
    config: &WalConfig,
) -> Result<(Wal<SimFs>, RecoveryReport, Records), Error> {
    let mut records = Vec::new();
    let clock = Arc::new(ManualClock::at(0));
    let (wal, report) =
        Wal::open(fs.clone(), config.clone(), clock, &mut |Lsn(lsn), kind, payload| {
            records.push((lsn, kind, payload.to_vec()));
            Ok(())
        })?;
    Ok((wal, report, records))
}
