//! Recovery: the newest snapshot is mapped, then the log's suffix goes through the same functions as live writes.
//!
//! `snapshot` is what a snapshot gives, `fences` which records each part of it has already, `replay` does the rest.

mod fences;
mod replay;
mod snapshot;

use std::sync::Arc;

use stdx::clock::Clock;
use storage::{Directory, Vfs, Wal, WalConfig, snapshot::Snapshot};

use crate::{Config, Database, Error, catalog::Catalog, producer::Producers, shard::ShardSet};
use fences::Fences;

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
    let mut memory = Memory {
        catalog: Catalog::default(),
        shards: ShardSet::new(directory.key_seed()),
        producers: Producers::default(),
        snapshot: None,
        fences: Fences::default(),
    };
    if let Some(reference) = directory.snapshot() {
        memory.load(Snapshot::open(directory.vfs(), &reference, directory.cluster())?)?;
    }
    let mut failed = None;
    let opened = Wal::open(&directory, wal, Arc::clone(&clock), &mut |lsn, kind, payload| {
        memory.replay(lsn, kind, payload).map_err(|error| {
            let message = error.to_string();
            failed = Some(error);
            message.into()
        })
    });
    // What failed here says more than the log's "replay stopped".
    let (wal, report) = match (opened, failed) {
        (_, Some(error)) => return Err(error),
        (opened, None) => opened?,
    };
    Ok(Database::assemble(memory, config, clock, (directory, wal), report))
}
