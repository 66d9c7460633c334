//! A log on a simulated disk, stepped by hand: no thread, and time that stands still unless a test moves it.

use std::sync::Arc;

use stdx::clock::Clock;
use storage::{Directory, Error, Lsn, RecoveryReport, SyncPolicy, Vfs, Wal, WalConfig};

/// Records of a log, in order: number, kind, payload.
pub(crate) type Records = Vec<(u64, u8, Vec<u8>)>;

/// A log just opened: with what recovery said and what it replayed.
pub(crate) type Opened<V> = (Wal<V>, RecoveryReport, Records);

/// Options of a log that a test steps.
pub(crate) fn config(sync: SyncPolicy) -> WalConfig {
    WalConfig { sync, segment_bytes: 8192, seed: 1, threaded: false, ..WalConfig::default() }
}

/// Opens the log of `fs` at `clock` and returns what it replayed.
pub(crate) fn open_at<V: Vfs>(
    fs: &V,
    config: &WalConfig,
    clock: Arc<dyn Clock>,
) -> Result<Opened<V>, Error> {
    let mut records = Vec::new();
    let directory = Directory::open(fs.clone(), config.seed)?;
    let (wal, report) =
        Wal::open(&directory, config.clone(), clock, &mut |Lsn(lsn), kind, payload| {
            records.push((lsn, kind, payload.to_vec()));
            Ok(())
        })?;
    Ok((wal, report, records))
}
