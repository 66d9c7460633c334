//! A shard is written into a snapshot while others write: what is in the snapshot is the state at the fence, each entity once, and
//! the records behind the fence make of it the state there is now.
#![cfg(loom)]

use std::collections::BTreeMap;

use engine::model_check::{Rows, Shards, Written};
use loom::thread;
use loom_tests::{check, must_fail};
use stdx::{
    mutant::{Mutant, plant},
    sync::Arc,
};
use storage::{Lsn, wal::GroupCommit};

#[derive(Clone, Copy, PartialEq)]
enum Cut {
    Correct,
    /// A planted bug: the position is read before the shard is locked.
    ReadsTheLogFirst,
    /// A planted bug: the position is read when the shard is free again.
    ReadsTheLogLast,
}

/// What a writer does to the one shard: the record's number is what it puts.
#[derive(Clone, Copy)]
enum Change {
    Put(u8),
    Delete(u8),
}

impl Change {
    fn apply(self, rows: &mut Rows, Lsn(lsn): Lsn) {
        match self {
            Self::Put(key) => rows.put(key, i64::try_from(lsn).expect("few records")),
            Self::Delete(key) => rows.delete(key),
        }
    }
}

/// A database of one shard, with the log as a list of changes.
struct Database {
    shards: Shards<Rows>,
    log: GroupCommit,
}

impl Database {
    fn write(&self, change: Change) -> (Lsn, Change) {
        let mut guards = self.shards.write(&[0]);
        let lsn = self.log.append(1, b"").expect("open");
        change.apply(guards.shard(0), lsn);
        (lsn, change)
    }

    /// Writes the shard, two entities under one lock; the position of the fence, and what was written.
    fn checkpoint(&self, cut: Cut) -> (Lsn, Written) {
        let before = self.log.positions().0;
        let fence = {
            let mut rows = self.shards.write_one(0);
            rows.fence();
            self.log.positions().0
        };
        let fence = match cut {
            Cut::Correct => fence,
            Cut::ReadsTheLogFirst => before,
            Cut::ReadsTheLogLast => self.log.positions().0,
        };
        let mut all = Written::new();
        loop {
            let (some, is_over) = self.shards.read(0).write_step(2);
            all.extend(some);
            if is_over {
                break;
            }
        }
        all.extend(self.shards.write_one(0).unfence());
        all.sort();
        (fence, all)
    }
}

/// All rows of a table that nobody else uses.
fn all_of(rows: &mut Rows) -> Written {
    rows.fence();
    let (mut all, _) = rows.write_step(usize::MAX);
    rows.unfence();
    all.sort();
    all
}

/// The table that `changes` make of nothing.
fn replay(changes: &BTreeMap<Lsn, Change>, keep: impl Fn(Lsn) -> bool) -> Rows {
    let mut rows = Rows::default();
    for (lsn, change) in changes.iter().filter(|(lsn, _)| keep(**lsn)) {
        change.apply(&mut rows, *lsn);
    }
    rows
}

/// Three rows; one writer changes the first and adds another, one deletes the last and puts it anew; a checkpoint meanwhile.
fn race(cut: Cut) {
    check(move || {
        let log = GroupCommit::new(Lsn(0), 1 << 20);
        let database = Arc::new(Database { shards: Shards::new(1), log });
        let mut changes: BTreeMap<_, _> =
            [1, 2, 3].into_iter().map(|key| database.write(Change::Put(key))).collect();
        let writers = [[Change::Put(1), Change::Put(4)], [Change::Delete(3), Change::Put(3)]];
        let writers = writers.map(|changes| {
            let database = Arc::clone(&database);
            thread::spawn(move || changes.map(|change| database.write(change)))
        });
        let (fence, written) = database.checkpoint(cut);
        for writer in writers {
            changes.extend(writer.join().expect("a writer ends"));
        }
        let mut at_fence = replay(&changes, |lsn| lsn <= fence);
        assert_eq!(written, all_of(&mut at_fence), "not the state at the fence, {fence}");
        for (lsn, change) in changes.range(Lsn(fence.0 + 1)..) {
            change.apply(&mut at_fence, *lsn);
        }
        let live = all_of(&mut database.shards.write_one(0));
        assert_eq!(all_of(&mut at_fence), live, "not the state there is now");
    });
}

#[test]
fn what_is_written_is_the_state_at_the_fence() {
    race(Cut::Correct);
}

#[test]
#[should_panic(expected = "not the state at the fence")]
fn the_model_finds_a_fence_read_before_the_lock() {
    race(Cut::ReadsTheLogFirst);
}

#[test]
#[should_panic(expected = "not the state at the fence")]
fn the_model_finds_a_fence_read_after_the_lock() {
    race(Cut::ReadsTheLogLast);
}

#[test]
#[ignore = "a planted bug"]
fn before_images_are_forgotten() {
    plant(Some(Mutant::BeforeImageForgotten));
    race(Cut::Correct);
}

#[test]
fn the_model_finds_before_images_forgotten() {
    must_fail("before_images_are_forgotten", "not the state at the fence");
}
