//! The start of a server, tried: the very code of [`Database::open`], on an overlay that keeps its writes in memory.

use std::sync::Arc;

use stdx::clock::Clock;
use storage::{SyncPolicy, Vfs, fs::OverlayFs};

use crate::{Config, Database, Error, read::ScanCursor};

/// What is in memory after the start, every entity of it read once.
#[derive(Debug, Default)]
pub(super) struct Started {
    /// Each group's name and entities.
    pub(super) groups: Vec<(String, u64)>,
    /// Groups that cannot be read to their end, and why.
    pub(super) unreadable: Vec<(String, Error)>,
}

/// Opens the directory of `vfs`, whose lock the caller holds, and reads everything in it.
///
/// # Errors
/// Those of [`Database::open`].
pub(super) fn start<V: Vfs>(vfs: &V, clock: Arc<dyn Clock>) -> Result<Started, Error> {
    let config = Config {
        sync: SyncPolicy::Always,
        seed: 0,
        checkpoint_every_ms: None,
        checkpoint_wal_bytes: None,
        ..Config::default()
    };
    let database = Database::open_stepped(OverlayFs::new(vfs.clone()), &config, clock)?;
    let (_, definitions) = database.definitions();
    let names = definitions.groups.iter().map(|group| group.name.to_string());
    let counts = database.group_memory().into_iter().map(|memory| memory.entities);
    let mut started = Started { groups: names.zip(counts).collect(), unreadable: Vec::new() };
    for (name, _) in &started.groups {
        if let Err(error) = read_all(&database, name) {
            started.unreadable.push((name.clone(), error));
        }
    }
    database.abandon();
    Ok(started)
}

/// Reads every entity of a group as a client would.
fn read_all<V: Vfs>(database: &Database<V>, group: &str) -> Result<(), Error> {
    let plan = database.plan_features(&[&format!("{group}:*")])?;
    let mut cursor = Some(ScanCursor::default());
    while let Some(from) = cursor {
        cursor = database.scan(&plan, from, model::limits::SCAN_PAGE_MAX)?.next;
    }
    Ok(())
}
