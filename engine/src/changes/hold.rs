//! Has the log kept until history has gone through it, within a bound: then the rest of it is given up, and history has a gap.

use stdx::sync::Mutex;
use storage::{Lsn, SyncPolicy, Vfs};

use crate::{Database, Error, Trouble};
use model::definition::{Definitions, GroupKind};
use model::size;

/// What is known of those who keep history.
#[derive(Debug)]
pub(crate) struct HistoryHold {
    /// Why it could not be written, the last time it was tried.
    failure: Mutex<Option<String>>,
    needed: Mutex<Needed>,
}

/// From which record on the log is kept: the least of these.
#[derive(Debug)]
struct Needed {
    /// History has gone through everything before.
    from: Lsn,
    /// So has a copy of it that is being made.
    copied_from: Lsn,
}

impl Default for HistoryHold {
    fn default() -> Self {
        let needed = Needed { from: Lsn::MAX, copied_from: Lsn::MAX };
        Self { failure: Mutex::default(), needed: Mutex::new(needed) }
    }
}

/// As long as it is there the log is kept for a copy of the history: [`Database::keep_log_for_copy`].
#[derive(Debug)]
pub struct LogKept<'d, V: Vfs> {
    database: &'d Database<V>,
}

impl<V: Vfs> Drop for LogKept<'_, V> {
    fn drop(&mut self) {
        self.database.keep(|needed| needed.copied_from = Lsn::MAX);
    }
}

/// Whether anything in `definitions` has a history.
fn keeps_history(definitions: &Definitions) -> bool {
    let of_group =
        |kind: &GroupKind| matches!(kind, GroupKind::Rows(rows) if rows.history.is_some());
    definitions.streams.iter().any(|stream| stream.history.is_some())
        || definitions.groups.iter().any(|group| of_group(&group.kind))
}

impl<V: Vfs> Database<V> {
    /// Whether any stream or row group has a history now.
    #[must_use]
    pub fn keeps_history(&self) -> bool {
        keeps_history(&self.catalog.read().definitions)
    }

    /// History holds everything before `next`, for ever: only from there on the log is kept for it. `None`: nothing is kept, unless
    /// definitions ask for a history by now.
    pub fn history_passed(&self, next: Option<Lsn>) {
        *self.history.failure.lock() = None;
        // Definitions that begin a history wait meanwhile.
        let catalog = self.catalog.read();
        match next {
            Some(next) => self.keep(|needed| needed.from = next),
            None if keeps_history(&catalog.definitions) => {}
            None => self.keep(|needed| needed.from = Lsn::MAX),
        }
    }

