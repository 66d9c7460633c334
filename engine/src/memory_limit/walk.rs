//! How much memory is in use: every table, id, producer and buffer says how many bytes it has.
//!
//! Cheap enough for ten times a second: a table knows its bytes, so a walk costs about a tenth of a microsecond for
//! each shard and group, whatever they hold. A shard is locked while it is asked, one at a time.

use std::fmt;

use storage::Vfs;

use super::accountant::{Health, Refused, Reservation};
use crate::{
    Database,
    catalog::Catalog,
    rows::{RowTable, slot_bytes},
    shard::{GroupTable, SHARD_COUNT},
    windows::WindowTable,
};

/// Bytes of an index for each of its places: a number of four and a tag.
const INDEX_PLACE_BYTES: usize = 5;
/// A small block of the allocator is longer than what is in it by so much at most.
const ROUNDING_BYTES: usize = 8;
/// An entity of a window group takes no less.
const WINDOW_ENTITY_BYTES_MIN: usize = 24;

/// How much memory is in use, and how much may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// Bytes of rows, window states, ids, producers and the log's buffers, and what writes may have added since they
    /// were counted.
    pub bytes: u64,
    /// Bytes that may be in use; `None` without a limit.
    pub bytes_max: Option<u64>,
    /// Whether writes that need memory are taken.
    pub health: Health,
    /// Writes refused since the start, because there was no room.
    pub refused_count: u64,
}

impl MemoryUse {
    /// What the operator does about it; `None` when there is nothing to do.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self.health {
            Health::Ok => None,
            Health::Near => Some(
                "writes will be refused when it is full: delete entities, shorten windows, or start with a larger \
                 --max-memory",
            ),
            Health::Full => Some(
                "writes that need memory are refused, reads, deletes and expiry go on: delete entities, shorten windows, \
                 or start with a larger --max-memory",
            ),
        }
    }
}

impl fmt::Display for MemoryUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.health.as_str())?;
        self.remedy().map_or(Ok(()), |remedy| write!(f, ": {remedy}"))
    }
}

/// Where the bytes of [`MemoryUse`] are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MemoryParts {
    /// Rows of row groups, their keys and indexes.
    rows: usize,
    /// Window states, their keys and indexes.
    windows: usize,
    /// Ids of events that arrived lately.
    event_ids: usize,
    /// What is remembered of producers.
    producers: usize,
    /// What the log's buffers may take.
    log_buffers: usize,
}

impl MemoryParts {
    /// Each part's name and bytes.
    pub(crate) fn list(self) -> [(&'static str, u64); 5] {
        [
            ("rows", self.rows as u64),
            ("windows", self.windows as u64),
            ("event_ids", self.event_ids as u64),
            ("producers", self.producers as u64),
            ("log_buffers", self.log_buffers as u64),
        ]
    }

    fn sum(self) -> u64 {
        self.list().iter().map(|(_, bytes)| bytes).sum()
    }
}

impl<V: Vfs> Database<V> {
    /// Counts memory anew; to be called about every 100 ms, so that estimates of writes are replaced by what they
    /// became, and writes are taken again as soon as there is room.
    pub fn measure_memory(&self) {
        let catalog = self.catalog.read();
        self.memory.measure(self.clock.mono_ns(), || self.memory_in_use(&catalog));
    }

    /// Room for a write that adds at most `bytes`; to be settled when it was applied. No shard and no ids may be locked.
    pub(crate) fn admit(&self, catalog: &Catalog, bytes: u64) -> Result<Reservation<'_>, Refused> {
        self.memory.admit(bytes, || self.clock.mono_ns(), || self.memory_in_use(catalog))
    }

    /// How much memory is in use, as of the last [`Database::measure_memory`] and what came since.
    #[must_use]
    pub fn memory_use(&self) -> MemoryUse {
        MemoryUse {
            bytes: self.memory.used(),
            bytes_max: self.memory.limit(),
            health: self.memory.health(),
            refused_count: self.memory.refused_count(),
        }
    }

    /// The walk. No shard and no ids may be locked by the caller.
    pub(crate) fn memory_in_use(&self, catalog: &Catalog) -> u64 {
        self.parts_in_use(catalog).sum()
    }

    /// The walk, part by part. No shard and no ids may be locked by the caller.
    pub(crate) fn memory_parts(&self) -> MemoryParts {
        self.parts_in_use(&self.catalog.read())
    }

    fn parts_in_use(&self, catalog: &Catalog) -> MemoryParts {
        let mut parts =
            MemoryParts { log_buffers: self.log_buffers_bytes_max, ..MemoryParts::default() };
        for shard in 0..SHARD_COUNT {
            let shard = self.shards.read(shard);
            for table in (0..catalog.groups.len()).filter_map(|group| shard.table(group)) {
                match table {
                    GroupTable::Rows(table) => parts.rows += row_bytes(table),
                    GroupTable::Windows(table) => parts.windows += window_bytes(table),
                }
            }
        }
        let dedup = catalog.streams.iter().map(|stream| stream.state.dedup.bytes());
        parts.event_ids = dedup.sum();
        parts.producers = usize::try_from(self.producers.bytes()).unwrap_or(usize::MAX);
        parts
    }
}

/// Rows keep longer keys, and cells without a fixed width, in small blocks.
fn row_bytes(table: &RowTable) -> usize {
    let (bytes, layout) = (table.bytes(), table.layout());
    // Those in memory: rows of a mapped snapshot take none.
    let rows = table.len().min(bytes / slot_bytes(layout));
    bytes + rows * ROUNDING_BYTES * (1 + layout.variable_count()) + next_index_bytes(rows)
}

fn window_bytes(table: &WindowTable) -> usize {
    let bytes = table.bytes();
    bytes + next_index_bytes(table.len().min(bytes / WINDOW_ENTITY_BYTES_MIN))
}

/// What an index that is nearly full takes more when it has doubled: that happens at once, and is in no estimate.
fn next_index_bytes(entities: usize) -> usize {
    let places = (entities * 8 / 7 + 1).next_power_of_two();
    let is_nearly_full = entities > places / 8 * 7 / 4 * 3;
    if is_nearly_full { places * INDEX_PLACE_BYTES } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_counts_doubled_before_it_doubles() {
        // 1024 places hold 896 entities.
        assert_eq!(next_index_bytes(500), 0);
        assert_eq!(next_index_bytes(673), 1024 * 5);
        assert_eq!(next_index_bytes(895), 1024 * 5);
        assert_eq!(next_index_bytes(897), 0, "it has doubled");
    }
}
