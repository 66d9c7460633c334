//! The tables of all shards on their way into a snapshot.

use std::sync::Arc;
use stdx::mutant::{Mutant, is_planted};

use storage::{
    Vfs,
    snapshot::{Snapshot, SnapshotWriter},
};

use super::{CheckpointPhase, CheckpointProgress, PIECE_BYTES, SectionKind};
use crate::{
    Database, Error,
    base::{BaseWriter, GoOn, Ordinals, Records},
    shard::{GroupTable, SHARD_COUNT},
};

/// Entities written under one shared lock: some tens of microseconds.
const STEP_ENTITIES: usize = 128;

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Of each shard, the newest record that is in it.
    pub(super) fences: Vec<u64>,
    pub(super) entities: u64,
    /// Of each table, by shard and group, the entities of the last snapshot that come first in it.
    carried: Vec<Vec<Ordinals>>,
}

impl<V: Vfs> Database<V> {
    /// Writes every table of every shard; nothing when definitions are not of `version` any more.
    pub(super) fn write_tables(
        &self,
        out: &mut SnapshotWriter<V>,
        version: u64,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<Option<Tables>, Error> {
        let mut tables = Tables::default();
        // Of the whole checkpoint: thousands of small tables are as many bytes as a large one.
        let mut told = out.position();
        for shard in 0..SHARD_COUNT {
            let Some(fence) = self.fence(shard, version) else { return Ok(None) };
            let _unfenced = Unfence { database: self, shard };
            tables.fences.push(fence);
            self.tell(progress, shard, &tables, out.position());
            let groups = self.catalog.read().groups.len();
            let mut carried = Vec::with_capacity(groups);
            for group in 0..groups {
                let mut go_on = |position: u64| {
                    if position - told < PIECE_BYTES as u64 {
                        return Ok(());
                    }
                    told = position;
                    self.tell(progress, shard, &tables, position);
                    self.checkpoints.may_go_on()
                };
                let written = self.write_table(out, (shard, group), &mut go_on)?;
                let Some(written) = written else { return Ok(None) };
                tables.entities += u64::from(written.0);
                carried.push(written.1);
            }
            tables.carried.push(carried);
            self.tell(progress, shard + 1, &tables, out.position());
            self.checkpoints.may_go_on()?;
        }
        Ok(Some(tables))
    }

    fn tell(
        &self,
        progress: &mut dyn FnMut(CheckpointProgress),
        shards_done: usize,
        tables: &Tables,
        bytes: u64,
    ) {
        let entities = tables.entities;
        let (phase, shards) = (CheckpointPhase::Writing, SHARD_COUNT);
        let now =
            CheckpointProgress { phase, shards_done, shards, entities, bytes, bytes_copied: 0 };
        self.checkpoints.at(now);
        progress(now);
    }

    /// Fences a shard; the newest record that it holds. Nothing when definitions are of another version.
    fn fence(&self, shard: usize, version: u64) -> Option<u64> {
        let catalog = self.catalog.read();
        if catalog.version != version {
            return None;
        }
        let mut tables = self.shards.write_one(shard);
        tables.fence();
        let lsn = self.wal.appended_lsn().0;
        Some(if is_planted(Mutant::FenceOffByOne) { lsn + 1 } else { lsn })
    }

    /// Writes one table as it was at the fence; how many entities. Nothing when definitions changed and took the fence away.
    /// `go_on` is told the bytes of the snapshot again and again, while no lock is held.
    fn write_table(
        &self,
        out: &mut SnapshotWriter<V>,
        (shard, group): (usize, usize),
        go_on: &mut GoOn<'_>,
    ) -> Result<Option<(u32, Ordinals)>, Error> {
        let kind = match self.shards.read(shard).table(group) {
            Some(GroupTable::Rows(_)) => SectionKind::Rows,
            Some(GroupTable::Windows(_)) => SectionKind::Windows,
            None => return Ok(None),
        };
        out.begin(kind.of(shard, group));
        let (mut table, mut records) = (BaseWriter::default(), Records::default());
        loop {
            records.clear();
            let step = {
                let shard = self.shards.read(shard);
                let table = shard.table(group);
                let hasher = self.shards.hasher();
                table
                    .map_or(Ok(None), |table| table.write_step(hasher, STEP_ENTITIES, &mut records))
            };
            let Some(is_over) = step? else { return Ok(None) };
            table.add(out, &records, go_on)?;
            if is_over {
                break;
            }
        }
        let last = {
            let mut shard = self.shards.write_one(shard);
            shard.table_mut(group).and_then(|table| {
                let fence = table.unfence()?;
                Some((table.extra(&fence), fence))
            })
        };
        let Some((extra, fence)) = last else { return Ok(None) };
        table.add(out, fence.images(), go_on)?;
        let written = table.finish(out, extra, go_on)?;
        out.end();
        Ok(Some(written))
    }

    /// Has tables that were served from the last snapshot be served from this one, so that the last one's file can go.
    ///
    /// # Errors
    /// [`Error::Storage`]: some tables go on with the last one.
    pub(super) fn rebase(&self, snapshot: &Arc<Snapshot>, tables: &Tables) -> Result<(), Error> {
        for (shard, carried) in tables.carried.iter().enumerate() {
            let mut shard_tables = self.shards.write_one(shard);
            shard_tables.renumber();
            for (group, carried) in carried.iter().enumerate() {
                let Some(table) = shard_tables.table_mut(group) else { continue };
                let kind = match table {
                    GroupTable::Rows(_) => SectionKind::Rows,
                    GroupTable::Windows(_) => SectionKind::Windows,
                };
                if let Some(section) = snapshot.section(kind.of(shard, group)) {
                    table.rebase(section, carried)?;
                }
            }
        }
        Ok(())
    }
}

/// Takes the fences of a shard away, however its writing ends.
struct Unfence<'a, V: Vfs> {
    database: &'a Database<V>,
    shard: usize,
}

impl<V: Vfs> Drop for Unfence<'_, V> {
    fn drop(&mut self) {
        self.database.shards.write_one(self.shard).unfence();
    }
}
