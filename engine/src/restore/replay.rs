//! A chunk of records is done in steps: routed by ranges, applied by shard, ended in log order. One worker and many call the same
//! functions, and what comes of it is the same: shards see their parts in log order, and so does everything else.
//!
//! ```text
//! records ──┬─► range ─► routed ──┬──┬─► shard ─► applied ──┬─► ids, clocks, producers, one after the other
//!           └─► range ─► routed ──┘  └─► shard ─► applied ──┘   (what was routed is freed beside it)
//! ```

use model::definition::Definitions;
use stdx::sync::Mutex;
use storage::Lsn;

use super::{Memory, chunk::Chunk, routed::Routed, share::share_out};
use crate::{Error, catalog::CatalogRecord, shard::SHARD_COUNT};

/// Ranges of a chunk for each worker, so that nobody waits for long for the one that was slowest.
const RANGES_PER_WORKER: usize = 4;

impl Memory {
    /// Makes a version of the definitions valid, as record `lsn` says. All records before it are done.
    pub(super) fn replay_definitions(&mut self, lsn: Lsn, payload: &[u8]) -> Result<(), Error> {
        if lsn.0 < self.fences.replay_from() {
            return Ok(());
        }
        self.definitions(CatalogRecord::decode(payload)?)
    }

    /// Makes a version of the definitions valid.
    pub(super) fn definitions(&mut self, record: CatalogRecord) -> Result<(), Error> {
        let definitions =
            Definitions::parse(&record.file, &record.text, &self.catalog.definitions)?;
        self.catalog.adopt(definitions, record, &self.shards);
        Ok(())
    }

    /// Does what the records of `chunk` say, with `workers` threads. Definitions are not among them.
    ///
    /// # Errors
    /// That of the first record, in log order, that cannot be done: nothing must be served then.
    pub(super) fn replay(&self, chunk: &Chunk, workers: usize) -> Result<(), Error> {
        let ranges = chunk.ranges(if workers <= 1 { 1 } else { workers * RANGES_PER_WORKER });
        let mut routed = share_out(workers, ranges.len(), |index| {
            self.route(chunk, ranges.get(index).cloned().unwrap_or_default())
        });
        // What comes behind a record that cannot be routed does not count.
        let unroutable = routed.iter().position(|range| range.failed.is_some());
        routed.truncate(unroutable.map_or(routed.len(), |last| last + 1));
        let applied =
            share_out(workers, SHARD_COUNT, |shard| self.apply_to_shard(shard, &routed).err());
        let first = applied.into_iter().flatten().min_by_key(|(position, _)| *position);
        let unroutable = routed.iter_mut().find_map(|range| range.failed.take());
        if let Some(error) = first.map(|(_, error)| error).or(unroutable) {
            return Err(error);
        }
        self.end_all(routed, workers);
        Ok(())
    }

    /// Does what is of no shard, and frees what was routed: for many small events the one takes as long as the other.
    fn end_all(&self, routed: Vec<Routed<'_>>, workers: usize) {
        let (mut endings, mut rest) = (Vec::new(), Vec::new());
        for Routed { changes, endings: of_range, by_shard, .. } in routed {
            endings.push(of_range);
            rest.push(Mutex::new(Some((changes, by_shard))));
        }
        share_out(workers, rest.len() + 1, |task| match task.checked_sub(1) {
            None => endings.iter().flatten().for_each(|ending| self.end(ending)),
            Some(range) => drop(rest.get(range).map(|range| range.lock().take())),
        });
    }
}
