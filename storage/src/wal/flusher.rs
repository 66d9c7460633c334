//! The side of the log that touches files: writes a batch, syncs, rotates, seals.
//!
//! Only one thread is ever here: the flusher, or a simulation that steps it by hand.

use std::sync::Arc;
use std::time::Duration;

use stdx::{
    clock::Clock,
    histogram::{COUNTS, DURATIONS_NS, Histogram},
    mutant::{Mutant, is_planted},
    prng::Prng,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    WalConfig, batch,
    extent::Extent,
    group_commit::{GroupCommit, Taken, Work},
    reader::Position,
    segment::{BATCHES_AT, Header},
    sync_policy::{INTERVAL_MS, SyncPolicy},
};
use crate::{Directory, Error, Vfs, dir::NEXT_SEGMENT, fs::VFile, manifest::ListedSegment};

/// After so long without a write the last batch gets a seal behind it.
const SEAL_AFTER: Duration = Duration::from_millis(100);
/// Bytes of a seal: a batch without records.
const SEAL_BYTES: u64 = batch::HEADER_BYTES as u64;
/// A full disk is tried again after so long.
const FULL_RETRY: Duration = Duration::from_millis(500);

/// Figures of the log. Only the flusher writes them.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) bytes_written: AtomicU64,
    /// Those of them that were synced.
    pub(crate) bytes_durable: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) sync_ns_total: AtomicU64,
    pub(crate) sync_ns_max: AtomicU64,
    /// How long each sync took, in ns.
    pub(crate) sync_ns: Histogram<{ DURATIONS_NS.len() }>,
    /// Records of each batch.
    pub(crate) batch_records: Histogram<{ COUNTS.len() }>,
}

impl Default for Figures {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            bytes_written: zero(),
            bytes_durable: zero(),
            syncs: zero(),
            sync_ns_total: zero(),
            sync_ns_max: zero(),
            sync_ns: Histogram::new(&DURATIONS_NS),
            batch_records: Histogram::new(&COUNTS),
        }
    }
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

/// Space for a segment that is not one yet.
#[derive(Debug)]
pub(crate) struct Space<F> {
    file: F,
    bytes: u64,
}

