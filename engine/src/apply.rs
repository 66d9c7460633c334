//! The only functions that change an entry. Live writes call them under their shard locks after the record went into the
//! log buffer, recovery calls them with the same record read back.

use model::definition::Stream;
use stdx::hash::KeyHasher;

use crate::{
    catalog::Catalog,
    retraction::{Retraction, RetractionPart},
    route::{EventPart, RoutedRow},
    shard::WriteGuards,
    windows::{Arrival, Moment},
};

/// Makes sure that writes of `keys`, each with its shard, will find what the snapshot holds of them.
///
/// # Errors
/// [`storage::Error::Damaged`]: the write must not be logged.
pub(crate) fn admit_keys<'a>(
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    group: usize,
    mut keys: impl Iterator<Item = (usize, &'a [u8])>,
) -> Result<(), storage::Error> {
    keys.try_for_each(|(shard, key)| guards.shard(shard).admit(group, hasher.hash(key), key))
}

/// As [`admit_keys`], for events.
///
/// # Errors
/// [`storage::Error::Damaged`]: the events must not be logged.
pub(crate) fn admit_events<'a>(
    guards: &mut WriteGuards<'_>,
    mut parts: impl Iterator<Item = &'a EventPart>,
) -> Result<(), storage::Error> {
    parts.try_for_each(|part| {
        guards.shard(part.shard).admit(part.group, part.hash, part.key.as_bytes())
    })
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
        let effect = table.put(hasher, row.key, row.event_time, &row.cells);
        if effect.applied == 0 && effect.stale > 0 {
            stale += 1;
        } else {
            applied += 1;
        }
    }
    (applied, stale)
}

/// Deletes `keys` from `group`; returns how many were there.
pub(crate) fn apply_delete<'a>(
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    group: usize,
    keys: impl IntoIterator<Item = &'a (usize, &'a [u8])>,
) -> u32 {
    let deleted = keys.into_iter().filter(|(shard, key)| {
        let shard = guards.shard(*shard);
        shard.rows_mut(group).is_some_and(|table| table.delete(hasher, key))
            || shard.windows_mut(group).is_some_and(|table| table.delete(hasher, key))
    });
    u32::try_from(deleted.count()).unwrap_or(u32::MAX)
}

/// Adds accepted events, each with its time, to the windows of their entities. `now` is the stream's; both in ms.
///
/// Table by table and there by key, so that what an event needs is in the cache from the one before: the values are those of the
/// set of events, whatever their order.
pub(crate) fn apply_push<'a>(
    catalog: &Catalog,
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    stream: &Stream,
    events: impl Iterator<Item = (i64, &'a EventPart)>,
    now: i64,
) {
    let mut parts = Vec::with_capacity(events.size_hint().0);
    for (event_time, part) in events {
        let Ok(windows) = catalog.windows(part.group) else { continue };
        windows.observe(stream.clock, event_time);
        let arrival = Arrival { hash: part.hash, key: part.key.as_bytes(), event: &part.prepared };
        parts.push((part.group, part.shard, arrival));
    }
    parts.sort_unstable_by_key(|(group, shard, arrival)| (*group, *shard, arrival.hash));
    let mut arrivals = Vec::with_capacity(parts.len());
    for table_parts in parts.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let Some((group, shard, _)) = table_parts.first() else { continue };
        let Ok(windows) = catalog.windows(*group) else { continue };
        let Some(table) = guards.shard(*shard).windows_mut(*group) else { continue };
        arrivals.clear();
        arrivals.extend(table_parts.iter().map(|(_, _, arrival)| *arrival));
        table.update(Moment::new(hasher, &windows.plan, now), &arrivals);
    }
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
