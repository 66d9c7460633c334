//! Checkpoints on a thread of their own, one at a time: those that are due, those that somebody asks for, and a last one when the
//! server stops. No network thread ever waits for one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::{
    BackedUp, CheckpointProgress, Checkpointed, OsFs, StorageError, SyncPolicy, Trouble, Vfs,
};
use export::reads::ReadLogReader;
use protocol::{CallStatus, CheckpointReply, Failure};
use stdx::clock::Clock;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};

use crate::{
    CheckpointAtStop,
    dispatch::{failure, stopping},
    error::engine_failure,
    historian::CopyBegun,
    shared::Shared,
    unanswered::Body,
};

/// Requests that may wait while a checkpoint runs.
const WAITING_MAX: usize = 4;
/// Between two looks whether a checkpoint is due.
const TICK: Duration = Duration::from_secs(1);
/// Between two log lines about a running checkpoint.
const TELL_NS: u64 = 5_000_000_000;
/// When the server stops, so much log behind the last checkpoint is replayed as fast as a snapshot is written.
const LOG_BYTES_WORTH: u64 = 16 << 20;
/// When the server stops, more memory than this takes longer to write than those who stop servers wait.
const MEMORY_BYTES_WORTH: u64 = 8 << 30;
/// A checkpoint that is not done so long after the server was told to stop is given up, unless it is always wanted. Together with
/// the drain time this stays below the 30 s after which servers are commonly killed.
const STOP_NS: u64 = 20_000_000_000;

/// A request for a checkpoint.
pub(crate) struct Asked {
    backup: Option<String>,
    answer: oneshot::Sender<Result<Body, Failure>>,
}

/// Where requests wait.
pub(crate) struct Queue {
    waiting: mpsc::Sender<Asked>,
    /// When checkpoints are given up, on the server's monotonic clock.
    give_up_ns: AtomicU64,
}

impl Queue {
    /// An empty queue, and its other end.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (waiting, asked) = mpsc::channel(WAITING_MAX);
        (Self { waiting, give_up_ns: AtomicU64::new(u64::MAX) }, asked)
    }

    /// Asks for a checkpoint, and for a backup called so.
    ///
    /// # Errors
    /// `OVERLOADED` when as many wait already as may.
    pub(crate) fn ask(
        &self,
        backup: Option<&str>,
    ) -> Result<oneshot::Receiver<Result<Body, Failure>>, Failure> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked { backup: backup.map(str::to_owned), answer };
        self.waiting.try_send(asked).map(|()| answered).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => failure(
                CallStatus::Overloaded,
                format!("a checkpoint runs and {WAITING_MAX} wait for it: ask again later"),
            ),
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })
    }

    /// From now on a running checkpoint is finished as `policy` says, or given up.
    pub(crate) fn stop(&self, policy: CheckpointAtStop, now_ns: u64) {
        let give_up_ns = match policy {
            CheckpointAtStop::Never => now_ns,
            CheckpointAtStop::Auto => now_ns.saturating_add(STOP_NS),
            CheckpointAtStop::Always => u64::MAX,
        };
        self.give_up_ns.store(give_up_ns, Ordering::Release);
    }
}

/// Makes checkpoints until told to stop.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut asked: mpsc::Receiver<Asked>,
    mut stop: watch::Receiver<bool>,
) {
    shared.backups.clear();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut is_unkept_told) = (None, false);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            Some(asked) = asked.recv() => {
                let done = answer(&shared, asked.backup.as_deref());
                // A client that left meanwhile is not waited for; the checkpoint stands all the same.
                let _ = asked.answer.send(done);
            }
            _ = ticks.tick() => {
                if let Some(reason) = shared.database.checkpoint_due() {
                    tracing::info!(%reason, "a checkpoint begins");
                    let _told = checkpoint(&shared);
                }
                let database = &shared.database;
                let made = database.make_room_for_log();
                let was_told = std::mem::replace(&mut is_unkept_told, made.is_err());
                // Once, and not with every try.
                if let Err(error) = made
                    && !was_told
                {
                    tracing::warn!(%error, "what of the log was kept for history could not be removed: it is tried again every second");
                }
                let trouble = database.checkpoint_trouble().or_else(|| database.history_trouble());
                let trouble = trouble.or_else(|| database.clock_trouble());
                tell_trouble(&mut told, trouble);
            }
        }
    }
}

/// Does what was asked for.
fn answer(shared: &Shared, backup: Option<&str>) -> Result<Body, Failure> {
    tracing::info!(backup, "a checkpoint begins: asked for");
    let (done, backup) = match backup {
        None => (checkpoint(shared).map_err(engine_failure)?, None),
        Some(name) => {
            let made = shared.backups.make(name, |files| back_up(shared, name, files));
            made.map(|(done, path)| (done, Some(path)))?
        }
    };
    let reply = CheckpointReply {
        number: done.number,
        lsn: done.lsn.0,
        entities: done.entities,
        bytes: done.bytes,
        // 0 says that nothing was written.
        took_ms: if done.is_new { done.took_ms.max(1) } else { 0 },
        segments_removed: done.segments_removed,
        backup,
    };
    Ok(Box::new(move |out| reply.encode(out)))
}

