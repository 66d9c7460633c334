//! The side of the log that touches files: writes a batch, syncs, rotates, seals.
//!
//! Only one thread is ever here: the flusher, or a simulation that steps it by hand.

use std::time::Duration;

use stdx::{
    clock::Clock,
    prng::Prng,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    WalConfig, batch,
    group_commit::{GroupCommit, Taken, Work},
    reader::Position,
    segment::{self, BATCHES_AT, Header},
    sync_policy::{INTERVAL_MS, SyncPolicy},
};
use crate::{Error, Vfs, fs::VFile};

/// After so long without a write the last batch gets a seal behind it.
const SEAL_AFTER: Duration = Duration::from_millis(100);
/// A full disk is tried again after so long.
const FULL_RETRY: Duration = Duration::from_millis(500);

/// Figures of the log.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) bytes_written: AtomicU64,
    pub(crate) segments: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) sync_ns_total: AtomicU64,
    pub(crate) sync_ns_max: AtomicU64,
}

/// The open segment.
#[derive(Debug)]
pub(crate) struct OpenSegment<F> {
    pub(crate) file: F,
    pub(crate) salt: u64,
    /// The first record it is for.
    pub(crate) first_lsn: u64,
    /// Where the next batch goes, in bytes.
    pub(crate) end: u64,
    /// Bytes reserved.
    pub(crate) bytes: u64,
}

/// See the module.
pub(crate) struct Flusher<V: Vfs> {
    pub(crate) vfs: V,
    pub(crate) core: Arc<GroupCommit>,
    pub(crate) config: WalConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) prng: Prng,
    pub(crate) cluster: u128,
    pub(crate) position: Position,
    pub(crate) segment: OpenSegment<V::File>,
    /// The last batch has no seal behind it yet.
    pub(crate) unsealed: bool,
    /// Time of the last sync, in ns of the monotonic clock.
    pub(crate) synced_at_ns: u64,
}

impl<V: Vfs> Flusher<V> {
    /// Works until the log is closed, abandoned or poisoned.
    pub(crate) fn run(mut self) {
        let mut patience = SEAL_AFTER;
        loop {
            let work = self.core.wait_for_work(patience);
            match self.step(work) {
                Ok(true) => patience = self.patience(),
                Ok(false) => return,
                Err(Error::Full(_)) => patience = FULL_RETRY,
                // Never retried: after a failed write or sync nobody knows what is on the disk.
                Err(error) => self.core.poison(&error.to_string()),
            }
        }
    }

    /// Does `work`; false when there is nothing to come after it.
    pub(crate) fn step(&mut self, work: Work) -> Result<bool, Error> {
        match work {
            Work::Write => {
                if let Some(taken) = self.core.take() {
                    self.write(taken)?;
                }
                self.sync_if_due()?;
            }
            Work::Sync => self.sync()?,
            Work::Idle => {
                self.sync_if_due()?;
                self.seal()?;
            }
            Work::Close => {
                self.sync()?;
                self.seal()?;
                return Ok(false);
            }
            Work::Stop => return Ok(false),
        }
        Ok(true)
    }

    fn patience(&self) -> Duration {
        if self.config.sync == SyncPolicy::Interval && self.has_unsynced() {
            return Duration::from_millis(INTERVAL_MS);
        }
        // Sealed, or never to be synced by us: nothing will be due until somebody appends or asks.
        let seals = self.unsealed && self.config.sync != SyncPolicy::Os;
        if seals { SEAL_AFTER } else { Duration::from_secs(3600) }
    }

    fn has_unsynced(&self) -> bool {
        let (_, written, durable) = self.core.positions();
        written > durable
    }

    fn write(&mut self, taken: Taken) -> Result<(), Error> {
        let needed = (batch::HEADER_BYTES + taken.records.len()) as u64;
        if self.segment.end + needed > self.segment.bytes
            && let Err(error) = self.rotate(needed)
        {
            if let Error::Full(file) = &error {
                self.core.put_back(taken, file.clone());
            }
            return Err(error);
        }
        let head = batch::Head {
            salt: self.segment.salt,
            first_lsn: taken.first_lsn,
            count: taken.count,
            durable_before: taken.durable_before,
            previous: self.position.previous,
        };
        self.append(&head, &taken.records)?;
        let last = taken.first_lsn + u64::from(taken.count) - 1;
        self.position.last_lsn = last;
        self.unsealed = true;
        self.core.wrote(last);
        Ok(())
    }