/// See the module.
pub(crate) struct Flusher<V: Vfs> {
    pub(crate) directory: Arc<Directory<V>>,
    pub(crate) core: Arc<GroupCommit>,
    pub(crate) config: WalConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) extent: Arc<Extent>,
    pub(crate) prng: Prng,
    pub(crate) position: Position,
    pub(crate) segment: OpenSegment<V::File>,
    /// Space for the segment after it, reserved once it is half full.
    pub(crate) next: Option<Space<V::File>>,
    /// The disk is too full for that: writers are being refused.
    pub(crate) full: bool,
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
                Err(Error::Full(_)) if !self.core.is_closing() => patience = FULL_RETRY,
                // Never retried: after a failed write or sync nobody knows what is on the disk. Nor does a log that is
                // being closed wait for space: whoever waits for its last records is told that they are not safe.
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
                // The log is whole without it: only damage to its end would be harder to tell.
                let _ = self.directory.write_durable();
                return Ok(false);
            }
            Work::Stop => return Ok(false),
        }
        // Only now: nobody's acknowledgement waits for it.
        self.look_ahead()?;
        Ok(true)
    }

    fn patience(&self) -> Duration {
        if self.config.sync == SyncPolicy::Interval && self.has_unsynced() {
            return Duration::from_millis(INTERVAL_MS);
        }
        if self.full {
            return FULL_RETRY;
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
        // Behind every batch there is room for its seal.
        let needed = (batch::HEADER_BYTES + taken.records.len()) as u64 + SEAL_BYTES;
        if self.segment.end + needed > self.segment.bytes
            && let Err(error) = self.rotate(needed)
        {
            if let Error::Full(why) = &error {
                self.full = true;
                self.core.put_back(taken, why);
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
        self.figures.batch_records.record(taken.count.into());
        let last = taken.first_lsn + u64::from(taken.count) - 1;
        self.position.last_lsn = last;
        self.unsealed = true;
        self.core.wrote(last);
        Ok(())
    }

    fn append(&mut self, head: &batch::Head, records: &[u8]) -> Result<(), Error> {
        let (bytes, checksum) = batch::encode(head, records);
        self.segment.file.write_at(self.segment.end, &bytes).map_err(broken_promise)?;
        self.segment.end += bytes.len() as u64;
        let next_lsn = head.first_lsn + u64::from(head.count);
        self.extent.wrote(head.first_lsn, next_lsn, self.segment.end);
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
        if is_planted(Mutant::AcknowledgeBeforeSync) {
            self.core.synced(self.position.last_lsn);
        }
        let start = self.clock.mono_ns();
        let mut synced = self.segment.file.sync_data();
        if synced.is_err() && is_planted(Mutant::RetryFailedSync) {
            synced = self.segment.file.sync_data();
        }
        synced?;
        self.extent.synced();
        self.synced_at_ns = self.clock.mono_ns();
        let took = self.synced_at_ns.saturating_sub(start);
        self.figures.syncs.fetch_add(1, Ordering::Relaxed);
        self.figures.sync_ns_total.fetch_add(took, Ordering::Relaxed);
        self.figures.sync_ns_max.fetch_max(took, Ordering::Relaxed);
        self.figures.sync_ns.record(took);
        let written = self.figures.bytes_written.load(Ordering::Relaxed);
        self.figures.bytes_durable.store(written, Ordering::Relaxed);
        self.directory.note_durable(self.position.last_lsn);
        self.core.synced(self.position.last_lsn);
        Ok(())
    }

    /// Writes an empty batch behind the last one once that is synced, so that damage to it too is told from a torn tail.
    fn seal(&mut self) -> Result<(), Error> {
        if self.has_unsynced() {
            return Ok(());
        }
        // Each start writes a seal too: without room for one more, there is one already.
        let fits = self.segment.end + SEAL_BYTES <= self.segment.bytes;
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
        self.extent.synced();
        self.unsealed = false;
        Ok(())
    }

    /// Goes on in a new segment with room for `needed` bytes.
    fn rotate(&mut self, needed: u64) -> Result<(), Error> {
        if self.segment.first_lsn > self.position.last_lsn {
            // It holds no record yet: a batch too large for it makes it larger.
            let bytes = self.segment.end + needed;
            let reserved = self.segment.file.reserve(bytes);
            reserved.map_err(|error| explain_full(self.directory.vfs(), error, bytes))?;
            self.segment.bytes = bytes;
            return Ok(());
        }
        // The old segment is whole on the disk before the new one exists: damage in it is never a torn tail.
        self.sync()?;
        let bytes = self.config.segment_bytes.max(BATCHES_AT as u64 + needed);
        let space = match &mut self.next {
            Some(space) => space,
            none => none.insert(reserve(self.directory.vfs(), bytes)?),
        };
        if space.bytes < bytes {
            let reserved = space.file.reserve(bytes);
            reserved.map_err(|error| explain_full(self.directory.vfs(), error, bytes))?;
            space.bytes = bytes;
        }
        let header = Header {
            cluster: self.directory.cluster(),
            salt: self.prng.next_u64(),
            first_lsn: self.position.last_lsn + 1,
            previous: self.position.previous,
        };
        self.segment = begin(&self.directory, &header, &mut self.next)?;
        self.position.previous = header.checksum();
        self.extent.begin(header.first_lsn);
        Ok(())
    }

    /// Has the next segment's space before the open one is full. Without it writers are refused while there is still room for
    /// what they were promised, until the space is there.
    pub(crate) fn look_ahead(&mut self) -> Result<(), Error> {
        if self.next.is_none() && self.segment.end > self.segment.bytes / 2 {
            match reserve(self.directory.vfs(), self.config.segment_bytes) {
                Ok(space) => self.next = Some(space),
                Err(Error::Full(why)) => {
                    self.full = true;
                    self.core.refuse_more(&why);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        if self.full {
            self.full = false;
            self.core.space_returned();
        }
        Ok(())
    }
}

/// Space for a segment, under a name that means nothing yet.
pub(crate) fn reserve<V: Vfs>(vfs: &V, bytes: u64) -> Result<Space<V::File>, Error> {
    let bytes = bytes.max(BATCHES_AT as u64);
    match vfs.create_new(NEXT_SEGMENT, bytes) {
        Ok(file) => Ok(Space { file, bytes }),
        Err(error) => Err(explain_full(vfs, error, bytes)),
    }
}

/// Makes `next` the segment of `header`. It gets its name when the header is on the disk, so that a segment has one, and is
/// listed before the first batch. A full disk leaves `next` as it is.
pub(crate) fn begin<V: Vfs>(
    directory: &Directory<V>,
    header: &Header,
    next: &mut Option<Space<V::File>>,
) -> Result<OpenSegment<V::File>, Error> {
    let Some(space) = next.take() else { return Err(Error::Full(NEXT_SEGMENT.to_owned())) };
    space.file.write_at(0, &header.encode()).map_err(broken_promise)?;
    space.file.sync_data()?;
    let (salt, first_lsn) = (header.salt, header.first_lsn);
    if let Err(error) = directory.add_segment(ListedSegment { first_lsn, bytes_min: space.bytes }) {
        *next = Some(space);
        return Err(error);
    }
    let Space { file, bytes } = space;
    Ok(OpenSegment { file, salt, first_lsn, end: BATCHES_AT as u64, bytes })
}

/// The space was reserved: a full disk is then a broken promise of the file system, hence a failed write.
fn broken_promise(error: Error) -> Error {
    match error {
        Error::Full(file) => Error::io("write", file, std::io::ErrorKind::WriteZero.into()),
        other => other,
    }
}

/// Says how much is missing.
fn explain_full<V: Vfs>(vfs: &V, error: Error, bytes: u64) -> Error {
    match (error, vfs.free_bytes()) {
        (Error::Full(file), Ok(free)) => {
            Error::Full(format!("{file} needs {bytes} bytes, {free} are free"))
        }
        (error, _) => error,
    }
}
