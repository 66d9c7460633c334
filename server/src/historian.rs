//! History on a thread of its own: what the log has on the disk goes into the history's files, a moment later, and no request waits
//! for it. When it cannot be written the log is kept, and it is tried again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use engine::{SyncLevel, SyncPolicy};
use export::history::{HistoryFollower, HistoryLimits};
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
    position: Arc<AtomicU64>,
    rows: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    gaps: AtomicU64,
}

#[derive(Default)]
struct State {
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
            position: Arc::default(),
            rows: AtomicU64::default(),
            files: AtomicU64::default(),
            bytes: AtomicU64::default(),
            gaps: AtomicU64::default(),
        }
    }

    /// Has the history stand still until what is returned is dropped.
    pub(crate) fn still(&self) -> StillHistory<'_> {
        StillHistory { root: self.root.as_deref(), _state: self.state.lock() }
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
            follower.step(&shared.database, &shared.clock, &mut may_go_on)
        }) {
            Ok(()) if state.failed_ns.take().is_some() => {
                tracing::info!("history is written again");
            }
            Ok(()) => {}
            Err(error) => {
                tracing::error!(
                    %error,
                    "history cannot be written: the log is kept for it, and it is tried again every 5 s"
                );
                shared.database.history_failed(error.to_string());
                // It is opened again, also when nothing has a history any more by then: it is to be finished.
                (state.follower, state.failed_ns, state.was_looked_at) =
                    (None, Some(now_ns), false);
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
            let position = Arc::clone(&self.position);
            let on_advance = Box::new(move |lsn: engine::Lsn| {
                position.store(lsn.0, Ordering::Release);
            });
            let (database, clock) = (&shared.database, &shared.clock);
            state.follower = HistoryFollower::open(database, clock, root, self.limits, on_advance)?;
            state.was_looked_at = state.follower.is_none();
        }
        let Some(follower) = &mut state.follower else { return Ok(()) };
        work(follower)?;
        self.note(follower);
        Ok(())
    }

    fn note(&self, follower: &HistoryFollower) {
        let manifest = follower.manifest();
        let files = || manifest.sources.values().flat_map(|history| &history.files);
        let note = |figure: &AtomicU64, value: u64| figure.store(value, Ordering::Relaxed);
        note(&self.position, manifest.position.0);
        note(&self.rows, files().map(|file| file.rows).sum());
        note(&self.files, files().count() as u64);
        note(&self.bytes, files().map(|file| file.bytes).sum());
        note(&self.gaps, manifest.gaps.len() as u64);
    }
}

/// The history while nothing in it changes.
pub(crate) struct StillHistory<'h> {
    /// Its directory.
    pub(crate) root: Option<&'h Path>,
    _state: MutexGuard<'h, State>,
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
