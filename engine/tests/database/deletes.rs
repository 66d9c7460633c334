//! Deletes are answered once: whoever asks again hears what was removed then, whatever a sweep or a restart did meanwhile.

use engine::{Database, Outcome, WriteOptions, Written};
use model::time::{DAY_MS, format_timestamp};
use storage::fs::SimFs;

use crate::harness::{Place, START, by, push, put};

fn delete(
    database: &Database<SimFs>,
    group: &str,
    keys: &[&str],
    options: &WriteOptions,
) -> Written {
    let group = database.group_index(group).expect("defined");
    let keys: Vec<_> = keys.iter().map(|key| key.as_bytes()).collect();
    let written = database.delete(group, &keys, options).expect("the delete is taken");
    written.ticket.wait().expect("synced");
    written
}

fn order(database: &Database<SimFs>, id: &str, user: &str, at: i64) {
    push(database, "orders", &[&[id, user, "1.00", &format_timestamp(at)]], &Default::default());
}

fn all_deleted(outcome: Outcome) -> (u32, u32) {
    (outcome.applied, outcome.rejected)
}

/// Recovery counted anew, and entities that a sweep had taken were there again: the retry was told of more than the first.
#[test]
fn a_retried_delete_is_answered_after_a_restart_as_it_was_before_although_a_sweep_went_first() {
    for has_snapshot in [false, true] {
        let place = Place::new();
        let database = place.start();
        for (id, user) in [("1", "ann"), ("2", "bob"), ("3", "eve")] {
            order(&database, id, user, START);
        }
        if has_snapshot {
            database.checkpoint(&mut |_| {}).expect("the disk works");
        }
        place.clock.set_wall_ms(START + 3 * DAY_MS);
        order(&database, "4", "ann", START + 3 * DAY_MS);
        while !database.sweep(100).is_round_over {}
        let keys = ["ann", "bob", "eve", "nobody", "ann"];
        let first = delete(&database, "buying", &keys, &by(1));
        assert_eq!(all_deleted(first.outcome), (1, 0), "ann alone has an order that counts");
        drop(database);
        for _ in 0..2 {
            let database = place.open();
            let again = delete(&database, "buying", &keys, &by(1));
            assert!(again.repeated, "{again:?}");
            assert_eq!((again.lsn, again.outcome), (first.lsn, first.outcome));
            drop(database);
        }
    }
}

#[test]
fn a_delete_of_rows_counts_each_key_that_was_there_once() {
    let place = Place::new();
    let database = place.start();
    for user in ["ann", "bob"] {
        put(&database, "profile", user, START, &["no", "1"], &Default::default());
    }
    let keys = ["ann", "", "ann", "nobody"];
    let first = delete(&database, "profile", &keys, &by(1));
    assert_eq!(all_deleted(first.outcome), (1, 1), "no key is empty");
    database.close().expect("closed");
    drop(database);
    let database = place.open();
    let again = delete(&database, "profile", &keys, &by(1));
    assert!(again.repeated && again.outcome == first.outcome, "{again:?}");
    assert_eq!(delete(&database, "profile", &keys, &by(2)).outcome.applied, 0);
}
