//! What all connections share: the database, prepared handles, counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use engine::{Database, OsFs, ReadPlan};
use stdx::clock::SystemClock;

use crate::{
    Config,
    backups::Backups,
    checkpointer::Queue,
    exporter::Exports,
    historian::Historian,
    read_log::{Logged, ReadLogs},
};

/// What a handle stands for.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// A service or a list of features.
    Vectors {
        /// What is read.
        plan: ReadPlan,
        /// Of what is read some is logged.
        logged: Option<Logged>,
    },
    /// A group: to put into, delete from, scan.
    Group {
        /// Its index.
        group: usize,
        /// Rows can be put into it.
        is_rows: bool,
        /// What a scan reads.
        plan: ReadPlan,
    },
    /// A stream, by its index.
    Stream(usize),
}

/// Most handles at once. Handles of equal requests are shared, so that only definitions and ad-hoc lists make new ones.
const HANDLES_MAX: usize = 65_536;

/// State of a server.
pub(crate) struct Shared {
    pub(crate) database: Database<OsFs>,
    /// By handle. Cold: touched once a request, written when a client prepares.
    handles: DashMap<u64, Arc<Prepared>>,
    /// Handle of each prepared request, by its bytes and the version of the definitions.
    known: DashMap<(u64, Vec<u8>), u64>,
    /// Upper half of every handle, random for each start: a handle of an earlier server is not taken for one of this.
    epoch: u64,
    pub(crate) connections: AtomicUsize,
    pub(crate) checkpoints: Queue,
    pub(crate) backups: Backups,
    pub(crate) exports: Exports,
    pub(crate) history: Historian,
    pub(crate) reads: ReadLogs,
    pub(crate) clock: SystemClock,
    /// How long a connection may take to finish once the server stops.
    pub(crate) drain: Duration,
}

impl Shared {
    pub(crate) fn new(
        database: Database<OsFs>,
        epoch: u32,
        config: &Config,
        (checkpoints, exports, reads): (Queue, Exports, ReadLogs),
    ) -> Self {
        Self {
            database,
            handles: DashMap::new(),
            known: DashMap::new(),
            epoch: u64::from(epoch) << 32,
            connections: AtomicUsize::new(0),
            checkpoints,
            backups: Backups::new(config.backups.clone()),
            exports,
            history: Historian::new(config.history.clone(), config.history_limits),
            reads,
            clock: SystemClock::new(),
            drain: config.drain,
        }
    }

    /// Tells this start of the server and this version of the definitions from all others.
    pub(crate) fn mark(&self, version: u64) -> u64 {
        self.epoch | (version & u64::from(u32::MAX))
    }

    /// What `handle` stands for.
    pub(crate) fn prepared(&self, handle: u64) -> Option<Arc<Prepared>> {
        self.handles.get(&handle).map(|entry| Arc::clone(entry.value()))
    }

    /// The handle of a request that was prepared before under these definitions; 0 when it was not.
    pub(crate) fn known_handle(&self, version: u64, request: &[u8]) -> u64 {
        self.known.get(&(version, request.to_vec())).map_or(0, |handle| *handle)
    }

    /// A handle for `prepared`. When there are too many, all are forgotten: clients prepare again by themselves.
    pub(crate) fn remember(&self, version: u64, request: &[u8], prepared: Prepared) -> u64 {
        if self.handles.len() >= HANDLES_MAX {
            self.handles.clear();
            self.known.clear();
        }
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed) as u64;
        let handle = self.epoch | (number & u64::from(u32::MAX));
        self.handles.insert(handle, Arc::new(prepared));
        self.known.insert((version, request.to_vec()), handle);
        handle
    }
}
