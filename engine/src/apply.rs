//! The only functions that change an entry. Live writes call them under their shard locks after the record went into the
//! log buffer, recovery calls them with the same record read back.

use model::definition::Stream;
use stdx::hash::KeyHasher;

use crate::{
    catalog::Catalog,
    retraction::Retraction,
    route::{RoutedEvent, RoutedRow},
    shard::WriteGuards,
};

/// Puts `rows` into row group `group`; returns how many had something newer than what is stored, and how many not.
pub(crate) fn apply_put(
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    group: usize,
    rows: &[RoutedRow<'_>],
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
pub(crate) fn apply_delete(
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    group: usize,
    keys: &[(usize, &[u8])],
) -> u32 {
    let deleted = keys.iter().filter(|(shard, key)| {
        let shard = guards.shard(*shard);
        shard.rows_mut(group).is_some_and(|table| table.delete(hasher, key))
            || shard.windows_mut(group).is_some_and(|table| table.delete(hasher, key))
    });
    u32::try_from(deleted.count()).unwrap_or(u32::MAX)
}

/// Adds accepted events to the windows of their entities. `now` is the stream's, in ms.
pub(crate) fn apply_push(
    catalog: &Catalog,
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    stream: &Stream,
    events: &[RoutedEvent<'_>],
    now: i64,
) {
    for event in events {
        for part in &event.parts {
            let Ok(windows) = catalog.windows(part.group) else { continue };
            let Some(table) = guards.shard(part.shard).windows_mut(part.group) else { continue };
            table.update(hasher, part.key.as_bytes(), &windows.plan, &part.prepared, now);
            windows.observe(stream.clock, event.event_time);
        }
    }
}

/// Takes retracted events out of the windows of their entities.
pub(crate) fn apply_retract(
    catalog: &Catalog,
    guards: &mut WriteGuards<'_>,
    hasher: &KeyHasher,
    retracted: &[Retraction<'_>],
) {
    for event in retracted {
        for part in &event.parts {
            let Ok(windows) = catalog.windows(part.group) else { continue };
            let Some(table) = guards.shard(part.shard).windows_mut(part.group) else { continue };
            table.retract(hasher, part.key.as_bytes(), &windows.plan, event.event_time, &event.id);
        }
    }
}
