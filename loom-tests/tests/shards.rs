//! A batch over several shards: it locks them in ascending order, appends its record under the guards and applies it. So two
//! batches never wait for each other in a circle, each shard applies records in the order of the log, and a reader of one
//! entity sees all that a record did to it, or nothing.
#![cfg(loom)]

use engine::model_check::Shards;
use loom::thread;
use loom_tests::{check, must_fail};
use stdx::sync::Arc;
use storage::{Lsn, wal::GroupCommit};

#[derive(Clone, Copy, PartialEq)]
enum Batch {
    Correct,
    /// A planted bug: locks in the order in which the request names the shards.
    LocksAsNamed,
    /// A planted bug: the record is in the log before the shards are locked.
    AppendsFirst,
    /// A planted bug: the shard is let go between the two features of its entity.
    LetsGoBetween,
}

/// A shard of one entity with two features, and the records that were applied to it.
#[derive(Debug, Default)]
struct Shard {
    entity: [u64; 2],
    applied: Vec<u64>,
}

impl Shard {
    fn apply(&mut self, Lsn(lsn): Lsn) {
        self.entity = [lsn; 2];
        self.applied.push(lsn);
    }
}

struct Database {
    shards: Shards<Shard>,
    log: GroupCommit,
}

impl Database {
    fn append(&self) -> Lsn {
        self.log.append(1, b"").expect("open")
    }

    /// Writes one record that changes the entities of two shards.
    fn write(&self, named: [usize; 2], batch: Batch) {
        match batch {
            Batch::Correct => {
                let mut guards = self.shards.write(&named);
                let lsn = self.append();
                for shard in named {
                    guards.shard(shard).apply(lsn);
                    guards.release(shard);
                }
            }
            Batch::LocksAsNamed => {
                let mut guards = named.map(|shard| self.shards.write_one(shard));
                let lsn = self.append();
                guards.iter_mut().for_each(|shard| shard.apply(lsn));
            }
            Batch::AppendsFirst => {
                let lsn = self.append();
                let mut guards = self.shards.write(&named);
                named.iter().for_each(|shard| guards.shard(*shard).apply(lsn));
            }
            Batch::LetsGoBetween => {
                let Lsn(lsn) = self.append();
                for feature in 0..2 {
                    let mut guards = self.shards.write(&named);
                    named.iter().for_each(|shard| guards.shard(*shard).entity[feature] = lsn);
                }
            }
        }
    }
}

/// Two batches that name the same shards in different order, and a reader of both entities, one after the other.
fn race(batch: Batch) {
    check(move || {
        let log = GroupCommit::new(Lsn(0), 1 << 20);
        let database = Arc::new(Database { shards: Shards::new(2), log });
        let writers: Vec<_> = [[0, 1], [1, 0]]
            .into_iter()
            .map(|named| {
                let database = Arc::clone(&database);
                thread::spawn(move || database.write(named, batch))
            })
            .collect();
        for shard in [1, 0] {
            let shard = database.shards.read(shard);
            let [first, second] = shard.entity;
            assert_eq!(first, second, "an entity is seen half written");
        }
        for writer in writers {
            writer.join().expect("a batch ends");
        }
        if batch != Batch::LetsGoBetween {
            for shard in 0..2 {
                let applied = &database.shards.read(shard).applied;
                assert_eq!(
                    *applied,
                    [1, 2],
                    "shard {shard} applied in another order than the log's"
                );
            }
        }
    });
}

/// A batch that lets each shard go as soon as it is applied there, or locks them one by one, and a reader that holds both.
fn seen_at_once(write: impl Fn(&Database) + Send + Sync + Copy + 'static) {
    check(move || {
        let log = GroupCommit::new(Lsn(0), 1 << 20);
        let database = Arc::new(Database { shards: Shards::new(2), log });
        let writer = {
            let database = Arc::clone(&database);
            thread::spawn(move || write(&database))
        };
        let (first, second) = (database.shards.read(0), database.shards.read(1));
        assert_eq!(first.entity, second.entity, "a batch is seen in part");
        drop((first, second));
        writer.join().expect("a batch ends");
    });
}

#[test]
fn who_holds_several_shards_sees_all_of_a_batch_or_nothing() {
    seen_at_once(|database| database.write([1, 0], Batch::Correct));
}

#[test]
#[should_panic(expected = "seen in part")]
fn the_model_finds_shards_locked_one_by_one() {
    seen_at_once(|database| {
        let lsn = database.append();
        (0..2).for_each(|shard| database.shards.write_one(shard).apply(lsn));
    });
}

#[test]
fn batches_end_apply_in_log_order_and_are_never_seen_half() {
    race(Batch::Correct);
}

#[test]
#[ignore = "a planted bug"]
fn locks_are_taken_in_the_order_of_the_request() {
    race(Batch::LocksAsNamed);
}

#[test]
fn the_model_finds_locks_taken_in_the_order_of_the_request() {
    must_fail("locks_are_taken_in_the_order_of_the_request", "deadlock");
}

#[test]
#[should_panic(expected = "another order than the log's")]
fn the_model_finds_a_record_logged_before_its_shards_are_locked() {
    race(Batch::AppendsFirst);
}

#[test]
#[should_panic(expected = "half written")]
fn the_model_finds_a_shard_let_go_between_two_features() {
    race(Batch::LetsGoBetween);
}
