//! How much memory a write may add at most, before it is logged.
//!
//! Upper estimates for rows, keys, cells, records and ids, as if every entity were new. Not in them, and bounded: an
//! arena's chunk of 4 KiB that a table begins (64 tables a window group), an entity's log that moves to a block of the
//! next size (an eighth longer), and tiles, which come where they take less than the events, or little more than many of
//! them. The next walk finds these.

use crate::{
    route::{EventPart, EventParts, RoutedRow},
    rows::{RowLayout, slot_bytes},
    shard::SHARD_COUNT,
};

/// An entity's part of an index, on average over its doublings.
const INDEX_BYTES: usize = 16;
/// What the allocator adds to a small block, at most.
const ROUNDING_BYTES: usize = 8;
/// Rows that a table makes room for at once, and what else such a chunk takes.
const CHUNK_ROWS: usize = 32;
const CHUNK_BYTES: usize = 128;
/// An entity's number and the head of its block, in a window group.
const WINDOW_ENTITY_BYTES: usize = 32;
/// An event id for `dedup`: its places in a map and a queue, on average over their doublings.
const ID_BYTES: usize = 160;
/// What a producer's sequence did.
const OUTCOME_BYTES: usize = 128;

/// Bytes that `rows` may add to a row group, `record` being the most their record takes.
pub(crate) fn put_bytes(layout: &RowLayout, rows: &[RoutedRow<'_>], record: usize) -> u64 {
    if rows.is_empty() {
        return 0;
    }
    let slot = slot_bytes(layout);
    let (mut of_shard, mut chunks) = ([0_usize; SHARD_COUNT], 0);
    for row in rows {
        if let Some(count) = of_shard.get_mut(row.shard) {
            chunks += usize::from(count.is_multiple_of(CHUNK_ROWS));
            *count += 1;
        }
    }
    let own_times = size_of::<i64>() * layout.len() + 2 * size_of::<Box<[i64]>>();
    let aside = |row: &RoutedRow<'_>| {
        row.key.len() + row.packed.len() + ROUNDING_BYTES * (1 + layout.variable_count())
    };
    let rows: usize = rows.iter().map(|row| aside(row) + own_times + INDEX_BYTES).sum();
    (chunks * (CHUNK_ROWS * slot + CHUNK_BYTES) + rows + record + OUTCOME_BYTES) as u64
}

/// Bytes that events may add to every window group of their stream by their `parts` and, when it remembers ids, to those: `ids` of
/// them. `record` is the most their record takes.
pub(crate) fn push_bytes(parts: &EventParts, ids: usize, record: usize) -> u64 {
    let of_part = |part: &EventPart| {
        let block = parts.key(part).len()
            + parts.event(part).map_or(0, |event| event.bytes_max())
            + WINDOW_ENTITY_BYTES;
        // Blocks come in sizes at most an eighth apart.
        block + block / 8 + INDEX_BYTES
    };
    let of_parts: usize = parts.iter().map(of_part).sum();
    (of_parts + ids * ID_BYTES + record + OUTCOME_BYTES) as u64
}
