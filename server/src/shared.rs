//! What all connections share: the database, prepared handles, counts.

use std::sync::Arc;
use std::time::Duration;

use engine::{Database, OsFs};
use export::reads::ReadSample;
use stdx::clock::{Clock, SystemClock};
use tokio::sync::mpsc;

use crate::{
    Config, Error, Spans,
    access::{state::Access, witness::Witness},
    audit::{self, Audit},
    backups::Backups,
    buffers::Buffers,
    bulk::{Bulk, BulkEnds},
    checkpointer::{self, Queue},
    door::{self, Handshakes, Places},
    exporter::{self, Exports},
    handles::Handles,
    historian::Historian,
    load::Load,
    metrics::Metrics,
    read_log::ReadLogs,
    seats::{Arrival, Seats},
    slow::SlowLog,
    tls::Tls,
};

/// Where other threads than the network's get their work from.
pub(crate) struct Ends {
    /// Connections, for each network thread.
    pub(crate) arrivals: Vec<mpsc::Receiver<Arrival>>,
    /// Checkpoints that are asked for.
    pub(crate) asked: mpsc::Receiver<checkpointer::Asked>,
    /// Exports that are asked for.
    pub(crate) wanted: mpsc::Receiver<exporter::Asked>,
    /// Reads to log.
    pub(crate) logged: mpsc::Receiver<ReadSample>,
    /// Requests that take long.
    pub(crate) long: BulkEnds,
    /// What was done, for the audit log.
    pub(crate) audited: Option<audit::Writing>,
}

/// State of a server.
pub(crate) struct Shared {
    pub(crate) database: Database<OsFs>,
    pub(crate) handles: Handles,
    /// Upper half of every mark, random for each start: what an earlier server marked is not taken for this one's.
    epoch: u64,
    /// Who may do what; `None`: everybody everything.
    pub(crate) access: Option<Access>,
    pub(crate) witness: Witness,
    /// With a policy: how long a connection may take until it has said who it is.
    pub(crate) hello_within: Duration,
    pub(crate) connections: Places,
    /// Which thread serves them.
    pub(crate) seats: Seats,
    pub(crate) checkpoints: Queue,
    pub(crate) backups: Backups,
    pub(crate) exports: Exports,
    pub(crate) history: Historian,
    pub(crate) reads: ReadLogs,
    pub(crate) bulk: Bulk,
    pub(crate) audit: Audit,
    pub(crate) load: Load,
    pub(crate) metrics: Metrics,
    pub(crate) slow: SlowLog,
    pub(crate) spans: Option<Spans>,
    pub(crate) clock: SystemClock,
    /// Certificates; `None`: both ports are plain.
    pub(crate) tls: Option<Arc<Tls>>,
    /// TLS handshakes that are under way.
    pub(crate) handshakes: Handshakes,
    /// How long one may take.
    pub(crate) handshake: Duration,
    /// What connections hold together.
    pub(crate) buffers: Arc<Buffers>,
    /// How long a request may take to come.
    pub(crate) unfinished: Duration,
    /// How long a peer may take to read nothing of what is sent to it.
    pub(crate) stall: Duration,
    /// How long a connection may take to finish once the server stops.
    pub(crate) drain: Duration,
}

impl Shared {
    /// State of a server of `database`, and the other ends of its queues.
    ///
    /// # Errors
    /// [`Error::Access`], [`Error::Audit`].
    pub(crate) fn new(
        database: Database<OsFs>,
        epoch: u32,
        config: &Config,
    ) -> Result<(Self, Ends), Error> {
        let clock = SystemClock::new();
        let access = config.access.clone().map(|path| Access::open(path, clock.wall_ms()));
        let access = access.transpose().map_err(Error::Access)?;
        let (audit, audited) =
            Audit::open(config.audit.as_ref(), database.definitions_version(), clock.wall_ms())?;
        let (checkpoints, asked) = Queue::new();
        let (exports, wanted) = Exports::new(config.exports.clone());
        let (reads, logged) = ReadLogs::new(config.history.clone());
        let (bulk, long) = Bulk::new(config.threads, config.buffer_bytes / 2);
        let room = door::room_for(config.max_connections);
        let connections = Places::new("a connection", room, config.max_connections_per_address);
        // With TLS connections stay where they are: all threads from the beginning.
        let used = if config.tls.is_some() { config.threads } else { 1 };
        let (seats, arrivals) = Seats::new(config.threads, used);
        let shared = Self {
            seats,
            database,
            handles: Handles::new(),
            epoch: u64::from(epoch) << 32,
            buffers: Buffers::new(config.buffer_bytes),
            unfinished: config.unfinished,
            connections,
            checkpoints,
            backups: Backups::new(config.backups.clone()),
            exports,
            history: Historian::new(config.history.clone(), config.history_limits),
            reads,
            bulk,
            audit,
            load: Load::default(),
            metrics: Metrics::new(config.threads),
            slow: SlowLog::new(config.slow),
            spans: config.spans.clone(),
            stall: config.stall,
            clock,
            access,
            witness: Witness::default(),
            hello_within: config.hello_within,
            tls: None,
            // Not the epoch: cursors show that to whoever scans.
            handshakes: Handshakes::new(stdx::prng::seed_from_os()),
            handshake: config.handshake,
            drain: config.drain,
        };
        Ok((shared, Ends { arrivals, asked, wanted, logged, long, audited }))
    }

    /// Tells this start of the server and this version of the definitions from all others.
    pub(crate) fn mark(&self, version: u64) -> u64 {
        self.epoch | (version & u64::from(u32::MAX))
    }
}
