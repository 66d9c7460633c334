//! What outlives a database: its disk, the clocks, and what clients know and still want.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{Config, Outcome, StorageError, SyncPolicy};
use stdx::{
    clock::{Clock as _, ManualClock},
    prng::Prng,
};
use storage::{Vfs as _, fs::SimFs};

use crate::{
    check::Scale,
    coverage::Coverage,
    failure::{Failure, Unexpected},
    history::{History, Writer},
    model::Model,
    operation::Write,
    schema::START_MS,
    trace::Trace,
};

/// Clients that number their writes.
pub(crate) const PRODUCERS: u8 = 3;
/// Small, so that segments are many.
const SEGMENT_BYTES: u64 = 6 * 1024;

/// What may fail in a life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// The power goes, or an operation fails.
    pub(crate) disk: bool,
    /// The disk has been full.
    pub(crate) full: bool,
    /// From this operation on there is no power.
    pub(crate) power_off_at: Option<u64>,
}

/// See the module.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) life: u64,
    pub(crate) policy: SyncPolicy,
    pub(crate) scale: Scale,
    pub(crate) fs: SimFs,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) prng: Prng,
    pub(crate) history: History,
    /// After all of the history.
    pub(crate) model: Model,
    /// Writes whose senders got no answer: they send them again.
    pub(crate) unanswered: Vec<Write>,
    /// Writes that did nothing and left no record, with the life they were in: later ones may have forgotten the answer.
    pub(crate) unlogged: BTreeMap<Writer, (u64, Outcome)>,
    /// Next sequence of each producer.
    pub(crate) sequences: [u64; PRODUCERS as usize + 1],
    /// Ids of orders below this one were used.
    pub(crate) next_order: i64,
    /// An answer of the database counted where the model has none: its history cannot be repeated from nothing.
    pub(crate) is_ambiguous: bool,
    pub(crate) faults: Faults,
    pub(crate) coverage: Coverage,
    pub(crate) trace: Trace,
}

impl World {
    pub(crate) fn new(seed: u64, is_shown: bool) -> Self {
        let mut prng = Prng::new(seed);
        let policy = match prng.below(4) {
            0 => SyncPolicy::Os,
            1 => SyncPolicy::Interval,
            _ => SyncPolicy::Always,
        };
        // Few entities meet often; many fill every shard.
        let users = if prng.chance(0.03) { 300 } else { 10 };
        Self {
            seed,
            life: 0,
            policy,
            scale: Scale { users, shops: 4 },
            fs: SimFs::new(),
            clock: Arc::new(ManualClock::at(START_MS)),
            prng,
            history: History::default(),
            model: Model::default(),
            unanswered: Vec::new(),
            unlogged: BTreeMap::new(),
            sequences: [1; PRODUCERS as usize + 1],
            next_order: 1,
            is_ambiguous: false,
            faults: Faults::default(),
            coverage: Coverage::default(),
            trace: Trace::new(is_shown),
        }
    }

    /// How the database is opened.
    pub(crate) fn config(&self) -> Config {
        let seed = self.seed.wrapping_mul(1_000).wrapping_add(self.life);
        let mut prng = Prng::stream(seed, "config");
        Config {
            sync: self.policy,
            seed,
            segment_bytes: SEGMENT_BYTES,
            // What a start finds does not depend on them; threads cost more than such a log.
            replay_threads: if prng.chance(0.05) { 3 } else { 1 },
            replay_chunk_bytes: usize::try_from(prng.below(2_000)).unwrap_or(0),
            ..Config::default()
        }
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        self.clock.wall_ms()
    }

    /// The power is gone.
    pub(crate) fn is_off(&self) -> bool {
        self.faults.power_off_at.is_some_and(|at| self.fs.operations() >= at)
    }

    /// Bytes of all files.
    pub(crate) fn used_bytes(&self) -> u64 {
        let names = self.fs.list().unwrap_or_default();
        names.iter().map(|name| self.fs.bytes(name).len() as u64).sum()
    }

    /// Ends well when what was done to the disk explains the error.
    ///
    /// # Errors
    /// The failure, otherwise.
    pub(crate) fn tolerate(&self, failure: Failure) -> Result<(), Failure> {
        let Unexpected::Error(engine::Error::Storage(error)) = &failure.unexpected else {
            return Err(failure);
        };
        let is_explained = match error {
            StorageError::Io { .. } | StorageError::Poisoned(_) | StorageError::Closed => {
                self.faults.disk
            }
            StorageError::Full(_) => self.faults.full,
            _ => false,
        };
        if is_explained { Ok(()) } else { Err(failure) }
    }
}
