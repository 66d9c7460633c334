//! Recovery: the newest snapshot is mapped, then the log's suffix goes through the same functions as live writes.
//!
//! `snapshot` is what a snapshot gives, `fences` which records each part of it has already. The rest of the log comes as chunks
//! (`chunk`) from the thread that reads it (`pipeline`); each is done by `replay`: `routed`, then `by_shard`, then `in_order`, with
//! work shared out among threads by `share`. `progress` tells how far it is.

mod by_shard;
mod chunk;
mod fences;
mod in_order;
mod pipeline;
mod progress;
mod replay;
mod routed;
mod share;
mod snapshot;

use std::cell::RefCell;
use std::sync::Arc;

use stdx::clock::Clock;
use storage::{Directory, Lsn, RecoveryReport, TornTail, Vfs, Wal, WalConfig, snapshot::Snapshot};

use crate::{Config, Database, Error, catalog::Catalog, producer::Producers, shard::ShardSet};
use fences::Fences;
use pipeline::{Pipeline, Stopped};
use progress::Progress;

/// What a start found in the log, and what it took to replay it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records read.
    pub records: u64,
    /// Those of them that the snapshot does not have.
    pub replayed: u64,
    /// The bytes of all that were read.
    pub bytes: u64,
    /// Segments read.
    pub segments: u64,
    /// The unfinished end that was cut off, if there was one.
    pub torn_tail: Option<TornTail>,
    /// How long it took to read all and to do what it says, in ms.
    pub took_ms: u64,
    /// Threads that did so, once there was enough to do.
    pub threads: usize,
}

/// Everything that is restored.
pub(crate) struct Memory {
    pub(crate) catalog: Catalog,
    pub(crate) shards: ShardSet,
    pub(crate) producers: Producers,
    /// The mapped snapshot, when there is one.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    fences: Fences,
}

/// See [`Database::open`].
pub(crate) fn open<V: Vfs>(
    vfs: V,
    config: &Config,
    wal: WalConfig,
    clock: Arc<dyn Clock>,
) -> Result<Database<V>, Error> {
    let directory = Directory::open(vfs, config.seed)?;
    if directory.is_inferred() {
        tracing::warn!(
            "MANIFEST is missing: right for a directory of before there were manifests, which gets one now; else it was removed, and \
             if the newest segments of the log were removed with it, what they held is gone: compare with a backup"
        );
    }
    let mut memory = Memory {
        catalog: Catalog::default(),
        shards: ShardSet::new(directory.key_seed()),
        producers: Producers::default(),
        snapshot: None,
        fences: Fences::default(),
    };
    if let Some(reference) = directory.snapshot() {
        let opened = Snapshot::open(directory.vfs(), &reference, directory.cluster());
        let loaded = opened.map_err(Error::from).and_then(|snapshot| memory.load(snapshot));
        let first_lsn = directory.manifest().segments.first().map(|first| first.first_lsn);
        loaded.map_err(|error| error.with_log(first_lsn))?;
    }
    let (wal, recovery) = replay(&directory, config, wal, Arc::clone(&clock), &mut memory)?;
    memory.replayed();
    Ok(Database::assemble(memory, config, clock, (directory, wal), recovery))
}

/// Opens the log and does what it says. Nothing in the directory is changed before all of it is done.
fn replay<V: Vfs>(
    directory: &Arc<Directory<V>>,
    config: &Config,
    wal: WalConfig,
    clock: Arc<dyn Clock>,
    memory: &mut Memory,
) -> Result<(Wal<V>, Recovery), Error> {
    let threads = config.replay_threads.max(1);
    let mut progress = Progress::new(Arc::clone(&clock));
    let (replay_from, mut replayed) = (memory.fences.replay_from(), 0);
    let (wal, report) = std::thread::scope(|scope| {
        // The log calls one of two functions, never one within the other.
        let pipeline = Pipeline::new(scope, memory, threads, config.replay_chunk_bytes);
        let (pipeline, failed) = (RefCell::new(pipeline), RefCell::new(None));
        let mut take = |lsn: Lsn, kind, payload: &[u8]| {
            progress.read(payload);
            replayed += u64::from(lsn.0 >= replay_from);
            let taken = pipeline.borrow_mut().record(lsn, kind, payload);
            let is_chunk = taken.map_err(|Stopped| Box::<str>::from("a record cannot be done"))?;
            if is_chunk {
                progress.tell(|| Wal::bytes_to_read(directory).unwrap_or(0));
            }
            Ok(())
        };
        let finish = || {
            pipeline.borrow_mut().finish().map_err(|error| {
                let message = error.to_string();
                *failed.borrow_mut() = Some(error);
                message.into_boxed_str()
            })
        };
        let opened = Wal::open_with(directory, wal, clock, &mut take, &mut || finish());
        // A record that cannot be done, before whatever the log says of what comes behind it: it says more.
        let _told = finish();
        match failed.take() {
            Some(error) => Err(error),
            None => Ok(opened?),
        }
    })?;
    let RecoveryReport { records, segments, torn_tail } = report;
    let (bytes, took_ms) = (progress.bytes, progress.took_ms());
    Ok((wal, Recovery { records, replayed, bytes, segments, torn_tail, took_ms, threads }))
}
