//! Goes through the log and shows what changed, while the database goes on.

use std::sync::Arc;

use model::definition::Definitions;
use storage::{LogReader, Lsn, ReadOn, Vfs};

use super::{DefinitionsVersion, LogEvent, decode::Kept};
use crate::{Database, Error, catalog::CatalogRecord, mutation::kind};

/// Bytes of log that are looked through at once for the first version in it.
const SEARCH_BYTES: u64 = 8 << 20;

/// Where somebody who follows the changes of a database stands.
#[derive(Debug)]
pub struct ChangeReader {
    log: LogReader,
    definitions: Arc<Definitions>,
    kept: Kept,
    last_at_ms: i64,
}

/// What [`ChangeReader::read`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangesRead {
    /// So many bytes of log were gone through, and there is more.
    More(u64),
    /// So many bytes of log were gone through: all that is on the disk was shown.
    End(u64),
    /// These records are gone: begin anew behind them.
    Gap {
        /// The first one that was not shown.
        first: Lsn,
        /// The last one that is gone.
        last: Lsn,
    },
}

impl ChangeReader {
    /// A reader of what comes from record `next` on, to somebody who knows the versions of the definitions up to `version` (0:
    /// none), which are those of the records before `next`. Where the log begins later, the reader stands at its beginning. Returned
    /// are the versions valid there that are not known yet, with the record before it, since theirs are gone.
    ///
    /// # Errors
    /// [`Error::Storage`] when the log cannot be read or made durable.
    pub fn begin<V: Vfs>(
        database: &Database<V>,
        next: Lsn,
        version: u64,
    ) -> Result<(Self, Vec<DefinitionsVersion>), Error> {
        let segments = database.wal.segments();
        let first = segments.first().map_or(next, |segment| segment.first_lsn);
        let is_known = next >= first && version > 0;
        let next = next.max(first);
        let valid = if is_known { version } else { version_before(database, next)? };
        let records = database.catalog.read().history.clone();
        let (mut definitions, mut unknown) = (Definitions::default(), Vec::new());
        for record in records.iter().take_while(|record| record.version <= valid) {
            definitions = Definitions::parse(&record.file, &record.text, &definitions)?;
            if record.version > version {
                unknown.push(record.version_at(Lsn(next.0.saturating_sub(1))));
            }
        }
        let kept = Kept::of(&definitions);
        let definitions = Arc::new(definitions);
        Ok((Self { log: LogReader::from(next), definitions, kept, last_at_ms: 0 }, unknown))
    }

    /// All records before this one were gone through.
    #[must_use]
    pub fn next(&self) -> Lsn {
        self.log.next()
    }

    /// The definitions valid there.
    #[must_use]
    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.definitions
    }

    /// Goes through the log to its end on the disk, or until there were `bytes_max` bytes of it. After an error a reader is of no
    /// use any more: begin anew.
    ///
    /// # Errors
    /// Those of the log, and what `visit` said, as [`storage::Error::Replay`].
    pub fn read<V: Vfs>(
        &mut self,
        database: &Database<V>,
        bytes_max: u64,
        visit: &mut dyn FnMut(LogEvent<'_>) -> Result<(), Error>,
    ) -> Result<ChangesRead, Error> {
        let Self { log, definitions, kept, last_at_ms } = self;
        let first = log.next();
        let mut failed = None;
        let read = database.wal.read_on(log, bytes_max, &mut |lsn, kind, payload| {
            let done = if kind == kind::DEFINITIONS {
                let next = definitions_after(definitions, lsn, payload);
                next.and_then(|(version, next)| {
                    (*kept, *definitions) = (Kept::of(&next), Arc::new(next));
                    visit(LogEvent::Definitions(version, Arc::clone(definitions)))
                })
            } else {
                let record = (lsn, kind, payload);
                kept.changes(record, last_at_ms, &mut |change| visit(LogEvent::Change(change)))
            };
            done.map_err(|error| {
                let message = error.to_string();
                failed = Some(error);
                message.into_boxed_str()
            })
        });
        match (failed, read?) {
            (Some(error), _) => Err(error),
            (None, ReadOn::More(bytes)) => Ok(ChangesRead::More(bytes)),
            (None, ReadOn::End(bytes)) => Ok(ChangesRead::End(bytes)),
            (None, ReadOn::Gone(next)) => {
                Ok(ChangesRead::Gap { first, last: Lsn(next.0.saturating_sub(1)) })
            }
        }
    }
}

fn definitions_after(
    before: &Definitions,
    lsn: Lsn,
    payload: &[u8],
) -> Result<(DefinitionsVersion, Definitions), Error> {
    let record = CatalogRecord::decode(payload)?;
    let next = Definitions::parse(&record.file, &record.text, before)?;
    Ok((record.version_at(lsn), next))
}

impl CatalogRecord {
    fn version_at(&self, lsn: Lsn) -> DefinitionsVersion {
        let Self { version, applied_at_ms, file, text } = self.clone();
        DefinitionsVersion { version, lsn, applied_at_ms, file, text }
    }
}

/// The version of the definitions that was valid before record `next`: the one before the first that the log from there on has.
fn version_before<V: Vfs>(database: &Database<V>, next: Lsn) -> Result<u64, Error> {
    let (current, appended) = {
        let catalog = database.catalog.read();
        (catalog.version, database.wal.appended_lsn())
    };
    // A version that is not in the log then is not behind it either.
    database.wait_durable(appended)?;
    let (mut reader, mut found) = (LogReader::from(next), None);
    loop {
        let read = database.wal.read_on(&mut reader, SEARCH_BYTES, &mut |_, kind, payload| {
            if kind == kind::DEFINITIONS && found.is_none() {
                let record = CatalogRecord::decode(payload).map_err(|error| error.to_string())?;
                found = Some(record.version);
            }
            Ok(())
        })?;
        if let Some(version) = found {
            return Ok(version.saturating_sub(1));
        }
        if matches!(read, ReadOn::End(_)) {
            return Ok(current);
        }
    }
}
