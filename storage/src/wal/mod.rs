//! The write-ahead log: append now, know later when it is safe.
//!
//! `group_commit` is the meeting point of writers and flusher, without files; `ticket` is what a writer waits on; `flusher`
//! writes, syncs, rotates and seals; `extent` knows how far; `recovery` opens what is there, `reader` judges its bytes, `walk` shows
//! them, `follow` reads on while the log goes on; `batch` and `segment` are the bytes; `sync_policy` says what an acknowledgement means.

pub(crate) mod batch;
#[cfg(test)]
mod every_bit;
mod extent;
mod flusher;
mod follow;
mod group_commit;
pub(crate) mod reader;
mod recovery;
pub(crate) mod segment;
mod sync_policy;
mod ticket;
pub(crate) mod walk;

use std::sync::{Arc, atomic::Ordering};

use stdx::{clock::Clock, histogram::Buckets, prng::Prng, sync::Mutex};

pub use extent::SegmentFile;
pub use follow::{LogReader, ReadOn, VisitRecord};
pub use group_commit::{GroupCommit, Taken, Work};
pub use sync_policy::{SyncLevel, SyncPolicy};
pub use ticket::{CommitTicket, Durable};
pub use walk::{BatchInfo, Piece, SegmentHeader, Verdict, Walked};

use crate::{Directory, Error, Lsn, Vfs, dir, fs::VFile};
use extent::Extent;
use flusher::{Figures, Flusher};
use reader::{AllRead, Replay};

/// Options of [`Wal::open`].
#[derive(Debug, Clone)]
pub struct WalConfig {
    /// When a write counts as done.
    pub sync: SyncPolicy,
    /// Space reserved for a segment, in bytes.
    pub segment_bytes: u64,
    /// Bytes that may wait to be written before writers are held back.
    pub buffer_bytes_max: usize,
    /// Longest record, in bytes.
    pub record_bytes_max: usize,
    /// Seed of the segments' salts.
    pub seed: u64,
    /// False: no thread is started, a simulation calls [`Wal::step`].
    pub threaded: bool,
}

impl Default for WalConfig {
    fn default() -> Self {
        Self {
            sync: SyncPolicy::Always,
            segment_bytes: 64 << 20,
            buffer_bytes_max: 16 << 20,
            record_bytes_max: 64 << 20,
            seed: 0,
            threaded: true,
        }
    }
}

/// What recovery found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Records replayed.
    pub records: u64,
    /// Segments read.
    pub segments: u64,
    /// The unfinished end that was cut off, if there was one.
    pub torn_tail: Option<TornTail>,
}

/// An unfinished end of the log: never acknowledged, cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: String,
    /// Where it began, in bytes.
    pub offset: u64,
    /// From there to the last byte that is not zero.
    pub bytes: u64,
    /// The newest record that was kept.
    pub last_lsn: Lsn,
}

/// Figures of the log since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WalStats {
    /// Bytes of batches written.
    pub bytes_written: u64,
    /// Those of them that were synced.
    pub bytes_durable: u64,
    /// Segments there are.
    pub segments: u64,
    /// Calls of fdatasync for batches.
    pub syncs: u64,
    /// Time in them, in ns.
    pub sync_ns_total: u64,
    /// The longest, in ns.
    pub sync_ns_max: u64,
}

/// An open log. Every method takes `&self`.
pub struct Wal<V: Vfs> {
    core: Arc<GroupCommit>,
    config: WalConfig,
    figures: Arc<Figures>,
    extent: Arc<Extent>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// The flusher of a log without a thread.
    stepped: Mutex<Option<Flusher<V>>>,
    directory: Arc<Directory<V>>,
}

impl<V: Vfs> Wal<V> {
    /// Gives every record of the log of `directory` to `replay`, and opens it for appending. Those that the snapshot holds come
    /// too, as far as their segments are there.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Unlisted`] and [`Error::UnsupportedFormat`] before anything was changed; [`Error::Replay`]
    /// with what `replay` said.
    pub fn open(
        directory: &Arc<Directory<V>>,
        config: WalConfig,
        clock: Arc<dyn Clock>,
        replay: &mut Replay<'_>,
    ) -> Result<(Self, RecoveryReport), Error> {
        Self::open_with(directory, config, clock, replay, &mut || Ok(()))
    }

