//! Brings the log of a database and the files of its history together: what the log has is read, what the files have is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::changes::{ChangeReader, ChangesRead, LogEvent};
use engine::{Database, Lsn, Vfs};
use stdx::clock::Clock;

use super::{HistoryLimits, HistoryManifest, HistoryMerge, HistoryWriter};
use crate::Error;

/// Bytes of log that are gone through between two looks at whether files are to be closed.
const STEP_BYTES: u64 = 4 << 20;
/// So much of the disk must be to spare, beyond what the log may need, before so much log is gone through.
const ROOM_BYTES: u64 = 2 * STEP_BYTES;

/// Keeps the history of one database, in the thread that calls it. After an error it is to be made anew: it goes on where the
/// manifest says.
#[derive(Debug)]
pub struct HistoryFollower {
    writer: HistoryWriter,
    changes: ChangeReader,
}

impl HistoryFollower {
    /// Opens the history in the directory `root`, or begins one if anything in the definitions of `database` has a history; `None`
    /// when there is nothing to do.
    ///
    /// # Errors
    /// [`Error::File`] when the history is not that of this database, or goes beyond its log, or did so once; [`Error::Engine`], also
    /// when there is something to write and the disk has no room for more than the log; [`Error::Io`].
    pub fn open<V: Vfs>(
        database: &Database<V>,
        clock: &dyn Clock,
        root: &Path,
        limits: HistoryLimits,
    ) -> Result<Option<Self>, Error> {
        if !database.keeps_history() && !root.join(super::MANIFEST).exists() {
            database.history_passed(None);
            return Ok(None);
        }
        let log = (database.wal().directory().cluster(), database.wal().appended_lsn());
        let mut writer = HistoryWriter::open(root, log, limits)?;
        // First: it makes room.
        writer.drop_old(clock.wall_ms())?;
        if writer.position() < log.1 {
            must_have_room(database, ROOM_BYTES)?;
        }
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
    /// [`Error::Io`], [`Error::Engine`]: also when the disk has no room for more than the log; what was gone through lasts then.
    pub fn step<V: Vfs>(
        &mut self,
        database: &Database<V>,
        clock: &dyn Clock,
        may_go_on: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        while may_go_on() {
            if self.changes.next() <= database.wal().durable_lsn()
                && let Err(full) = must_have_room(database, ROOM_BYTES)
            {
                // Else what was written so far would be thrown away, and written again with the next try.
                self.close(database, clock)?;
                return Err(full);
            }
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
        self.writer.drop_old(clock.wall_ms())
    }

    /// Drops files that have become too old at `wall_ms`, as [`HistoryFollower::step`] does in its end.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn drop_old(&mut self, wall_ms: i64) -> Result<(), Error> {
        self.writer.drop_old(wall_ms)
    }

    /// Merges some of the files that are small, if there are any and there is room for both: [`HistoryWriter::merge`].
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn merge<V: Vfs>(
        &mut self,
        database: &Database<V>,
        may_go_on: &mut dyn FnMut() -> bool,
    ) -> Result<HistoryMerge, Error> {
        let Some(bytes) = self.writer.next_merge_bytes() else { return Ok(HistoryMerge::Nothing) };
        if must_have_room(database, bytes.saturating_add(ROOM_BYTES)).is_err() {
            return Ok(HistoryMerge::Nothing);
        }
        self.writer.merge(may_go_on)
    }

    /// A number that grows whenever the files on the disk are others.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.writer.generation()
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

/// That so many bytes more fit on the disk of `database`, and what its log may need stays free.
fn must_have_room<V: Vfs>(database: &Database<V>, bytes: u64) -> Result<(), Error> {
    Ok(database.leaves_room(database.wal().directory().vfs(), bytes)?)
}
