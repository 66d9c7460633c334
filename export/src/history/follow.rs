//! Brings the log of a database and the files of its history together: what the log has is read, what the files have is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::changes::{ChangeReader, ChangesRead, LogEvent};
use engine::{Database, Lsn, Vfs};
use stdx::clock::Clock;

use super::writer::OnAdvance;
use super::{HistoryLimits, HistoryManifest, HistoryWriter};
use crate::Error;

/// Bytes of log that are gone through between two looks at whether files are to be closed.
const STEP_BYTES: u64 = 4 << 20;

/// Keeps the history of one database, in the thread that calls it. After an error it is to be made anew: it goes on where the
/// manifest says.
#[derive(Debug)]
pub struct HistoryFollower {
    writer: HistoryWriter,
    changes: ChangeReader,
}

impl HistoryFollower {
    /// Opens the history in the directory `root`, or begins one if anything in the definitions of `database` has a history; `None`
    /// when there is nothing to do. `on_advance` is told of each position that lasts.
    ///
    /// # Errors
    /// [`Error::File`] when the history is not that of this database, or goes beyond its log, or did so once; [`Error::Engine`],
    /// [`Error::Io`].
    pub fn open<V: Vfs>(
        database: &Database<V>,
        clock: &dyn Clock,
        root: &Path,
        limits: HistoryLimits,
        on_advance: OnAdvance,
    ) -> Result<Option<Self>, Error> {
        if !database.keeps_history() && !root.join(super::MANIFEST).exists() {
            database.history_passed(None);
            return Ok(None);
        }
        let log = (database.wal().directory().cluster(), database.wal().appended_lsn());
        let mut writer = HistoryWriter::open(root, log, limits, on_advance)?;
        let changes = Self::begin(database, &mut writer, clock.wall_ms())?;
        database.history_passed(Some(Lsn(writer.position().0 + 1)));
        Ok(Some(Self { writer, changes }))
    }

    /// Reads on where the writer stands; what is missing in between is a gap.
    fn begin<V: Vfs>(
        database: &Database<V>,
        writer: &mut HistoryWriter,
        wall_ms: i64,
    ) -> Result<ChangeReader, Error> {
        let (next, known) = (Lsn(writer.position().0 + 1), writer.version());
        let (changes, unknown) = ChangeReader::begin(database, next, known)?;
        if known > 0 && changes.next() > next {
            let last = Lsn(changes.next().0 - 1);
            writer.gap(next, last, wall_ms)?;
        }
        for version in unknown {
            let definitions = writer.definitions_with(&version)?;
            writer.definitions(version, Arc::new(definitions), true, wall_ms)?;
        }
        Ok(changes)
    }

    /// What the files on the disk hold.
    #[must_use]
    pub fn manifest(&self) -> &HistoryManifest {
        self.writer.manifest()
    }

    /// The history's directory.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.writer.root().to_owned()
    }

    /// Goes through what the log has now, and closes files when it is time to; `may_go_on` is asked now and then.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Engine`].
    pub fn step<V: Vfs>(
        &mut self,
        database: &Database<V>,
        clock: &dyn Clock,
        may_go_on: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        while may_go_on() {
            let (writer, wall_ms) = (&mut self.writer, clock.wall_ms());
            let mut failed = None;
            let read = self.changes.read(database, STEP_BYTES, &mut |event| {
                let done = match event {
                    LogEvent::Change(change) => writer.write(change),
                    LogEvent::Definitions(version, definitions) => {
                        let lsn = version.lsn;
                        writer.passed(lsn, 0, clock.mono_ns());
                        writer.definitions(version, definitions, false, wall_ms)
                    }
                };
                done.map_err(|error| {
                    let why = engine::Error::Internal(error.to_string());
                    failed = Some(error);
                    why
                })
            });
            if let Some(error) = failed {
                return Err(error);
            }
            let (bytes, is_end) = match read? {
                ChangesRead::More(bytes) => (bytes, false),
                ChangesRead::End(bytes) => (bytes, true),
                ChangesRead::Gap { .. } => {
                    self.close(database, clock)?;
                    self.changes = Self::begin(database, &mut self.writer, wall_ms)?;
                    continue;
                }
            };
            self.writer.passed(self.changes.next(), bytes, clock.mono_ns());
            if self.writer.is_due(clock.mono_ns()) {
                self.close(database, clock)?;
            }
            if is_end {
                break;
            }
        }
        Ok(())
    }

    /// Closes all files, so that everything gone through lasts, and lets go of the log up to there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn close<V: Vfs>(
        &mut self,
        database: &Database<V>,
        clock: &dyn Clock,
    ) -> Result<Lsn, Error> {
        let position = self.writer.close_files(clock.wall_ms())?;
        let is_over = self.writer.is_over() && !database.keeps_history();
        database.history_passed(if is_over { None } else { Some(Lsn(position.0 + 1)) });
        Ok(position)
    }
}