    /// As [`Wal::open`], for a `replay` that takes records and does what they say later: `all_read` is called after the last one,
    /// before anything is changed, and says whether all were done.
    ///
    /// # Errors
    /// As [`Wal::open`].
    pub fn open_with(
        directory: &Arc<Directory<V>>,
        config: WalConfig,
        clock: Arc<dyn Clock>,
        replay: &mut Replay<'_>,
        all_read: &mut AllRead<'_>,
    ) -> Result<(Self, RecoveryReport), Error> {
        if config.sync == SyncPolicy::Memory {
            return Self::without_log(directory, config);
        }
        let (figures, extent) = (Arc::new(Figures::default()), Arc::new(Extent::default()));
        let mut prng = Prng::stream(config.seed, "wal");
        // The first two numbers named the database, if it is new.
        let _name = (prng.next_u64(), prng.next_u64());
        let recovered =
            recovery::recover(directory, &config, &mut prng, &extent, (replay, all_read))?;
        extent.synced();
        let core =
            Arc::new(GroupCommit::new(Lsn(recovered.position.last_lsn), config.buffer_bytes_max));
        let mut flusher = Flusher {
            synced_at_ns: clock.mono_ns(),
            core: Arc::clone(&core),
            config: config.clone(),
            clock,
            figures: Arc::clone(&figures),
            extent: Arc::clone(&extent),
            prng,
            position: recovered.position,
            segment: recovered.segment,
            next: None,
            full: false,
            unsealed: recovered.position.last_lsn > 0,
            directory: Arc::clone(directory),
        };
        flusher.look_ahead()?;
        let (mut thread, mut stepped) = (None, None);
        if config.threaded {
            let builder = std::thread::Builder::new().name("larder-flusher".to_owned());
            let started = builder.spawn(move || flusher.run());
            thread =
                Some(started.map_err(|error| Error::io("start", "the flusher's thread", error))?);
        } else {
            stepped = Some(flusher);
        }
        let (thread, stepped) = (Mutex::new(thread), Mutex::new(stepped));
        let directory = Arc::clone(directory);
        let wal = Self { core, config, figures, extent, thread, stepped, directory };
        Ok((wal, recovered.report))
    }

