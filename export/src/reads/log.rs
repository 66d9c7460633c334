//! Writes logged reads: samples wait until the log is on the disk, then go into files that roll over.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Lsn;
use model::definition::History;

use super::layout::ReadLayout;
use super::sample::{ReadSample, batch};
use super::{DIRECTORY, names, retain};
use crate::Error;
use crate::file::{FileFormat, TableWriter};

/// Between two looks for files that are too old, in ms.
const LOOK_MS: i64 = 60_000;

/// When files are closed, at whichever comes first, and how much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLogLimits {
    /// Vectors of a file.
    pub rows: u64,
    /// Bytes of a file.
    pub bytes: u64,
    /// So long after its first read, in ms.
    pub age_ms: i64,
    /// Bytes of samples that wait for the log; more are dropped.
    pub waiting_bytes: usize,
    /// Vectors of a service that are written at once, and their bytes: so much of each is in memory.
    pub batch_rows: usize,
    /// See [`ReadLogLimits::batch_rows`].
    pub batch_bytes: usize,
}

impl Default for ReadLogLimits {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            bytes: 64 << 20,
            age_ms: 60_000,
            waiting_bytes: 64 << 20,
            batch_rows: 4096,
            batch_bytes: 4 << 20,
        }
    }
}

/// What became of vectors that were to be logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadLogCounts {
    /// Vectors in files.
    pub logged: u64,
    /// Vectors that were lost: too many waited, or their file could not be written.
    pub dropped: u64,
}

/// See the module. Dropped without [`ReadLog::close`], what is not in a finished file is lost.
pub struct ReadLog {
    root: PathBuf,
    limits: ReadLogLimits,
    waiting: VecDeque<ReadSample>,
    waiting_bytes: usize,
    open: BTreeMap<String, OpenFile>,
    counts: ReadLogCounts,
    has_room: bool,
    /// When it was looked last for files that are too old.
    looked_ms: Option<i64>,
}

/// A file on its way, with what has not gone into it yet.
struct OpenFile {
    layout: Arc<ReadLayout>,
    folder: PathBuf,
    writer: Option<TableWriter>,
    ready: Vec<ReadSample>,
    ready_rows: usize,
    ready_bytes: usize,
    first_ms: i64,
}