/// Makes one checkpoint and says how it goes.
fn checkpoint(shared: &Shared) -> Result<Checkpointed, engine::Error> {
    let done = with_progress(shared, |tell| shared.database.checkpoint(tell));
    match &done {
        Ok(done) => tell_checkpoint(done),
        Err(error) if is_stop(error) => {
            tracing::warn!(
                "a checkpoint was given up, the server is stopping: the last one and the whole log behind it are as they were"
            );
        }
        Err(error) => tracing::error!(
            %error,
            remedy = remedy(error),
            "a checkpoint failed: the last one and the whole log behind it are as they were, and serving goes on"
        ),
    }
    done
}

/// Makes the backup `name` in `files` and says how it goes.
fn back_up(shared: &Shared, name: &str, files: &OsFs) -> Result<Checkpointed, engine::Error> {
    let made = back_up_all(shared, files);
    match &made {
        Ok(made) => {
            tell_checkpoint(&made.checkpoint);
            let (files, bytes) = (made.files, made.bytes);
            tracing::info!(name, files, bytes, "a backup was copied");
        }
        Err(error) if is_stop(error) => {
            tracing::warn!(
                name,
                "a backup was given up, the server is stopping: nothing of it is left"
            );
        }
        Err(error) => {
            let remedy = remedy_of_backup(error);
            tracing::error!(name, %error, remedy, "a backup failed, nothing of it is left: the server goes on");
        }
    }
    made.map(|made| made.checkpoint)
}

/// Copies database, history and logged reads to `files`.
fn back_up_all(shared: &Shared, files: &OsFs) -> Result<BackedUp, engine::Error> {
    // Listed before: what those reads saw is in the copy of the log.
    let reads = shared.history.root().map(|root| ReadLogReader::new(root).all());
    let reads = reads.transpose().map_err(of_history)?.unwrap_or_default();
    let target = PathBuf::from(files.path(export::history::DIRECTORY));
    // Begun before as well: the copy of the log reaches from its position to its end.
    let history = shared.history.begin_copy(&shared.database, &target).map_err(of_history)?;
    let made = with_progress(shared, |tell| shared.database.backup(files, tell))?;
    if let Some(CopyBegun { copy, log, still }) = history {
        drop(log);
        let copied = copy.finish(&reads, &mut |left| {
            if shared.clock.mono_ns() >= shared.checkpoints.give_up_ns.load(Ordering::Acquire) {
                return Err(engine::Error::from(StorageError::Closed).into());
            }
            // Others write to the disk as well: the log, and whatever else lies there.
            Ok(shared.database.leaves_room(files, left)?)
        });
        drop(still);
        copied.map_err(of_history)?;
    }
    Ok(made)
}

/// What a backup met in the history; damage is `InvalidData`.
fn of_history(error: export::Error) -> engine::Error {
    match error {
        export::Error::Engine(error) => error,
        export::Error::Io { source, path, .. } => {
            StorageError::io("copy", path.display().to_string(), source).into()
        }
        export::Error::File { path, what } => {
            let source = io::Error::new(io::ErrorKind::InvalidData, what);
            StorageError::io("copy", path.display().to_string(), source).into()
        }
        other => engine::Error::Internal(other.to_string()),
    }
}

/// Runs a checkpoint or backup and says from time to time how far it is.
fn with_progress<T>(
    shared: &Shared,
    run: impl FnOnce(&mut dyn FnMut(CheckpointProgress)) -> Result<T, engine::Error>,
) -> Result<T, engine::Error> {
    let mut told_ns = shared.clock.mono_ns();
    run(&mut |at: CheckpointProgress| {
        let now_ns = shared.clock.mono_ns();
        if now_ns >= shared.checkpoints.give_up_ns.load(Ordering::Acquire) {
            shared.database.stop_checkpoints();
        }
        if now_ns.saturating_sub(told_ns) >= TELL_NS {
            told_ns = now_ns;
            let (done, shards) = (at.shards_done, at.shards);
            tracing::info!(
                phase = %at.phase,
                done,
                shards,
                entities = at.entities,
                bytes = at.bytes,
                bytes_copied = at.bytes_copied,
                "a checkpoint or backup goes on"
            );
        }
    })
}

fn tell_checkpoint(done: &Checkpointed) {
    let (number, lsn) = (done.number, done.lsn.0);
    if done.is_new {
        tracing::info!(
            number,
            lsn,
            entities = done.entities,
            bytes = done.bytes,
            took_ms = done.took_ms,
            segments_removed = done.segments_removed,
            "a checkpoint was made"
        );
    } else {
        tracing::info!(number, lsn, "nothing was written since the last checkpoint: it stands");
    }
}

