//! The only functions that change an entry. Live writes call them under their shard locks after the record went into the
//! log buffer, recovery calls them with the same record read back.

use std::{collections::BTreeSet, hint::black_box};

use model::{definition::Stream, limits::DEFINITIONS_MAX};
use smallvec::SmallVec;
use stdx::hash::KeyHasher;

use crate::{
    Error,
    catalog::Catalog,
    retraction::{Retraction, RetractionPart},
    route::{EventPart, EventParts, RoutedRow},
    shard::{SHARD_COUNT, WriteGuards},
    windows::{Arrival, Moment},
};

/// Makes sure that [`apply_put`] of `rows` will find what the snapshot holds of them.
///
/// # Errors
/// [`storage::Error::Damaged`]: the put must not be logged.
pub(crate) fn admit_put<'a>(
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    group: usize,
    rows: impl IntoIterator<Item = &'a RoutedRow<'a>>,
) -> Result<(), storage::Error> {
    rows.into_iter().try_for_each(|row| {
        let table = guards.shard(row.shard).rows(group);
        table.map_or(Ok(()), |table| table.admit(hasher.hash(row.key), row.key))
    })
}

/// Makes sure that [`apply_delete`] of `keys`, each with its shard, will find what the snapshot holds of them; how many there are to
/// delete.
///
/// # Errors
/// [`storage::Error::Damaged`]: the delete must not be logged.
pub(crate) fn admit_delete<'a>(
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    group: usize,
    keys: impl IntoIterator<Item = &'a (usize, &'a [u8])>,
) -> Result<u32, storage::Error> {
    // A key may be given twice.
    let mut found = BTreeSet::new();
    for (shard, key) in keys {
        let table = guards.shard(*shard).table(group);
        if table.map_or(Ok(false), |table| table.contains(hasher.hash(key), key))? {
            found.insert(*key);
        }
    }
    Ok(u32::try_from(found.len()).unwrap_or(u32::MAX))
}

/// Makes sure that [`apply_push`] of those of `parts` that are at `places` will find what the snapshot holds of their entities.
///
/// # Errors
/// [`storage::Error::Damaged`]: the events must not be logged.
pub(crate) fn admit_push(
    catalog: &Catalog,
    guards: &mut WriteGuards<'_>,
    parts: &EventParts,
    places: impl Iterator<Item = usize>,
) -> Result<(), Error> {
    for part in places.filter_map(|place| parts.get(place)) {
        let plan = &catalog.windows(part.group)?.plan;
        if let Some(table) = guards.shard(part.shard).windows(part.group) {
            table.admit(plan, part.hash, parts.key(part))?;
        }
    }
    Ok(())
}

/// Puts `rows` into row group `group`; returns how many had something newer than what is stored, and how many not.
pub(crate) fn apply_put<'a>(
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    group: usize,
    rows: impl IntoIterator<Item = &'a RoutedRow<'a>>,
) -> (u32, u32) {
    let (mut applied, mut stale) = (0, 0);
    for row in rows {
        let Some(table) = guards.shard(row.shard).rows_mut(group) else { continue };
        let effect = match &row.cells {
            Some(cells) => table.put(hasher, row.key, row.event_time, cells),
            None => table.put_whole(hasher, row.key, row.event_time, row.packed),
        };
        if effect.applied == 0 && effect.stale > 0 {
            stale += 1;
        } else {
            applied += 1;
        }
    }
    (applied, stale)
}

/// Deletes `keys` from `group`.
pub(crate) fn apply_delete<'a>(
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    group: usize,
    keys: impl IntoIterator<Item = &'a (usize, &'a [u8])>,
) {
    for (shard, key) in keys {
        if let Some(table) = guards.shard(*shard).table_mut(group) {
            table.delete(hasher, key);
        }
    }
}

/// Whether a shard is let go once all of a batch is applied to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shards {
    /// At once: nobody waits for the rest of the batch.
    LetGo,
    /// More follows under the same locks.
    Keep,
}

/// A part of an event among others: what it is sorted by, and its place.
type Ranked = (u64, usize);

/// Bits of a group's index in what parts are sorted by, and of a key's hash.
const GROUP_BITS: u32 = DEFINITIONS_MAX.trailing_zeros();
const HASH_BITS: u32 = u64::BITS - GROUP_BITS - SHARD_COUNT.trailing_zeros();
const _: () = assert!(DEFINITIONS_MAX.is_power_of_two() && SHARD_COUNT.is_power_of_two());

/// Orders parts by shard, there by table and by key, as far as the hash tells keys apart.
fn rank(shard: usize, group: usize, hash: u64) -> u64 {
    let table = (shard as u64) << GROUP_BITS | group as u64;
    table << HASH_BITS | hash >> (u64::BITS - HASH_BITS)
}

