//! Looking at memory before it is needed.
//!
//! What leads to an entity lies apart: a place in an index, a head or a block, and what that holds. Found one after the other, each is a
//! wait for memory; here every step is taken for all keys before the next one: a processor waits for many at once when none depends on
//! another.

use storage::Vfs;

use super::{
    ReadPlan, ReadSpace,
    order::{Guards, Lookup, TOGETHER_MAX, arrange},
    plan::GroupRead,
};
use crate::Database;

/// Most keys of one [`Database::look_ahead`].
pub const LOOK_AHEAD_MAX: usize = TOGETHER_MAX;

impl<V: Vfs> Database<V> {
    /// Looks at the memory that reads of `keys` by `plan` will take, so that they are sooner done: of [`LOOK_AHEAD_MAX`] keys at most, which
    /// are as in [`super::ReadRequest`]. It is a hint, and waits for nobody: while one of their shards is being written nothing is looked at.
    pub fn look_ahead(&self, plan: &ReadPlan, keys: &[&[u8]], space: &mut ReadSpace) {
        let keys = keys.get(..LOOK_AHEAD_MAX).unwrap_or(keys);
        if keys.len() < 2 || self.is_torn() {
            return;
        }
        arrange(self.shards.hasher(), keys, true, &mut space.lookups);
        if let Some(guards) = Guards::try_lock(&self.shards, &space.lookups) {
            warm(plan.groups(), plan.entities().len(), &space.lookups, &guards);
        }
    }
}

/// Looks at what reading `some` takes, in groups of `width` entities; of a key of another entity nothing.
pub(super) fn warm<'g>(
    groups: impl Iterator<Item = &'g GroupRead>,
    width: usize,
    some: &[Lookup],
    guards: &Guards<'_>,
) {
    let mut seen = 0;
    for read in groups {
        let mut guesses = [None; TOGETHER_MAX];
        for ((guess, lookup), shard) in guesses.iter_mut().zip(some).zip(guards.shards()) {
            if lookup.place.checked_rem(width) == Some(read.entity) {
                let table = shard.table(read.group);
                *guess = table.and_then(|table| Some((table, table.guess(lookup.hash)?)));
            }
        }
        let touched = guesses.iter().flatten().map(|(table, slot)| table.touch(*slot));
        seen = touched.fold(seen, u8::wrapping_add);
    }
    std::hint::black_box(seen);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stdx::clock::ManualClock;
    use storage::fs::SimFs;

    use super::*;
    use crate::{Config, PutRequest, PutRowRequest, ReadOptions, ReadRequest, WriteOptions};

    const DEFINITIONS: &str = "[entity.e]\nkey = \"string\"\n[entity.o]\nkey = \"string\"\n\
        [stream.x]\nevent_time = \"ts\"\n[stream.x.fields]\nts = \"timestamp\"\nwhose = \"string\"\n\
        [group.g]\nentity = \"e\"\n[group.g.features]\nf = \"i64\"\n\
        [group.w]\nentity = \"o\"\nstream = \"x\"\nkey = \"whose\"\nwindows = [\"1h\"]\n[group.w.features]\nn = \"count(*)\"\n";

    fn filled() -> (Database<SimFs>, Vec<String>) {
        let clock = Arc::new(ManualClock::at(1_000_000));
        let database = Database::open(SimFs::new(), &Config::default(), clock).expect("it opens");
        database.apply("f.toml", DEFINITIONS, false).expect("valid");
        let keys: Vec<_> = (0..200).map(|number| format!("entity-{number}")).collect();
        let row = [&[0b10][..], &7_i64.to_le_bytes()].concat();
        let rows = keys.iter().map(|key| PutRowRequest {
            key: key.as_bytes(),
            event_time: Some(1),
            row: &row,
        });
        let request = PutRequest { group: 0, features: 1, rows: rows.collect() };
        database.put(&request, &WriteOptions::default()).expect("taken");
        (database, keys)
    }

    #[test]
    fn looking_ahead_changes_nothing_whatever_is_asked_for() {
        let (database, keys) = filled();
        let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        let mut space = ReadSpace::default();
        let mut stale = Vec::new();
        for features in [&["g:f"][..], &["w:n_1h"], &["g:f", "w:n_1h"]] {
            let plan = database.plan_features(features).expect("they exist");
            let keys = &keys[..100 * plan.entities().len()];
            let request = ReadRequest { keys, request_rows: &[], options: ReadOptions::default() };
            let expected = database.read(&plan, &request).expect("they can be read");
            for count in [0, 1, 2, 3, LOOK_AHEAD_MAX, LOOK_AHEAD_MAX + 1, keys.len()] {
                database.look_ahead(&plan, &keys[..count], &mut space);
                database.read_into(&plan, &request, &[], &mut space).expect("they can be read");
                assert_eq!(space.vectors, expected, "{features:?}, {count} keys");
            }
            stale.push(plan);
        }
        let more = DEFINITIONS.replace("f = \"i64\"", "f = \"i64\"\nmore = \"string\"");
        database.apply("f.toml", &more, false).expect("valid");
        stale.iter().for_each(|plan| database.look_ahead(plan, &keys, &mut space));
    }

    #[test]
    fn looking_ahead_waits_for_no_writer() {
        let (database, keys) = filled();
        let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        let plan = database.plan_features(&["g:f"]).expect("it exists");
        let looks = |shard: usize| {
            let _written = database.shards.write_one(shard);
            database.look_ahead(&plan, &keys[..2], &mut ReadSpace::default());
        };
        keys[..2].iter().for_each(|key| looks(database.shards.route(key)));
    }
}
