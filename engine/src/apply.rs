//! The only functions that change an entry. Live writes call them under their shard locks after the record went into the
//! log buffer, recovery calls them with the same record read back.

use std::{collections::BTreeSet, hint::black_box};

use model::definition::Stream;
use smallvec::SmallVec;
use stdx::hash::KeyHasher;

use crate::{
    Error,
    catalog::Catalog,
    retraction::{Retraction, RetractionPart},
    route::{EventPart, RoutedRow},
    shard::WriteGuards,
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

/// Makes sure that [`apply_push`] of events will find what the snapshot holds of their entities.
///
/// # Errors
/// [`storage::Error::Damaged`]: the events must not be logged.
pub(crate) fn admit_push<'a>(
    catalog: &Catalog,
    guards: &mut WriteGuards<'_>,
    parts: impl IntoIterator<Item = &'a EventPart>,
) -> Result<(), Error> {
    for part in parts {
        let plan = &catalog.windows(part.group)?.plan;
        if let Some(table) = guards.shard(part.shard).windows(part.group) {
            table.admit(plan, part.hash, part.key())?;
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

/// Adds accepted events, each with its time, to the windows of their entities. `now` is the stream's; both in ms.
///
/// Shard by shard, ascending, there table by table and by key, so that what an event needs is in the cache from the one before: the values are those of the
/// set of events, whatever their order.
pub(crate) fn apply_push<'a>(
    catalog: &Catalog,
    (guards, shards): (&mut WriteGuards<'_>, Shards),
    hasher: &KeyHasher,
    stream: &Stream,
    events: impl Iterator<Item = (i64, &'a EventPart)>,
    now: i64,
) {
    // Sorted are small things that say where the parts are.
    let mut parts: SmallVec<[_; 2]> = SmallVec::new();
    let mut moments: SmallVec<[(usize, Moment<'_>); 2]> = SmallVec::new();
    for (event_time, part) in events {
        let Ok(windows) = catalog.windows(part.group) else { continue };
        windows.observe(stream.clock, event_time);
        if let Err(place) = moments.binary_search_by_key(&part.group, |(group, _)| *group) {
            moments.insert(place, (part.group, Moment::new(hasher, &windows.plan, now)));
        }
        parts.push((part.shard, part.group, part.hash, part));
    }
    parts.sort_unstable_by_key(|(shard, group, hash, _)| (*shard, *group, *hash));
    let mut arrivals: SmallVec<[_; 2]> = SmallVec::new();
    let (mut rest, mut warm) = (parts.as_slice(), 0);
    for of_shard in parts.chunk_by(|a, b| a.0 == b.0) {
        let Some((shard, ..)) = of_shard.first() else { continue };
        // What is of one shard alone its tables look at together.
        if warm < of_shard.len() && rest.len() > of_shard.len() {
            let next = rest.get(..WARM_EVENTS).unwrap_or(rest);
            warm_up(guards, next);
            warm = next.len();
        }
        warm = warm.saturating_sub(of_shard.len());
        rest = rest.get(of_shard.len()..).unwrap_or_default();
        for of_table in of_shard.chunk_by(|a, b| a.1 == b.1) {
            let Some((_, group, ..)) = of_table.first() else { continue };
            let place = moments.binary_search_by_key(group, |(group, _)| *group);
            let Some((_, moment)) = place.ok().and_then(|at| moments.get(at)) else { continue };
            let Some(table) = guards.shard(*shard).windows_mut(*group) else { continue };
            arrivals.clear();
            arrivals.extend(of_table.iter().map(|(_, _, hash, part)| Arrival {
                hash: *hash,
                key: part.key(),
                event: part.event(),
            }));
            table.update(*moment, &arrivals);
        }
        if shards == Shards::LetGo {
            guards.release(*shard);
        }
    }
}

/// Events whose entities are looked at together before they are changed.
const WARM_EVENTS: usize = 64;

/// Looks at the entities that are about to be changed, all of them at each step of the way there: a processor waits for many cache
/// misses at once when none depends on another. At most [`WARM_EVENTS`], of shards that are locked.
fn warm_up(guards: &mut WriteGuards<'_>, parts: &[(usize, usize, u64, &EventPart)]) {
    let mut guesses = [None; WARM_EVENTS];
    for (guess, (shard, group, hash, _)) in guesses.iter_mut().zip(parts) {
        let table = guards.shard(*shard).windows(*group);
        *guess = table.and_then(|table| table.guess(*hash));
    }
    let mut blocks = [None; WARM_EVENTS];
    for ((block, guess), (shard, group, ..)) in blocks.iter_mut().zip(guesses).zip(parts) {
        let table = guards.shard(*shard).windows(*group);
        *block = table.zip(guess).map(|(table, slot)| table.block_of(slot));
    }
    let mut seen = 0;
    for (block, (shard, group, ..)) in blocks.iter().zip(parts) {
        if let (Some(table), Some(block)) = (guards.shard(*shard).windows(*group), block) {
            seen ^= table.touch_ends(*block);
        }
    }
    black_box(seen);
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