/// Adds those of `parts` that are at `places` to the windows of their entities. `now` is the stream's, in ms.
///
/// Shard by shard, ascending, there table by table and by key, so that what an event needs is in the cache from the one before: the values are those of the
/// set of events, whatever their order.
pub(crate) fn apply_push(
    catalog: &Catalog,
    (guards, shards): (&mut WriteGuards<'_>, Shards),
    hasher: &KeyHasher,
    stream: &Stream,
    (parts, places): (&EventParts, impl Iterator<Item = usize>),
    now: i64,
) {
    let mut order: SmallVec<[Ranked; 2]> = SmallVec::new();
    // Of each group what its updates take, and the time of its earliest event.
    let mut groups: SmallVec<[(usize, Moment<'_>, i64); 2]> = SmallVec::new();
    for place in places {
        let Some(part) = parts.get(place) else { continue };
        match groups.binary_search_by_key(&part.group, |(group, ..)| *group) {
            Ok(at) => groups[at].2 = part.event_time.min(groups[at].2),
            Err(at) => {
                let Ok(windows) = catalog.windows(part.group) else { continue };
                let moment = Moment::new(hasher, &windows.plan, now);
                groups.insert(at, (part.group, moment, part.event_time));
            }
        }
        order.push((rank(part.shard, part.group, part.hash), place));
    }
    for (group, _, first) in &groups {
        if let Ok(windows) = catalog.windows(*group) {
            windows.observe(stream.clock, *first);
        }
    }
    order.sort_unstable();
    let shard = |ranked: &Ranked| ranked.0 >> (HASH_BITS + GROUP_BITS);
    let table = |ranked: &Ranked| ranked.0 >> HASH_BITS;
    let mut arrivals: SmallVec<[_; 2]> = SmallVec::new();
    let (mut rest, mut warm) = (order.as_slice(), 0);
    for of_shard in order.chunk_by(|a, b| shard(a) == shard(b)) {
        // What is of one shard alone its tables look at together.
        if warm < of_shard.len() && rest.len() > of_shard.len() {
            let next = rest.get(..WARM_EVENTS).unwrap_or(rest);
            warm_up(guards, parts, next);
            warm = next.len();
        }
        warm = warm.saturating_sub(of_shard.len());
        rest = rest.get(of_shard.len()..).unwrap_or_default();
        for of_table in of_shard.chunk_by(|a, b| table(a) == table(b)) {
            let parts_of = || of_table.iter().filter_map(|(_, place)| parts.get(*place));
            let Some(EventPart { shard, group, .. }) = parts_of().next() else { continue };
            let known = groups.binary_search_by_key(group, |(group, ..)| *group);
            let Some((_, moment, _)) = known.ok().and_then(|at| groups.get(at)) else { continue };
            let Some(table) = guards.shard(*shard).windows_mut(*group) else { continue };
            arrivals.clear();
            arrivals.extend(parts_of().map(|part| Arrival {
                hash: part.hash,
                key: parts.key(part),
                event: parts.event(part),
            }));
            table.update(*moment, &arrivals);
        }
        let of = of_shard.first().and_then(|(_, place)| parts.get(*place));
        if let Some(part) = of.filter(|_| shards == Shards::LetGo) {
            guards.release(part.shard);
        }
    }
}

/// Events whose entities are looked at together before they are changed.
const WARM_EVENTS: usize = 64;

/// Looks at the entities that are about to be changed, all of them at each step of the way there: a processor waits for many cache
/// misses at once when none depends on another. At most [`WARM_EVENTS`], of shards that are locked.
fn warm_up(guards: &WriteGuards<'_>, parts: &EventParts, ranked: &[Ranked]) {
    let parts = ranked.iter().filter_map(|(_, place)| parts.get(*place));
    let mut slots = [None; WARM_EVENTS];
    for (slot, part) in slots.iter_mut().zip(parts) {
        let table = guards.peek(part.shard).and_then(|shard| shard.windows(part.group));
        *slot = table.and_then(|table| Some((table, table.guess(part.hash)?)));
    }
    let slots = slots.get(..ranked.len()).unwrap_or(&slots);
    let mut blocks = [None; WARM_EVENTS];
    for (block, slot) in blocks.iter_mut().zip(slots) {
        *block = slot.map(|(table, slot)| (table, table.block_of(slot)));
    }
    let blocks = blocks.iter().take(ranked.len()).flatten();
    black_box(blocks.fold(0, |seen, (table, block)| seen ^ table.touch_ends(*block)));
}

/// Takes back events that were found.
pub(crate) fn apply_retract<'a>(
    catalog: &Catalog,
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    retracted: impl Iterator<Item = (&'a Retraction<'a>, &'a RetractionPart)>,
) {
    for (retraction, part) in retracted {
        let (time, id) = (retraction.event_time, &retraction.id);
        let Ok(windows) = catalog.windows(part.group) else { continue };
        let Some(table) = guards.shard(part.shard).windows_mut(part.group) else { continue };
        table.retract(hasher, part.key.as_bytes(), &windows.plan, time, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_ordered_by_shard_then_table_then_hash() {
        let (shards, groups) = ([0, 1, SHARD_COUNT - 1], [0, 1, DEFINITIONS_MAX - 1]);
        let hashes = [0, 1 << 40, u64::MAX];
        let ranks: Vec<_> = shards
            .into_iter()
            .flat_map(|shard| groups.map(|group| (shard, group)))
            .flat_map(|(shard, group)| hashes.map(|hash| rank(shard, group, hash)))
            .collect();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:x?}");
    }
}