    fn append(&mut self, head: &batch::Head, records: &[u8]) -> Result<(), Error> {
        let (bytes, checksum) = batch::encode(head, records);
        // The space is reserved: a full disk here is a broken promise of the file system, hence a failed write.
        self.segment.file.write_at(self.segment.end, &bytes).map_err(|error| match error {
            Error::Full(file) => Error::io("write", file, std::io::ErrorKind::WriteZero.into()),
            other => other,
        })?;
        self.segment.end += bytes.len() as u64;
        self.position.previous = checksum;
        self.figures.bytes_written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn sync_if_due(&mut self) -> Result<(), Error> {
        let due = match self.config.sync {
            SyncPolicy::Always => true,
            SyncPolicy::Interval => {
                self.clock.mono_ns().saturating_sub(self.synced_at_ns) >= INTERVAL_MS * 1_000_000
            }
            SyncPolicy::Os | SyncPolicy::Memory => false,
        };
        if due || self.core.wants_sync() { self.sync() } else { Ok(()) }
    }

    /// Syncs what is written and says so.
    fn sync(&mut self) -> Result<(), Error> {
        if !self.has_unsynced() {
            return Ok(());
        }
        let start = self.clock.mono_ns();
        self.segment.file.sync_data()?;
        self.synced_at_ns = self.clock.mono_ns();
        let took = self.synced_at_ns.saturating_sub(start);
        self.figures.syncs.fetch_add(1, Ordering::Relaxed);
        self.figures.sync_ns_total.fetch_add(took, Ordering::Relaxed);
        self.figures.sync_ns_max.fetch_max(took, Ordering::Relaxed);
        self.core.synced(self.position.last_lsn);
        Ok(())
    }

    /// Writes an empty batch behind the last one once that is synced, so that damage to it too is told from a torn tail.
    fn seal(&mut self) -> Result<(), Error> {
        if self.has_unsynced() {
            return Ok(());
        }
        let fits = self.segment.end + batch::HEADER_BYTES as u64 <= self.segment.bytes;
        if !self.unsealed || !fits {
            self.unsealed = false;
            return Ok(());
        }
        let (_, _, durable) = self.core.positions();
        let head = batch::Head {
            salt: self.segment.salt,
            first_lsn: self.position.last_lsn + 1,
            count: 0,
            durable_before: durable.0,
            previous: self.position.previous,
        };
        self.append(&head, &[])?;
        self.segment.file.sync_data()?;
        self.unsealed = false;
        Ok(())
    }

    /// Goes on in a new segment with room for a batch of `needed` bytes.
    fn rotate(&mut self, needed: u64) -> Result<(), Error> {
        if self.segment.first_lsn > self.position.last_lsn {
            // It holds no record yet: a batch too large for it makes it larger.
            let bytes = self.segment.end + needed;
            self.segment.file.cut(self.segment.end, bytes)?;
            self.segment.bytes = bytes;
            return Ok(());
        }
        // The old segment is whole on the disk before the new one exists: damage in it is never a torn tail.
        self.segment.file.sync_data()?;
        self.core.synced(self.position.last_lsn);
        let bytes = self.config.segment_bytes.max(BATCHES_AT as u64 + needed);
        let header = Header {
            cluster: self.cluster,
            salt: self.prng.next_u64(),
            first_lsn: self.position.last_lsn + 1,
            previous: self.position.previous,
        };
        self.segment = create(&self.vfs, &header, bytes)?;
        self.position.previous = header.checksum();
        self.figures.segments.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Makes a segment, its header and name synced.
pub(crate) fn create<V: Vfs>(
    vfs: &V,
    header: &Header,
    bytes: u64,
) -> Result<OpenSegment<V::File>, Error> {
    let name = segment::name(header.first_lsn);
    let file = vfs.create_new(&name, bytes)?;
    file.write_at(0, &header.encode())?;
    file.sync_data()?;
    vfs.sync_dir()?;
    let (salt, first_lsn) = (header.salt, header.first_lsn);
    Ok(OpenSegment { file, salt, first_lsn, end: BATCHES_AT as u64, bytes })
}
