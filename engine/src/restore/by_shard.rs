//! Second step of a replay: what records change in one shard, in log order, through the same functions as live writes. Shards know
//! nothing of each other, so that they are done side by side.

use super::{
    Memory,
    routed::{Change, Ending, Item, Routed},
};
use crate::{
    Error,
    apply::{
        Shards, admit_delete, admit_push, admit_put, apply_delete, apply_push, apply_put,
        apply_retract,
    },
    shard::{ShardMask, WriteGuards},
};

/// Where in a chunk something went wrong: range, record in it, part of the record.
pub(super) type Position = (usize, usize, usize);

impl Memory {
    /// Does what all of a chunk says of `shard`; at an error it is told where, and nothing behind it is done.
    pub(super) fn apply_to_shard(
        &self,
        shard: usize,
        chunk: &[Routed<'_>],
    ) -> Result<(), (Position, Error)> {
        let mut one = ShardMask::default();
        one.insert(shard);
        let mut guards = self.shards.write(one);
        for (range, routed) in chunk.iter().enumerate() {
            let items = routed.by_shard.get(shard).map_or(&[][..], Vec::as_slice);
            // What a record does in a shard stands together: for entities of a group the same functions are called as live.
            for items in items.chunk_by(|a, b| a.record == b.record) {
                let Some(Item { record, part }) = items.first().copied() else { continue };
                let change = routed.changes.get(record).zip(routed.endings.get(record));
                let done = change.map_or(Ok(()), |(change, ending)| {
                    self.apply_items(&mut guards, change, ending, items)
                });
                done.map_err(|error| ((range, record, part), error))?;
            }
        }
        Ok(())
    }

    fn apply_items(
        &self,
        guards: &mut WriteGuards<'_>,
        change: &Change<'_>,
        ending: &Ending,
        items: &[Item],
    ) -> Result<(), Error> {
        let (hasher, catalog) = (self.shards.hasher(), &self.catalog);
        let parts = || items.iter().map(|item| item.part);
        // Without a snapshot nothing can be damaged.
        let may_fail = self.snapshot.is_some();
        match change {
            Change::Put { group, rows } => {
                let rows = || parts().filter_map(|part| rows.get(part));
                if may_fail {
                    admit_put(guards, hasher, *group, rows())?;
                }
                let (applied, stale) = apply_put(guards, hasher, *group, rows());
                let event_times = rows().map(|row| row.event_time);
                catalog.rows(*group)?.tally.arrived(event_times);
                ending.count(applied, stale);
            }
            Change::Delete { group, keys } => {
                let keys = || parts().filter_map(|part| keys.get(part));
                if may_fail {
                    admit_delete(guards, hasher, *group, keys())?;
                }
                apply_delete(guards, hasher, *group, keys());
            }
            Change::Push { stream, now, parts: events } => {
                let (stream, _) = catalog.stream(*stream)?;
                if may_fail {
                    admit_push(catalog, guards, events, parts())?;
                }
                let guards = (guards, Shards::Keep);
                apply_push(catalog, guards, hasher, stream, (events, parts()), *now);
            }
            Change::Retract { rows, parts: places } => {
                let places = parts().filter_map(|part| places.get(part));
                let retracted = places.filter_map(|(row, part)| Some((rows.get(*row)?, part)));
                for (one, part) in retracted.clone() {
                    let table = guards.shard(part.shard).windows(part.group);
                    let plan = &catalog.windows(part.group)?.plan;
                    let (key, time) = (part.key.as_bytes(), one.event_time);
                    table
                        .map_or(Ok(false), |table| table.holds(hasher, key, plan, time, &one.id))?;
                }
                apply_retract(catalog, guards, hasher, retracted);
            }
        }
        Ok(())
    }
}
