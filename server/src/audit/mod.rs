//! The log of who did what: lines that are hashed into a chain, written by a thread of its own.
//!
//! ```text
//! handler ─ event ──► bounded queue ──► writer ─ every 100 ms ─► audit-<number of its first line>.jsonl, synced once a second
//! handler ─ counts ─► tally of the connection ─ every second ─┘
//! ```
//!
//! Whoever serves requests waits for nothing here: what finds no room in the queue, or no room on the disk, is dropped and counted,
//! and the next line that can be written says how much. Reads are sampled, writes counted by connection, group and second; denials,
//! deletes, changes of definitions and what operators do are told one by one. Not here: who may do what (`access`).

pub(crate) mod acts;
mod event;
mod file;
#[cfg(test)]
mod golden;
mod key;
mod line;
mod log;
mod peer;
mod tally;
mod verify;
mod walk;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use model::limits::{AUDIT_FILE_BYTES_MAX, AUDIT_STRANGERS_TOLD_MAX, AUDIT_WAITING_MAX};
use protocol::StatValue;
use stdx::{prng::seed_from_os, sync::Mutex};
use tokio::sync::mpsc;

pub(crate) use event::{Event, Who};
pub use key::DeploymentKey;
pub(crate) use peer::AuditedPeer;
pub(crate) use tally::Tally;
pub use verify::{Expected, Verified, parse_hash, verify};
pub(crate) use writer::{at_stop, run};

use crate::{Error, peer::Peer};
use line::Link;
use log::AuditLog;

/// The event of a line that says how many were lost.
const DROPPED: &str = "dropped";
/// The event of a line that says what was not allowed.
const DENIED: &str = "denied";

/// What is logged, and where.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// The directory of the log; made when it is not there. One server writes it.
    pub directory: PathBuf,
    /// Entity keys are told as hashes under this key; without one they are not told.
    pub key: Option<DeploymentKey>,
    /// The part of reads that is told, 0 to 1.
    pub reads: f64,
    /// A file that is as large is followed by another one, in bytes.
    pub file_bytes_max: u64,
}

impl AuditOptions {
    /// One read of a hundred, no keys.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, key: None, reads: 0.01, file_bytes_max: AUDIT_FILE_BYTES_MAX }
    }
}

/// The writer's end.
pub(crate) struct Writing {
    log: AuditLog,
    key: Option<DeploymentKey>,
    arriving: mpsc::Receiver<Event>,
}

/// What is between those who do something and the thread that writes.
pub(crate) struct Audit {
    /// `None`: nothing is logged.
    waiting: Option<mpsc::Sender<Event>>,
    reads: f64,
    seed: u64,
    /// Of every connection, and of those that are gone and were not told yet.
    tallies: Mutex<Vec<Arc<Tally>>>,
    lines: AtomicU64,
    dropped: AtomicU64,
    /// Of them, how many a line has told of.
    dropped_told: AtomicU64,
    is_failing: AtomicBool,
    /// Denials of peers that nobody knows, since counts were told.
    strangers: AtomicU64,
    last: Mutex<Link>,
    /// What the thread left when the server stopped.
    rest: Mutex<Option<Writing>>,
    draws: AtomicU64,
}

impl Audit {
    /// A log as `options` say, with its first line for this start written, and the writer's end.
    ///
    /// # Errors
    /// [`Error::Audit`]: a server that is to be audited and cannot be does not start.
    pub(crate) fn open(
        options: Option<&AuditOptions>,
        definitions_version: u64,
        now_ms: i64,
    ) -> Result<(Self, Option<Writing>), Error> {
        let mut audit = Self {
            waiting: None,
            reads: 0.0,
            seed: seed_from_os(),
            tallies: Mutex::new(Vec::new()),
            lines: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            dropped_told: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            strangers: AtomicU64::new(0),
            last: Mutex::new(Link::START),
            rest: Mutex::new(None),
            draws: AtomicU64::new(0),
        };
        let Some(options) = options else { return Ok((audit, None)) };
        let failed = |error: std::io::Error| {
            let directory = options.directory.display();
            Error::Audit(format!("{directory}: the audit log cannot be written: {error}"))
        };
        let log = AuditLog::open(&options.directory, options.file_bytes_max, now_ms);
        let (sender, arriving) = mpsc::channel(AUDIT_WAITING_MAX);
        let key = options.key.clone();
        let mut writing = Writing { log: log.map_err(failed)?, key, arriving };
        (audit.waiting, audit.reads) = (Some(sender), options.reads);
        let start = Event::new(now_ms, "start")
            .with("version", env!("CARGO_PKG_VERSION"))
            .with("definitions_version", definitions_version)
            .with("reads", options.reads)
            .with("keys_are_hashed", options.key.is_some());
        writing.log.append(vec![start]).and_then(|()| writing.log.sync()).map_err(failed)?;
        *audit.last.lock() = writing.log.link();
        Ok((audit, Some(writing)))
    }

    /// Something is logged.
    pub(crate) fn is_on(&self) -> bool {
        self.waiting.is_some()
    }

    /// Hands over a line; without room it is dropped, and counted.
    pub(crate) fn offer(&self, event: Event) {
        let Some(waiting) = &self.waiting else { return };
        if waiting.try_send(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A peer that nobody knows was denied something. Whether that is told by itself.
    fn tells_stranger(&self) -> bool {
        self.strangers.fetch_add(1, Ordering::Relaxed) < AUDIT_STRANGERS_TOLD_MAX
    }

    /// A connection began.
    pub(crate) fn connected(&self, peer: &Peer) -> AuditedPeer {
        if !self.is_on() {
            return AuditedPeer::default();
        }
        let tally = Arc::new(Tally::new(Who { subject: None, peer: peer.to_string().into() }));
        self.tallies.lock().push(Arc::clone(&tally));
        AuditedPeer::new(tally, self.reads, self.next_seed())
    }

    fn next_seed(&self) -> u64 {
        self.seed.wrapping_add(self.draws.fetch_add(1, Ordering::Relaxed))
    }

    /// For the statistics.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (String, StatValue)> + use<> {
        let number = |counter: &AtomicU64| StatValue::U64(counter.load(Ordering::Relaxed));
        let last = *self.last.lock();
        let is_failing = u64::from(self.is_failing.load(Ordering::Relaxed));
        let figures = self.is_on().then(|| {
            [
                ("audit_lines", number(&self.lines)),
                ("audit_dropped", number(&self.dropped)),
                ("audit_is_failing", StatValue::U64(is_failing)),
                ("audit_last_line", StatValue::U64(last.sequence)),
                ("audit_last_hash", StatValue::Text(line::hex(&last.hash))),
            ]
        });
        figures.into_iter().flatten().map(|(name, value)| (name.to_owned(), value))
    }
}
