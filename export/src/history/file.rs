//! A file of a history that is being written.

use std::path::Path;
use std::sync::Arc;

use engine::Lsn;
use engine::changes::Change;

use super::manifest::HistoryFile;
use super::source::HistorySource;
use super::table::{Layout, Rows};
use crate::Error;
use crate::file::{FileFormat, TableWriter};

/// Rows of a batch in a file.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch, about.
const BATCH_BYTES: usize = 4 << 20;

/// See the module. Dropped unfinished, it leaves nothing behind.
pub(super) struct OpenFile {
    source: HistorySource,
    path: String,
    waiting: Rows,
    writer: TableWriter,
    /// First and last record of the changes in it.
    lsns: Option<(Lsn, Lsn)>,
    /// Earliest and latest arrival, in ms.
    at_ms: (i64, i64),
}

impl OpenFile {
    /// Begins the file `path` from `root` on, whose directory is there.
    pub(super) fn create(
        root: &Path,
        path: String,
        source: HistorySource,
        layout: Layout,
    ) -> Result<Self, Error> {
        let schema = Arc::clone(&layout.schema);
        let writer = TableWriter::create(&root.join(&path), FileFormat::Arrow, schema)?;
        let (waiting, lsns, at_ms) = (Rows::new(layout), None, (i64::MAX, i64::MIN));
        Ok(Self { source, path, waiting, writer, lsns, at_ms })
    }

    /// Takes a change, which comes after all that were taken, into memory: [`OpenFile::write_full`] is to be called now and then.
    pub(super) fn take(&mut self, change: &Change<'_>) -> Result<(), Error> {
        self.lsns = Some((self.lsns.map_or(change.lsn, |(first, _)| first), change.lsn));
        self.at_ms = (self.at_ms.0.min(change.at_ms), self.at_ms.1.max(change.at_ms));
        self.waiting.push(change)
    }

    /// Writes what waits if that is a batch.
    pub(super) fn write_full(&mut self) -> Result<(), Error> {
        if self.waiting.len() >= BATCH_ROWS || self.waiting.bytes() >= BATCH_BYTES {
            self.writer.write(&self.waiting.batch()?)?;
        }
        Ok(())
    }

    /// Changes taken so far.
    pub(super) fn rows(&self) -> u64 {
        self.writer.rows() + self.waiting.len() as u64
    }

    /// About how many bytes that makes.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes() + self.waiting.bytes() as u64
    }

    /// First and last record of the changes taken so far.
    pub(super) fn lsns(&self) -> Option<(Lsn, Lsn)> {
        self.lsns
    }

    /// Ends it; it is there, under its name, once this returns.
    pub(super) fn finish(mut self) -> Result<(HistorySource, HistoryFile), Error> {
        if self.waiting.len() > 0 {
            self.writer.write(&self.waiting.batch()?)?;
        }
        let written = self.writer.finish()?;
        let (first_lsn, last_lsn) = self.lsns.unwrap_or_default();
        let file = HistoryFile {
            path: self.path,
            first_lsn,
            last_lsn,
            first_at_ms: self.at_ms.0,
            last_at_ms: self.at_ms.1,
            rows: written.rows,
            bytes: written.bytes,
            checksum: written.checksum,
        };
        Ok((self.source, file))
    }
}