    /// About how many bytes [`Wal::open`] would read: what its segments hold other than space never written to.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn bytes_to_read(directory: &Directory<V>) -> Result<u64, Error> {
        let mut bytes = 0;
        for segment in &directory.listing().segments {
            let file = directory.vfs().open(&dir::segment(segment.first_lsn))?;
            let mut at = 0;
            while let Some(data) = file.data_from(at)? {
                bytes += data.end - data.start;
                at = data.end;
            }
        }
        Ok(bytes)
    }

    /// The log of a server without one: numbers are given, nothing is kept.
    fn without_log(
        directory: &Arc<Directory<V>>,
        config: WalConfig,
    ) -> Result<(Self, RecoveryReport), Error> {
        if let Some(first) = directory.listing().segments.first() {
            let file = directory.vfs().path(&dir::segment(first.first_lsn));
            return Err(Error::HasLog { file });
        }
        let core = Arc::new(GroupCommit::new(Lsn(0), config.buffer_bytes_max));
        let (figures, extent) = (Arc::new(Figures::default()), Arc::new(Extent::default()));
        let (thread, stepped) = (Mutex::new(None), Mutex::new(None));
        let directory = Arc::clone(directory);
        let wal = Self { core, config, figures, extent, thread, stepped, directory };
        Ok((wal, RecoveryReport::default()))
    }

    /// The directory that the log is in.
    pub fn directory(&self) -> &Arc<Directory<V>> {
        &self.directory
    }

    /// The segments that count, first to last, and how far each can be copied while the log goes on.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentFile> {
        self.extent.forget_before(self.directory.first_segment());
        self.extent.files()
    }

    /// Bytes of log behind the newest checkpoint: what a start has to replay.
    #[must_use]
    pub fn bytes_since_checkpoint(&self) -> u64 {
        self.bytes_since(self.directory.replay_from())
    }

    /// Bytes of batches that hold the records from `lsn` on: too many by some tens of KiB at most.
    #[must_use]
    pub fn bytes_since(&self, lsn: Lsn) -> u64 {
        self.extent.forget_before(self.directory.first_segment());
        self.extent.bytes_since(lsn)
    }

    /// Waits until there is room for a record of `bytes`. Call it before any lock is taken; [`Wal::append`] never waits.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Poisoned`], [`Error::Full`], [`Error::Closed`].
    pub fn reserve(&self, bytes: usize) -> Result<(), Error> {
        self.check_length(bytes)?;
        self.core.reserve()
    }

    fn check_length(&self, bytes: usize) -> Result<(), Error> {
        let max = self.config.record_bytes_max;
        if bytes > max { Err(Error::TooLarge { bytes, max }) } else { Ok(()) }
    }

    /// Appends a record and returns its number. Not safe yet: see [`Wal::ticket`].
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Poisoned`], [`Error::Closed`]: it was not appended.
    pub fn append(&self, kind: u8, payload: &[u8]) -> Result<Lsn, Error> {
        self.check_length(payload.len())?;
        if self.config.sync == SyncPolicy::Memory {
            return Ok(self.core.append_nowhere());
        }
        self.core.append(kind, payload)
    }

    /// A promise about `lsn`: the policy's, or `more` than that.
    #[must_use]
    pub fn ticket(&self, lsn: Lsn, more: Option<SyncLevel>) -> CommitTicket {
        let own = self.config.sync.level();
        let asked = more.map_or(own, |more| more.max(own));
        let level = (own != SyncLevel::Memory || asked == own).then_some(asked);
        CommitTicket::new(Arc::clone(&self.core), lsn, level)
    }

    /// The sync policy.
    #[must_use]
    pub fn policy(&self) -> SyncPolicy {
        self.config.sync
    }

    /// Newest record appended.
    #[must_use]
    pub fn appended_lsn(&self) -> Lsn {
        self.core.positions().0
    }

    /// Newest record handed to the operating system: it survives this process.
    #[must_use]
    pub fn written_lsn(&self) -> Lsn {
        self.core.positions().1
    }

    /// Newest record known to be on the disk.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.core.positions().2
    }

    /// Why nothing is acknowledged any more, if so.
    #[must_use]
    pub fn poisoned(&self) -> Option<std::sync::Arc<str>> {
        self.core.poisoned()
    }

    /// Acknowledges nothing any more, because of `why`: what is in memory is not what the log says. The first reason stays.
    pub fn poison(&self, why: &str) {
        self.core.poison(why);
    }

    /// Why writes are refused just now, if so.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        self.core.refusal()
    }

    /// Figures since the log was opened.
    #[must_use]
    pub fn stats(&self) -> WalStats {
        let read = |figure: &stdx::sync::atomic::AtomicU64| figure.load(Ordering::Relaxed);
        let figures = &self.figures;
        WalStats {
            bytes_written: read(&figures.bytes_written),
            bytes_durable: read(&figures.bytes_durable),
            segments: self.segments().len() as u64,
            syncs: read(&figures.syncs),
            sync_ns_total: read(&figures.sync_ns_total),
            sync_ns_max: read(&figures.sync_ns_max),
        }
    }

    /// How long each sync of a batch took, in ns, and how many records each batch had, since the log was opened.
    #[must_use]
    pub fn histograms(&self) -> (Buckets, Buckets) {
        (self.figures.sync_ns.read(), self.figures.batch_records.read())
    }

    /// Does one piece of the flusher's work: for logs opened without a thread. An abandoned log does nothing any more.
    ///
    /// # Errors
    /// What the write or sync said; the log is poisoned then, unless the disk was merely full.
    pub fn step(&self, work: Work) -> Result<(), Error> {
        let mut stepped = self.stepped.lock();
        let Some(flusher) = stepped.as_mut() else { return Ok(()) };
        if let Some(why) = self.poisoned() {
            return Err(Error::Poisoned(why));
        }
        if self.core.is_abandoned() {
            return Ok(());
        }
        flusher.step(work).map(drop).inspect_err(|error| {
            if !matches!(error, Error::Full(_)) {
                self.core.poison(&error.to_string());
            }
        })
    }

    /// The flusher's whole work in the calling thread, until the log is closed: models start threads of their own.
    #[cfg(loom)]
    pub fn run(&self) {
        let flusher = self.stepped.lock().take();
        flusher.into_iter().for_each(Flusher::run);
    }

    /// Takes no more records, writes and syncs what there is, seals the log.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when that failed.
    pub fn close(&self) -> Result<(), Error> {
        self.core.close();
        self.join();
        if self.stepped.lock().is_some() && self.poisoned().is_none() {
            self.step(Work::Write)?;
            self.step(Work::Close)?;
        }
        self.poisoned().map_or(Ok(()), |why| Err(Error::Poisoned(why)))
    }

    /// Stops as a killed process does: nothing more is written, not even what waits in the buffer.
    pub fn abandon(&self) {
        self.core.abandon();
        self.join();
    }

    fn join(&self) {
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            self.core.poison("the flusher's thread panicked");
        }
    }
}

impl<V: Vfs> Drop for Wal<V> {
    fn drop(&mut self) {
        // Whoever wants to know whether it worked has called `close` before.
        let _ = self.close();
    }
}
