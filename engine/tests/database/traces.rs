//! A read can tell what it saw: up to which record of the log the changes of each of its entities, and when it looked.

use std::sync::Arc;

use engine::{Database, Lsn, ProducerId, ReadOptions, ReadRequest, ReadSpace, WriteOptions};
use model::value::ValueRef;
use storage::fs::SimFs;

use crate::harness::{Place, START, by, push, put};

const USERS: [&str; 4] = ["ada", "ben", "eve", "ida"];

/// The first column of each user with what was seen of it.
fn counts(database: &Database<SimFs>) -> Vec<(usize, u64, i64)> {
    let plan = database.plan_features(&["buying:orders_1d"]).expect("defined");
    let keys: Vec<_> = USERS.iter().map(|user| user.as_bytes()).collect();
    let options = ReadOptions { as_of: Some(START + 1_000), ..ReadOptions::default() };
    let request = ReadRequest { keys: &keys, request_rows: &[], options };
    let mut space = ReadSpace::default();
    let trace = database.read_into(&plan, &request, &[0, 1, 3], &mut space);
    let trace = trace.expect("it can be read");
    let column = space.vectors.columns.get(0).expect("one column");
    let seen = trace.vectors.iter().map(|vector| {
        let (_, value) = column.get(vector.vector).expect("one row each");
        let Some(ValueRef::I64(count)) = value else { panic!("a count: {value:?}") };
        (vector.vector, vector.seen[0].0, count)
    });
    seen.collect()
}

/// The position that a read tells must cut the log exactly where the read looked, or what was served cannot be computed again.
#[test]
fn a_read_among_writers_saw_the_records_up_to_its_position_and_no_others() {
    let place = Place::new();
    let database = place.start();
    let (mut pushed, mut seen): (Vec<(usize, Lsn)>, Vec<_>) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let writer = |producer: u128| {
            let database = &database;
            move || {
                let mut pushed = Vec::new();
                for sequence in 1..=400_u64 {
                    let user = usize::try_from(sequence % 4).expect("small");
                    let id = format!("{producer}-{sequence}");
                    let event = [id.as_str(), USERS[user], "1", &START.to_string()];
                    let options =
                        WriteOptions { producer: ProducerId(producer), sequence, sync: None };
                    let written = push(database, "orders", &[&event], &options);
                    pushed.push((user, written.lsn));
                }
                pushed
            }
        };
        let writers = [scope.spawn(writer(1)), scope.spawn(writer(2))];
        // The reader ends when this is dropped, also when a writer panicked.
        let running = Arc::new(());
        let until = Arc::downgrade(&running);
        let reader = scope.spawn(|| {
            let (mut seen, until) = (Vec::new(), until);
            while until.strong_count() > 0 {
                seen.extend(counts(&database));
            }
            seen
        });
        for writer in writers {
            pushed.extend(writer.join().expect("it pushes"));
        }
        drop(running);
        seen = reader.join().expect("it reads");
    });
    seen.extend(counts(&database));
    for (user, position, count) in seen {
        assert_ne!(user, 2, "only what was asked for is traced");
        let expected = pushed.iter().filter(|(of, lsn)| *of == user && lsn.0 <= position).count();
        assert_eq!(usize::try_from(count), Ok(expected), "{} at {position}", USERS[user]);
    }
}

#[test]
fn a_trace_tells_moments_of_rows_and_windows() {
    let place = Place::new();
    let database = place.start();
    put(&database, "profile", "ada", START, &["CH", "5"], &by(1));
    let plan = database.plan_service("offer").expect("defined");
    let read = |options| {
        let request = ReadRequest { keys: &[b"ada"], request_rows: &[], options };
        let trace = database.read_into(&plan, &request, &[0], &mut ReadSpace::default());
        let trace = trace.expect("it can be read");
        assert_eq!((trace.version, trace.wall_ms, trace.vectors[0].vector), (1, START, 0));
        assert_eq!(trace.vectors[0].seen, [database.wal().appended_lsn()]);
        trace.vectors[0].moments.clone()
    };
    let now = read(ReadOptions { exclusive: true, ..ReadOptions::default() });
    assert!(!now[0].is_past && now[1].exclusive && now[1].snapped_at.is_none(), "{now:?}");
    assert_eq!((now[0].as_of, now[1].x(), now[1].observed_since), (START, START, START));
    let past = ReadOptions { as_of: Some(START - 90_000), snap: true, ..ReadOptions::default() };
    let past = read(past);
    assert!(past[0].is_past && past[0].as_of == START - 90_000, "{past:?}");
    assert_eq!((past[1].as_of, past[1].snapped_at), (START - 90_000, Some(START)));
    let request =
        ReadRequest { keys: &[b"ada"], request_rows: &[], options: ReadOptions::default() };
    let none = database.read_into(&plan, &request, &[], &mut ReadSpace::default());
    let none = none.expect("it can be read");
    assert!(none.vectors.is_empty(), "nothing was asked for");
}