impl ReadLog {
    /// Goes on with the log of reads in the history directory `history`; what a process left unfinished is removed.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(history: &Path, limits: ReadLogLimits) -> Result<Self, Error> {
        let root = history.join(DIRECTORY);
        names::clear_unfinished(&root)?;
        let (waiting, open) = (VecDeque::new(), BTreeMap::new());
        let (counts, has_room, looked_ms) = (ReadLogCounts::default(), true, None);
        Ok(Self { root, limits, waiting, waiting_bytes: 0, open, counts, has_room, looked_ms })
    }

    /// What became of the vectors so far.
    #[must_use]
    pub fn counts(&self) -> ReadLogCounts {
        self.counts
    }

    /// True when nothing waits and no file is open.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.open.is_empty()
    }

    /// Takes vectors that were read. They wait for the log; where too much waits already, or there is no room, they are dropped.
    pub fn offer(&mut self, sample: ReadSample) {
        if !self.has_room || self.waiting_bytes + sample.bytes() > self.limits.waiting_bytes {
            self.counts.dropped += sample.rows() as u64;
            return;
        }
        self.waiting_bytes += sample.bytes();
        self.waiting.push_back(sample);
    }

    /// The log is on the disk up to `position`, and now is `now_ms`: what waited for that is written, and files whose time has come
    /// are closed.
    ///
    /// # Errors
    /// The first one met. What could not be written is dropped and counted, all else goes on.
    pub fn advance(&mut self, position: Lsn, now_ms: i64) -> Result<(), Error> {
        let mut first = Ok(());
        // In the order in which they came: connections are a moment apart, the log is soon beyond all of them.
        while self.waiting.front().is_some_and(|sample| sample.position() <= position) {
            let Some(sample) = self.waiting.pop_front() else { break };
            self.waiting_bytes = self.waiting_bytes.saturating_sub(sample.bytes());
            first = first.and(self.write(sample, now_ms));
        }
        let limits = self.limits;
        let is_due = |file: &OpenFile| {
            let age_ms = now_ms.saturating_sub(file.first_ms);
            let bytes = file.writer.as_ref().map_or(0, TableWriter::bytes);
            age_ms >= limits.age_ms || bytes >= limits.bytes || file.rows() >= limits.rows
        };
        let due = self.open.iter().filter(|(_, file)| is_due(file));
        let due: Vec<_> = due.map(|(service, _)| service.clone()).collect();
        for service in due {
            first = first.and(self.finish(&service, now_ms));
        }
        first
    }

    /// Ends all files, with everything that does not wait for the log beyond `position`.
    ///
    /// # Errors
    /// As [`ReadLog::advance`].
    pub fn close(mut self, position: Lsn, now_ms: i64) -> Result<ReadLogCounts, Error> {
        let mut first = self.advance(position, now_ms);
        let services: Vec<_> = self.open.keys().cloned().collect();
        for service in services {
            first = first.and(self.finish(&service, now_ms));
        }
        first.map(|()| self.counts)
    }

    fn write(&mut self, sample: ReadSample, now_ms: i64) -> Result<(), Error> {
        let service = sample.layout.service.clone();
        let is_other = |file: &OpenFile| file.layout.version != sample.layout.version;
        let mut first = Ok(());
        if self.open.get(&service).is_some_and(is_other) {
            first = self.finish(&service, now_ms);
        }
        if !self.open.contains_key(&service) {
            let folder = names::make_folder(&self.root, &service).inspect_err(|_| {
                self.counts.dropped += sample.rows() as u64;
            })?;
            self.open.insert(service.clone(), OpenFile::new(folder, &sample));
        }
        let Some(file) = self.open.get_mut(&service) else { return first };
        file.ready_rows += sample.rows();
        file.ready_bytes += sample.bytes();
        file.ready.push(sample);
        let is_full = file.ready_rows >= self.limits.batch_rows
            || file.ready_bytes >= self.limits.batch_bytes;
        if !is_full {
            return first;
        }
        let written = file.write_ready();
        if written.is_err() {
            self.give_up(&service);
        }
        first.and(written)
    }

    /// Ends the file of `service`, and removes files that are too old or too many.
    fn finish(&mut self, service: &str, now_ms: i64) -> Result<(), Error> {
        let Some(file) = self.open.get_mut(service) else { return Ok(()) };
        let (rows, folder, kept) = (file.rows(), file.folder.clone(), file.layout.kept);
        if let Err(error) = file.finish() {
            self.give_up(service);
            return Err(error);
        }
        self.open.remove(service);
        self.counts.logged += rows;
        retain::files(&folder, kept, now_ms.saturating_sub(self.limits.age_ms))
    }

    /// Removes files that are too old or too many at `now_ms`, looking once a minute: also those of services that nobody reads any
    /// more. `kept` says how much the definitions have kept of a service; where they say nothing, what its files say counts.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn retain(
        &mut self,
        kept: &dyn Fn(&str) -> Option<History>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let is_soon = |looked: i64| (0..LOOK_MS).contains(&now_ms.saturating_sub(looked));
        if self.looked_ms.is_some_and(is_soon) {
            return Ok(());
        }
        self.looked_ms = Some(now_ms);
        retain::services(&self.root, kept, now_ms.saturating_sub(self.limits.age_ms))
    }

    /// Whether the disk has room: as long as it has not, what is offered is dropped and counted.
    pub fn set_has_room(&mut self, has_room: bool) {
        self.has_room = has_room;
    }

    /// The file of `service` cannot be written.
    fn give_up(&mut self, service: &str) {
        let lost = self.open.remove(service).map_or(0, |file| file.rows());
        self.counts.dropped += lost;
    }
}

impl OpenFile {
    fn new(folder: PathBuf, first: &ReadSample) -> Self {
        Self {
            layout: Arc::clone(&first.layout),
            folder,
            writer: None,
            ready: Vec::new(),
            ready_rows: 0,
            ready_bytes: 0,
            first_ms: first.read_at(),
        }
    }

    fn rows(&self) -> u64 {
        self.writer.as_ref().map_or(0, TableWriter::rows) + self.ready_rows as u64
    }

    fn write_ready(&mut self) -> Result<(), Error> {
        if self.ready.is_empty() {
            return Ok(());
        }
        let batch = batch(&self.layout, &self.ready)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let path = self.folder.join(names::name(self.first_ms, 0));
                let schema = Arc::clone(&self.layout.schema);
                self.writer.insert(TableWriter::create(&path, FileFormat::Arrow, schema)?)
            }
        };
        writer.write(&batch)?;
        self.ready.clear();
        (self.ready_rows, self.ready_bytes) = (0, 0);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.write_ready()?;
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let (folder, first_ms) = (&self.folder, self.first_ms);
        writer.finish_as(|file| folder.join(names::name(first_ms, file.checksum))).map(drop)
    }
}