fn is_stop(error: &engine::Error) -> bool {
    matches!(error, engine::Error::Storage(engine::StorageError::Closed))
}

/// What an operator does about a checkpoint that failed.
fn remedy(error: &engine::Error) -> &'static str {
    use engine::{Error as E, StorageError as S};
    match error {
        E::Storage(S::Full(_)) => {
            "free some space, or give the directory a larger disk: until a checkpoint succeeds the log only grows"
        }
        E::Storage(S::Damaged { remedy, .. }) => remedy.as_str(),
        E::Storage(S::Poisoned(_)) => "look at the disk, then restart",
        E::Storage(S::Closed) => "none: the server is stopping",
        E::Storage(S::NoLog) => "start the server with a sync policy other than memory",
        E::Storage(_) => "look at the disk and at the permissions of the directory",
        E::Busy(_) => "none: it is tried again",
        _ => "this is a defect: please report it, with the log",
    }
}

/// What an operator does about a backup that failed.
fn remedy_of_backup(error: &engine::Error) -> &'static str {
    use engine::{Error as E, StorageError as S};
    match error {
        E::Storage(S::Full(_)) => {
            "free some space on the disk of the server's backups: a copy is made there, and leaves the log what it may need"
        }
        E::Storage(S::NotEmpty { .. }) => "remove what lies in its place, then ask again",
        E::Storage(S::Io { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
            "see with `larder check` what of the history is damaged, then stop the server and put the history of a backup in the \
             place of it, files and manifest, or move the directory `history` away: history begins anew"
        }
        E::Storage(S::Io { .. }) => {
            "look at the disk, and at the permissions of the directories of the database and of its backups"
        }
        E::Busy(_) => "ask again",
        other => remedy(other),
    }
}

/// Says once that something has gone wrong, and once that it is right again.
fn tell_trouble(told: &mut Option<Trouble>, now: Option<Trouble>) {
    match (&told, &now) {
        (None, Some(trouble)) => {
            tracing::warn!(reason = trouble.reason, remedy = trouble.remedy, "not all is well");
        }
        (Some(_), None) => tracing::info!("all is well again"),
        _ => {}
    }
    *told = now;
}

/// The last checkpoint of a server that nobody talks to any more, if it is worth it: the next start then maps instead of replaying.
pub(crate) fn at_stop(shared: &Shared, policy: CheckpointAtStop) {
    let database = &shared.database;
    let log_bytes = database.log_bytes();
    // Without it the next start would find a damaged snapshot.
    let is_needed = database.needs_checkpoint();
    if (log_bytes == 0 && !is_needed) || policy == CheckpointAtStop::Never {
        return;
    }
    if database.wal().policy() == SyncPolicy::Memory || database.wal().refusal().is_some() {
        return;
    }
    // What is served from the mapped snapshot takes no memory, but is written anew all the same.
    let snapshot_bytes = database.wal().directory().snapshot().map_or(0, |snapshot| snapshot.bytes);
    let memory_bytes = database.memory_use().bytes.max(snapshot_bytes);
    if policy == CheckpointAtStop::Auto && !is_needed {
        let why = match () {
            () if log_bytes <= LOG_BYTES_WORTH => "the log is short",
            () if memory_bytes > MEMORY_BYTES_WORTH => "there is too much to write",
            () => "",
        };
        if !why.is_empty() {
            return tracing::info!(
                log_bytes,
                memory_bytes,
                why,
                "no last checkpoint: the next start replays the log"
            );
        }
    }
    tracing::info!(
        log_bytes,
        memory_bytes,
        "a last checkpoint, so that the next start maps instead of replaying"
    );
    // What went wrong was told, and the log holds everything.
    let _told = checkpoint(shared);
}

#[cfg(test)]
mod tests {
    use engine::{Error, Remedy, StorageError};

    use super::*;

    /// What a backup met was told as a checkpoint that failed and lost nothing, and sent the operator to look at permissions.
    #[test]
    fn a_failed_backup_has_the_remedy_of_what_it_met() {
        let damaged = |remedy| {
            let (file, why) = ("snapshot".to_owned(), "a bit".to_owned());
            Error::Storage(StorageError::Damaged { file, offset: 0, why, remedy })
        };
        for of_it in [Remedy::Snapshot, Remedy::Backup, Remedy::DropSnapshot] {
            assert_eq!(remedy_of_backup(&damaged(of_it)), of_it.as_str());
            assert_eq!(remedy(&damaged(of_it)), of_it.as_str());
        }
        let full = Error::Storage(StorageError::Full("no space".to_owned()));
        assert!(
            remedy_of_backup(&full).contains("backups"),
            "not the log, but the copy has no room"
        );
        assert!(remedy(&full).contains("log only grows"));
        let file = export::Error::file(std::path::Path::new("history/a.arrow"), "it is damaged");
        assert!(remedy_of_backup(&of_history(file)).contains("larder check"), "no defect");
    }
}
