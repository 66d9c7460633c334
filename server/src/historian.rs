//! History on a thread of its own: what the log has on the disk goes into the history's files, a moment later, and no request waits
//! for it. When it cannot be written the log is kept, and it is tried again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use engine::changes::LogKept;
use engine::{Database, Lsn, OsFs, SyncLevel, SyncPolicy};
use export::history::{HistoryCopy, HistoryFollower, HistoryLimits, HistoryMerge};
use protocol::StatValue;
use stdx::clock::Clock;
use stdx::sync::{Mutex, MutexGuard};
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::shared::Shared;

/// Between two looks at the log.
const TICK: Duration = Duration::from_millis(100);
/// After a failure it is tried again so much later.
const RETRY_NS: u64 = 5_000_000_000;
/// When the server stops, the log is gone through for so long: with the drain time and a last checkpoint this stays below the 30 s after
/// which servers are commonly killed.
const STOP_NS: u64 = 5_000_000_000;

/// The history of the database that is served.
pub(crate) struct Historian {
    root: Option<PathBuf>,
    limits: HistoryLimits,
    /// Held while files change: nothing comes and nothing goes as long as somebody else has it.
    state: Mutex<State>,
    is_stopping: AtomicBool,
    position: AtomicU64,
    rows: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    gaps: AtomicU64,
    /// Of the manifest that the figures are of.
    generation: AtomicU64,
}

#[derive(Default)]
pub(crate) struct State {
    follower: Option<HistoryFollower>,
    /// A directory without history was looked at already.
    was_looked_at: bool,
    failed_ns: Option<u64>,
}

impl Historian {
    /// History in the directory `root`; without one there is none.
    pub(crate) fn new(root: Option<PathBuf>, limits: HistoryLimits) -> Self {
        Self {
            root,
            limits,
            state: Mutex::default(),
            is_stopping: AtomicBool::default(),
            position: AtomicU64::default(),
            rows: AtomicU64::default(),
            files: AtomicU64::default(),
            bytes: AtomicU64::default(),
            gaps: AtomicU64::default(),
            generation: AtomicU64::default(),
        }
    }

    /// The history's directory.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Begins a copy of the history as it is now to `target`, which is not there. It goes on meanwhile; where its files cannot be held
    /// by links it stands still instead, until what is returned is dropped. The log behind the copy is kept as long.
    pub(crate) fn begin_copy<'h>(
        &'h self,
        database: &'h Database<OsFs>,
        target: &Path,
    ) -> Result<Option<CopyBegun<'h>>, export::Error> {
        let Some(root) = &self.root else { return Ok(None) };
        // Nothing comes and nothing goes, and the log is not let go of.
        let state = self.state.lock();
        let Some(copy) = HistoryCopy::begin(root, target)? else { return Ok(None) };
        let log = database.keep_log_for_copy(Lsn(copy.position().0 + 1));
        let still = (!copy.is_linked()).then_some(state);
        Ok(Some(CopyBegun { copy, log, still }))
    }

    /// For the server's figures.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (String, StatValue)> {
        let number = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let figures = [
            ("history_lsn", number(&self.position)),
            ("history_rows", number(&self.rows)),
            ("history_files_count", number(&self.files)),
            ("history_bytes", number(&self.bytes)),
            ("history_gaps_count", number(&self.gaps)),
        ];
        figures.into_iter().map(|(name, value)| (name.to_owned(), StatValue::U64(value)))
    }

    /// One look at the log.
    fn turn(&self, shared: &Shared) {
        let Some(root) = &self.root else { return };
        if shared.database.wal().policy() == SyncPolicy::Memory {
            return;
        }
        let (mut state, now_ns) = (self.state.lock(), shared.clock.mono_ns());
        if state.failed_ns.is_some_and(|failed| now_ns.saturating_sub(failed) < RETRY_NS) {
            return;
        }
        match self.follow(root, shared, &mut state, |follower| {
            let mut may_go_on = || !self.is_stopping.load(Ordering::Relaxed);
            follower.step(&shared.database, &shared.clock, &mut may_go_on)?;
            // One at a time: the log does not wait for all of them.
            if let HistoryMerge::Refused(error) = follower.merge(&shared.database, &mut may_go_on)? {
                tracing::error!(
                    %error,
                    "files of the history cannot be merged: they stay as they are, and nothing is missing; see larder check"
                );
            }
            Ok(())
        }) {
            Ok(()) if state.failed_ns.take().is_some() => {
                tracing::info!("history is written again");
            }
            Ok(()) => {}
            Err(error) => {
                // Once, and not with every try.
                if state.failed_ns.is_none() {
                    tracing::error!(
                        %error,
                        "history cannot be written: the log is kept for it, and it is tried again every 5 s"
                    );
                }
                shared.database.history_failed(error.to_string());
                // It is opened again, also when nothing has a history any more by then: it is to be finished.
                (state.follower, state.failed_ns, state.was_looked_at) =
                    (None, Some(now_ns), false);
                self.generation.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Has `work` done by the follower, if there is something to follow.
    fn follow(
        &self,
        root: &Path,
        shared: &Shared,
        state: &mut State,
        work: impl FnOnce(&mut HistoryFollower) -> Result<(), export::Error>,
    ) -> Result<(), export::Error> {
        if state.follower.is_none() {
            if state.was_looked_at && !shared.database.keeps_history() {
                return Ok(());
            }
            let (database, clock) = (&shared.database, &shared.clock);
            state.follower = HistoryFollower::open(database, clock, root, self.limits)?;
            state.was_looked_at = state.follower.is_none();
        }
        let Some(follower) = &mut state.follower else { return Ok(()) };
        work(follower)?;
        self.note(follower);
        Ok(())
    }

    fn note(&self, follower: &HistoryFollower) {
        let manifest = follower.manifest();
        self.position.store(manifest.position.0, Ordering::Relaxed);
        let generation = follower.generation() + 1;
        if self.generation.swap(generation, Ordering::Relaxed) == generation {
            return;
        }
        let files = || manifest.sources.values().flat_map(|history| &history.files);
        let note = |figure: &AtomicU64, value: u64| figure.store(value, Ordering::Relaxed);
        note(&self.rows, files().map(|file| file.rows).sum());
        note(&self.files, files().count() as u64);
        note(&self.bytes, files().map(|file| file.bytes).sum());
        note(&self.gaps, manifest.gaps.len() as u64);
    }
}

/// A copy of the history that was begun.
pub(crate) struct CopyBegun<'h> {
    pub(crate) copy: HistoryCopy,
    /// To be kept until the log was copied.
    pub(crate) log: LogKept<'h, OsFs>,
    /// Where the history stands still: to be kept until the copy is finished.
    pub(crate) still: Option<MutexGuard<'h, State>>,
}

/// Keeps history until told to stop.
pub(crate) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => shared.history.turn(&shared),
        }
    }
}

