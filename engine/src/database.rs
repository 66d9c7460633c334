//! The database: what is shared by every write and read. No logic of its own.

use std::sync::Arc;

use model::definition::{Definitions, Section, describe};
use stdx::{
    clock::Clock,
    prng::Prng,
    sync::{Mutex, RwLock},
};
use storage::{Directory, Vfs, Wal, snapshot::Snapshot};

use crate::{
    Config, Error, catalog::Catalog, changes::HistoryHold, checkpoint::Checkpoints,
    memory_limit::Accountant, producer::Producers, restore::Recovery, shard::ShardSet,
    stats::Counters, sweep::SweepCursor, write::Torn,
};

/// An open database. Share it by reference or [`Arc`]; every method takes `&self`.
pub struct Database<V: Vfs> {
    pub(crate) catalog: RwLock<Catalog>,
    pub(crate) shards: ShardSet,
    pub(crate) producers: Producers,
    pub(crate) counters: Counters,
    pub(crate) memory: Accountant,
    /// Most bytes of the log's buffers.
    pub(crate) log_buffers_bytes_max: usize,
    /// Where the sweep goes on.
    pub(crate) sweep: Mutex<SweepCursor>,
    /// Numbers for writes of nobody.
    pub(crate) anonymous: Mutex<Prng>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) history: HistoryHold,
    /// Most bytes of log that are kept for history alone.
    pub(crate) history_log_bytes_max: u64,
    /// The snapshot that tables are served from, when the database was opened with one.
    pub(crate) snapshot: Mutex<Option<Arc<Snapshot>>>,
    /// Bytes of a segment of the log.
    pub(crate) segment_bytes: u64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<Directory<V>>,
    pub(crate) wal: Wal<V>,
    pub(crate) torn: Torn,
    recovery: Recovery,
}

impl<V: Vfs> Database<V> {
    /// Opens the database in the directory of `vfs`: takes its lock, replays the log, and only then returns.
    ///
    /// # Errors
    /// [`Error::Storage`] when the directory is locked, unreadable or corrupt (nothing was touched then),
    /// [`Error::Format`] when the log holds what this release does not know.
    pub fn open(vfs: V, config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        crate::restore::open(vfs, config, config.wal(), clock)
    }

    pub(crate) fn assemble(
        parts: crate::restore::Memory,
        config: &Config,
        clock: Arc<dyn Clock>,
        (directory, wal): (Arc<Directory<V>>, Wal<V>),
        recovery: Recovery,
    ) -> Self {
        let database = Self {
            catalog: RwLock::new(parts.catalog),
            shards: parts.shards,
            producers: parts.producers,
            counters: Counters::default(),
            memory: Accountant::new(config.memory_bytes_max),
            log_buffers_bytes_max: config.log_buffers_bytes_max(),
            sweep: Mutex::new(SweepCursor::default()),
            anonymous: Mutex::new(Prng::stream(config.seed, "anonymous-writes")),
            checkpoints: Checkpoints::new(config, clock.mono_ns()),
            history: HistoryHold::default(),
            history_log_bytes_max: config.history_log_bytes_max,
            snapshot: Mutex::new(parts.snapshot),
            segment_bytes: config.segment_bytes,
            clock,
            directory,
            wal,
            torn: Torn::default(),
            recovery,
        };
        database.measure_memory();
        database.hold_for_history_so_far();
        database
    }

    /// Version of the definitions; 0 before the first apply.
    pub fn definitions_version(&self) -> u64 {
        self.catalog.read().version
    }

    /// Version and definitions.
    pub fn definitions(&self) -> (u64, Arc<Definitions>) {
        let catalog = self.catalog.read();
        (catalog.version, Arc::clone(&catalog.definitions))
    }

    /// Version and text of the definitions as they were applied last; empty before.
    pub fn definitions_text(&self) -> (u64, String) {
        let catalog = self.catalog.read();
        (catalog.version, catalog.history.last().map_or_else(String::new, |last| last.text.clone()))
    }

    /// Index of the group called `name`.
    ///
    /// # Errors
    /// [`Error::NotFound`] lists the groups there are.
    pub fn group_index(&self, name: &str) -> Result<usize, Error> {
        let (_, definitions) = self.definitions();
        let known = definitions.groups.iter().map(|group| group.name.as_str());
        definitions
            .group(name)
            .map(|(index, _)| index)
            .ok_or_else(|| Error::not_found("group", name, known))
    }

    /// Index of the stream called `name`.
    ///
    /// # Errors
    /// [`Error::NotFound`] lists the streams there are.
    pub fn stream_index(&self, name: &str) -> Result<usize, Error> {
        let (_, definitions) = self.definitions();
        let known = definitions.streams.iter().map(|stream| stream.name.as_str());
        definitions
            .stream(name)
            .map(|(index, _)| index)
            .ok_or_else(|| Error::not_found("stream", name, known))
    }

    /// What is defined: everything, or what is called `name`.
    ///
    /// # Errors
    /// [`Error::Invalid`] lists what there is.
    pub fn describe(&self, name: Option<&str>) -> Result<Vec<Section>, Error> {
        Ok(describe(&self.definitions().1, name)?)
    }

    /// What recovery found.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The log, for its positions and health.
    pub fn wal(&self) -> &Wal<V> {
        &self.wal
    }

    /// Ends as a killed process does: what was not written is gone. For demonstrations and tests.
    pub fn abandon(&self) {
        self.wal.abandon();
    }

    /// Writes and syncs what is in the log buffer, seals the log, stops its thread. Writes fail from here on.
    ///
    /// # Errors
    /// [`Error::Storage`] when that fails: what was acknowledged is still as safe as the sync policy made it.
    pub fn close(&self) -> Result<(), Error> {
        Ok(self.wal.close()?)
    }
}

impl<V: Vfs> std::fmt::Debug for Database<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("version", &self.catalog.read().version)
            .finish_non_exhaustive()
    }
}