    /// A copy of the history is being made that has everything before record `next`: from there on the log is kept, so that a copy of
    /// it fits, while history itself goes on. One at a time.
    #[must_use]
    pub fn keep_log_for_copy(&self, next: Lsn) -> LogKept<'_, V> {
        self.keep(|needed| needed.copied_from = next);
        LogKept { database: self }
    }

    fn keep(&self, change: impl FnOnce(&mut Needed)) {
        let mut needed = self.history.needed.lock();
        change(&mut needed);
        self.directory.keep_from(needed.from.min(needed.copied_from));
    }

    /// History could not be written, for this reason: the log is kept and it is to be tried again.
    pub fn history_failed(&self, why: String) {
        *self.history.failure.lock() = Some(why);
    }

    /// The database was opened, and how far history is nobody has said yet: the log is kept when any version of the definitions has or
    /// had a history, since one that ended may not have been written to its end.
    pub(crate) fn hold_for_history_so_far(&self) {
        let catalog = self.catalog.read();
        self.hold_for_history(&catalog.definitions, Lsn(1));
        // Texts are parsed again only when one could have ended what it began.
        let may_have_ended = || catalog.history.iter().any(|it| it.text.contains("history"));
        if keeps_history(&catalog.definitions) || !may_have_ended() {
            return;
        }
        let mut definitions = Definitions::default();
        for record in &catalog.history {
            // They were parsed when they were restored; were one refused here, it would be the newest that counts.
            let Ok(next) = Definitions::parse(&record.file, &record.text, &definitions) else {
                break;
            };
            definitions = next;
            self.hold_for_history(&definitions, Lsn(1));
        }
    }

    /// Definitions are valid from record `lsn` on: what they have a history of is kept.
    pub(crate) fn hold_for_history(&self, definitions: &Definitions, lsn: Lsn) {
        if keeps_history(definitions) {
            self.keep(|needed| needed.from = needed.from.min(lsn));
        }
    }

    /// A snapshot is about to make the log before `replay_from` needless: where too much of it is kept, none of it is any more.
    pub(crate) fn bound_history_hold(&self, replay_from: Lsn) {
        let (kept_from, held) = (self.directory.kept_from(), self.held_from(replay_from));
        if kept_from >= replay_from || held <= self.history_log_bytes_max {
            return;
        }
        tracing::error!(
            bytes = held,
            first_lsn = kept_from.0,
            last_lsn = replay_from.0.saturating_sub(1),
            "history was not written for so long that the log kept for it is given up: it will have a gap"
        );
        self.give_up_before(replay_from);
    }

    /// Gives up what of the log is kept for history alone once the disk has no room for another segment: writes do not depend on
    /// history. For whoever looks now and then, also when no checkpoint is due because nothing can be written.
    ///
    /// # Errors
    /// [`Error::Storage`]: it may still be there, and is removed by the next call for which there is too little room, or the next
    /// checkpoint.
    pub fn make_room_for_log(&self) -> Result<(), Error> {
        self.make_room(1)
    }

    /// Gives up what of the log is kept for history alone where the disk has no room for so many segments.
    pub(crate) fn make_room(&self, segments: u64) -> Result<(), Error> {
        let is_short = || {
            let (disk, kept) = (self.directory.vfs(), segments * self.segment_bytes);
            matches!(storage::must_leave_room(disk, 0, kept), Err(storage::Error::Full(_)))
        };
        let listed = || self.directory.manifest().segments;
        // Without a log nothing is kept for anybody.
        if listed().is_empty() || !is_short() {
            return Ok(());
        }
        // History may have caught up since they were kept, or what was given up before could not be removed then.
        self.directory.remove_unkept()?;
        let replay_from = self.directory.replay_from();
        // A segment ends where the next one begins.
        let is_any_kept = listed().get(1).is_some_and(|next| next.first_lsn <= replay_from.0);
        if !is_any_kept || !is_short() {
            return Ok(());
        }
        tracing::error!(
            bytes = self.history_log_bytes(),
            last_lsn = replay_from.0.saturating_sub(1),
            "the disk is full: the log that is kept for history alone is given up, it will have a gap"
        );
        self.give_up_before(replay_from);
        self.directory.remove_unkept()?;
        Ok(())
    }

    fn give_up_before(&self, replay_from: Lsn) {
        self.keep(|needed| {
            needed.from = needed.from.max(replay_from);
            needed.copied_from = needed.copied_from.max(replay_from);
        });
    }

    /// Bytes of log that are there for history alone.
    #[must_use]
    pub fn history_log_bytes(&self) -> u64 {
        self.held_from(self.directory.replay_from())
    }

    fn held_from(&self, replay_from: Lsn) -> u64 {
        let first = Lsn(self.directory.manifest().segments.first().map_or(0, |it| it.first_lsn));
        let kept_from = self.directory.kept_from().max(first);
        self.wal.bytes_since(kept_from).saturating_sub(self.wal.bytes_since(replay_from))
    }

    /// Why history is not as it should be, if so, with what to do.
    pub fn history_trouble(&self) -> Option<Trouble> {
        if self.wal.policy() == SyncPolicy::Memory {
            let reason =
                "history is kept of what the log holds, and with --sync memory there is none";
            let remedy =
                "start the server with another --sync, or take history out of the definitions";
            return self.keeps_history().then(|| Trouble { reason: reason.to_owned(), remedy });
        }
        let why = self.history.failure.lock().clone()?;
        let (kept, max) =
            (size::format(self.history_log_bytes()), size::format(self.history_log_bytes_max));
        let reason = format!(
            "history cannot be written: {why}; {kept} of log are kept for it, at most {max} will be"
        );
        let remedy = "make room on the disk, or see to what is said of the data directory's history: it is tried again every 5 s, \
                      and nothing is missing until the log kept for it is given up";
        Some(Trouble { reason, remedy })
    }
}
