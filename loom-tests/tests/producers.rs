//! Exactly once: a retry that races its original waits for it and is answered with its place in the log, also while so many
//! others write that producers are forgotten.
#![cfg(loom)]

use engine::model_check::ProducerTable;
use loom::thread;
use loom_tests::check;
use stdx::sync::Arc;
use storage::{Lsn, wal::GroupCommit};

#[derive(Clone, Copy, PartialEq)]
enum Once {
    Correct,
    /// A planted bug: the producer is let go between the question and the record.
    AsksThenWrites,
}

/// The producer whose write is retried.
const RETRIED: u128 = 7;

/// Writes sequence 1 of `producer` unless it was applied; where it stands in the log.
fn write(table: &ProducerTable, log: &GroupCommit, producer: u128, once: Once) -> Lsn {
    let append = || log.append(1, b"").expect("open");
    match once {
        Once::Correct => {
            let handle = table.get(producer);
            let mut producer = handle.lock();
            producer.applied(1).unwrap_or_else(|| {
                let lsn = append();
                producer.record(1, lsn);
                lsn
            })
        }
        Once::AsksThenWrites => {
            let handle = table.get(producer);
            let known = handle.lock().applied(1);
            known.unwrap_or_else(|| {
                let lsn = append();
                handle.lock().record(1, lsn);
                lsn
            })
        }
    }
}

/// A write, its retry, and two of others, one after the other; there is room for `max` producers. Unless the original `is_held`,
/// as long as it has no answer, it may be forgotten between the two.
fn race(once: Once, max: usize, is_held: bool) {
    check(move || {
        let table = Arc::new(ProducerTable::new(max));
        let log = Arc::new(GroupCommit::new(Lsn(0), 1 << 20));
        let held = is_held.then(|| table.get(RETRIED));
        let original = {
            let (table, log) = (Arc::clone(&table), Arc::clone(&log));
            thread::spawn(move || write(&table, &log, RETRIED, once))
        };
        let crowd = {
            let (table, log) = (Arc::clone(&table), Arc::clone(&log));
            thread::spawn(move || {
                for other in [1, 2] {
                    write(&table, &log, other, Once::Correct);
                }
            })
        };
        let retried = write(&table, &log, RETRIED, once);
        let original = original.join().expect("the original ends");
        crowd.join().expect("the others end");
        assert_eq!(retried, original, "applied twice");
        assert_eq!(log.positions().0, Lsn(3), "three writes, each applied once");
        assert!(table.len() <= max + 1, "no more than there is room for, or are in use");
        drop(held);
    });
}

#[test]
fn a_retry_racing_its_original_is_answered_with_its_place() {
    race(Once::Correct, 8, false);
}

#[test]
fn a_producer_in_use_is_not_forgotten() {
    race(Once::Correct, 1, true);
}

#[test]
#[should_panic(expected = "applied twice")]
fn the_model_finds_a_producer_let_go_between_question_and_record() {
    race(Once::AsksThenWrites, 8, false);
}

#[test]
#[should_panic(expected = "applied twice")]
fn the_model_finds_a_producer_forgotten_before_its_retry() {
    race(Once::Correct, 1, false);
}
