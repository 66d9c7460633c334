//! Exports on a thread of their own, one at a time: no network thread waits for one, and no checkpoint does.
//!
//! Each is a directory below the one that the server was started with. It has its name when everything in it is on the disk; until
//! then it is called `<name>.partial`, which no client can ask for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use export::file::{FileFormat, clear_unfinished};
use export::group::{Options, Progress};
use protocol::{
    CallStatus, ExportFormat, ExportReply, ExportRequest, ExportedFile, Failure, StatValue,
};
use stdx::clock::Clock;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    dispatch::{failure, stopping},
    error::engine_failure,
    shared::Shared,
    unanswered::Body,
};

/// Requests that may wait while an export runs.
const WAITING_MAX: usize = 4;
/// Between two log lines about a running export.
const TELL_NS: u64 = 5_000_000_000;

/// A request for an export.
pub(crate) struct Asked {
    name: String,
    options: Options,
    answer: oneshot::Sender<Result<Body, Failure>>,
}

/// Where requests wait, and how the running one goes.
pub(crate) struct Exports {
    root: Option<PathBuf>,
    waiting: mpsc::Sender<Asked>,
    is_running: AtomicBool,
    rows: AtomicU64,
    rows_total: AtomicU64,
    bytes: AtomicU64,
    done_count: AtomicU64,
    failed_count: AtomicU64,
}

impl Exports {
    /// Exports below `root`, and the other end of the queue; without a root there are none.
    pub(crate) fn new(root: Option<PathBuf>) -> (Self, mpsc::Receiver<Asked>) {
        let (waiting, asked) = mpsc::channel(WAITING_MAX);
        let exports = Self {
            root,
            waiting,
            is_running: AtomicBool::default(),
            rows: AtomicU64::default(),
            rows_total: AtomicU64::default(),
            bytes: AtomicU64::default(),
            done_count: AtomicU64::default(),
            failed_count: AtomicU64::default(),
        };
        (exports, asked)
    }

    /// Asks for an export of `groups`, whatever else there will be when it begins; of what was decided under a version of the
    /// definitions, only while that is valid.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the server has no directory for exports, `OVERLOADED` when as many wait already as may.
    pub(crate) fn ask(
        &self,
        request: &ExportRequest<'_>,
        (groups, definitions_version): (Vec<String>, Option<u64>),
    ) -> Result<oneshot::Receiver<Result<Body, Failure>>, Failure> {
        self.root()?;
        let options = Options {
            format: match request.format {
                ExportFormat::Arrow => FileFormat::Arrow,
                ExportFormat::Parquet => FileFormat::Parquet,
            },
            groups: Some(groups),
            definitions_version,
            as_of: request.as_of,
            partials: request.partials,
            ..Options::default()
        };
        let (answer, answered) = oneshot::channel();
        let asked = Asked { name: request.name.to_owned(), options, answer };
        self.waiting.try_send(asked).map(|()| answered).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => failure(
                CallStatus::Overloaded,
                format!("an export runs and {WAITING_MAX} wait for it: ask again later"),
            ),
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })
    }

    /// For the server's figures.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (String, StatValue)> {
        let number = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let figures = [
            ("exports_running", u64::from(self.is_running.load(Ordering::Relaxed))),
            ("export_rows", number(&self.rows)),
            ("export_rows_total", number(&self.rows_total)),
            ("export_bytes", number(&self.bytes)),
            ("exports_done_count", number(&self.done_count)),
            ("exports_failed_count", number(&self.failed_count)),
        ];
        figures.into_iter().map(|(name, value)| (name.to_owned(), StatValue::U64(value)))
    }

    fn root(&self) -> Result<&Path, Failure> {
        self.root.as_deref().ok_or_else(|| {
            let message = "this server has no directory for exports: start it with --export-dir DIR, or export from a backup: larder export --data DIR --out DIR";
            failure(CallStatus::Unavailable, message)
        })
    }

    fn note(&self, progress: &Progress) {
        self.rows.store(progress.rows, Ordering::Relaxed);
        self.rows_total.store(progress.rows_total, Ordering::Relaxed);
        self.bytes.store(progress.bytes, Ordering::Relaxed);
    }
}

/// Writes exports until told to stop.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut asked: mpsc::Receiver<Asked>,
    mut stop: watch::Receiver<bool>,
) {
    let exports = &shared.exports;
    if let Some(root) = &exports.root {
        let removed = clear_unfinished(root);
        if removed > 0 {
            tracing::warn!(root = %root.display(), removed, "unfinished exports were removed");
        }
    }
    loop {
        let asked = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            Some(asked) = asked.recv() => asked,
        };
        exports.note(&Progress::default());
        exports.is_running.store(true, Ordering::Relaxed);
        let done = answer(&shared, &asked, &stop);
        exports.is_running.store(false, Ordering::Relaxed);
        let count = if done.is_ok() { &exports.done_count } else { &exports.failed_count };
        count.fetch_add(1, Ordering::Relaxed);
        // A client that left meanwhile is not waited for; the export stands all the same.
        let _ = asked.answer.send(done);
    }
}

/// Does what was asked for.
pub(crate) fn answer(
    shared: &Shared,
    asked: &Asked,
    stop: &watch::Receiver<bool>,
) -> Result<Body, Failure> {
    let (name, started_ns) = (asked.name.as_str(), shared.clock.mono_ns());
    let target = shared.exports.root()?.join(name);
    tracing::info!(name, "an export begins");
    let mut told_ns = started_ns;
    let mut tell = |progress: &Progress| {
        shared.exports.note(progress);
        let now_ns = shared.clock.mono_ns();
        if now_ns.saturating_sub(told_ns) >= TELL_NS {
            told_ns = now_ns;
            let (rows, rows_total, bytes) = (progress.rows, progress.rows_total, progress.bytes);
            tracing::info!(group = progress.group, rows, rows_total, bytes, "an export goes on");
        }
        if *stop.borrow() {
            return Err(export::Error::Engine(engine::StorageError::Closed.into()));
        }
        Ok(())
    };
    let done = export::group::export(&shared.database, &target, &asked.options, &mut tell);
    let took_ms = shared.clock.mono_ns().saturating_sub(started_ns) / 1_000_000;
    let done = done.map_err(|error| {
        tracing::warn!(name, %error, "an export failed: nothing of it is left");
        export_failure(error)
    })?;
    let (files, rows, bytes) = (done.files.len() as u64, done.rows(), done.bytes());
    tracing::info!(name, files, rows, bytes, took_ms, "an export was made");
    let listed = done.files.into_iter().take(model::limits::EXPORT_FILES_LISTED_MAX);
    let reply = ExportReply {
        directory: target.canonicalize().unwrap_or(target).display().to_string(),
        lsn: done.lsn,
        definitions_version: done.definitions_version,
        took_ms,
        file_count: files,
        rows,
        bytes,
        files: listed
            .map(|file| ExportedFile {
                group: file.group,
                path: file.path,
                rows: file.rows,
                bytes: file.bytes,
                checksum: file.checksum,
            })
            .collect(),
    };
    Ok(Box::new(move |out| reply.encode(out)))
}

/// Errors of the offline side as statuses.
fn export_failure(error: export::Error) -> Failure {
    use export::Error as E;
    let message = error.to_string();
    match error {
        E::Engine(error) => engine_failure(error),
        E::Model(_) | E::File { .. } | E::Usage(_) => failure(CallStatus::Invalid, message),
        E::Io { .. } => failure(CallStatus::Unavailable, message),
        _ => failure(CallStatus::Internal, message),
    }
}