/// The server is about to stop, and nobody writes any more: everything that was accepted goes into files, as far as that is soon done.
pub(crate) fn at_stop(shared: &Shared) {
    let Some(root) = shared.history.root.as_deref() else { return };
    if shared.database.wal().policy() == SyncPolicy::Memory {
        return;
    }
    let mut state = shared.history.state.lock();
    let (database, clock) = (&shared.database, &shared.clock);
    let mut is_late = false;
    let done = shared.history.follow(root, shared, &mut state, |follower| {
        let wal = database.wal();
        let synced = wal.ticket(wal.appended_lsn(), Some(SyncLevel::Durable)).wait_unless_full();
        synced.map_err(engine::Error::from)?;
        let give_up_ns = clock.mono_ns().saturating_add(STOP_NS);
        follower.step(database, clock, &mut || {
            is_late = clock.mono_ns() >= give_up_ns;
            !is_late
        })?;
        follower.close(database, clock).map(drop)
    });
    if let Err(error) = done {
        tracing::error!(%error, "history could not be written to its end: the next start goes on with it, from the log");
    } else if is_late {
        tracing::info!(
            "history was not written to its end in 5 s: the next start goes on with it, from the log"
        );
    }
}

/// Has a long turn end soon.
pub(crate) fn stop(shared: &Shared) {
    shared.history.is_stopping.store(true, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use engine::{Config as Options, PutRequest, PutRowRequest, WriteOptions};
    use model::packed_row::{Cell, write_row};
    use model::value::ValueRef;

    use super::*;
    use crate::Config;

    const DEFINITIONS: &str = "[entity.card]\nkey = \"string\"\n[group.g]\nentity = \"card\"\nhistory = true\nfeatures = { a = \"i64\" }\n";

    /// A server without sockets and threads, with a history in the directory `data` whose files are closed at every turn.
    fn shared(data: &Path) -> Shared {
        let database = Database::open(
            OsFs::open(data).expect("it can be made"),
            &Options { segment_bytes: 1 << 20, ..Options::default() },
            Arc::new(stdx::clock::SystemClock::new()),
        );
        let database = database.expect("it opens");
        let applied = database.apply("test.toml", DEFINITIONS, false).expect("valid");
        applied.ticket.expect("it is new").wait().expect("synced");
        let config = Config {
            history: Some(data.join(export::history::DIRECTORY)),
            history_limits: HistoryLimits { age_ms: 0, ..HistoryLimits::default() },
            ..Config::default()
        };
        Shared::new(database, 1, &config).expect("no policy").0
    }

    fn put(shared: &Shared, value: i64) {
        let (_, definitions) = shared.database.definitions();
        let features = definitions.groups[0].columns();
        let mut row = Vec::new();
        write_row(&mut row, &features, [Cell::Value(ValueRef::I64(value))]).expect("an i64");
        let rows = vec![PutRowRequest { key: b"k", event_time: Some(value), row: &row }];
        let request = PutRequest { group: 0, features: 1, rows };
        let written = shared.database.put(&request, &WriteOptions::default()).expect("put");
        written.ticket.wait().expect("synced");
    }

    fn figure(shared: &Shared, name: &str) -> u64 {
        let mut figures = shared.history.figures();
        match figures.find(|(known, _)| known == name) {
            Some((_, StatValue::U64(value))) => value,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn turns_write_and_merge_also_while_a_copy_is_made() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let shared = shared(directory.path());
        for value in 0..20 {
            put(&shared, value);
            shared.history.turn(&shared);
        }
        assert_eq!(figure(&shared, "history_rows"), 20);
        assert!(figure(&shared, "history_files_count") < 15, "they are merged");
        let target = directory.path().join("copy");
        let begun = shared.history.begin_copy(&shared.database, &target).expect("there is room");
        let CopyBegun { copy, log, still } = begun.expect("there is a history");
        assert!(still.is_none(), "it does not stand still");
        for value in 20..40 {
            put(&shared, value);
            shared.history.turn(&shared);
        }
        assert_eq!(figure(&shared, "history_rows"), 40);
        drop(log);
        copy.finish(&[], &mut |_| Ok(())).expect("there is room");
        let copied = export::history::check(&target).expect("read").expect("there is one");
        assert_eq!((copied.rows, copied.problems.len()), (20, 0));
        let root = shared.history.root().expect("it has one");
        let kept = export::history::check(root).expect("read").expect("there is one");
        assert_eq!((kept.rows, kept.problems.len()), (40, 0));
        assert_eq!(figure(&shared, "history_files_count"), kept.files);
    }
}
