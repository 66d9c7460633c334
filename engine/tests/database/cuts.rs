//! A cut is the database as it was at one record of its log, whatever is written, checkpointed and removed meanwhile and
//! afterwards. `LARDER_SEED` replays one seed.

use std::sync::Arc;

use engine::{
    Database, DumpChunk, Error, PutRequest, PutRowRequest, StorageError, Vfs, WriteOptions,
};
use model::{status::Status, time::format_timestamp};
use stdx::prng::Prng;

use crate::{
    harness::{Place, START, pack, push},
    replay_equals_live::act,
};

/// All of a group, in small steps.
fn dumped<V: Vfs>(database: &Database<V>, group: &str, as_of: Option<i64>) -> DumpChunk {
    let dump = database.dump(group, as_of, true).expect("it is defined");
    let mut chunk = dump.start(0);
    while chunk.page.next.is_some() {
        database.dump_more(&dump, (7, usize::MAX), &mut chunk).expect("readable");
    }
    chunk
}

/// Text of a row of column `column`.
fn shown(chunk: &DumpChunk, row: usize, column: usize) -> String {
    let (status, value) = chunk.page.columns[column].get(row).expect("the row exists");
    value.map_or_else(|| status.to_string(), |value| value.to_owned().to_string())
}

#[test]
fn what_is_written_after_a_cut_does_not_show_in_it() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|text| text.parse().ok());
    for seed in seed.map_or(0..20, |seed: u64| seed..seed + 1) {
        let mut prng = Prng::new(seed);
        let place = Place::new();
        let mut database = place.start();
        for life in 0..4 {
            let mut cuts = Vec::new();
            for _ in 0..3 {
                for _ in 0..prng.below(40) {
                    place.clock.advance_ms(u32::try_from(prng.below(60_000)).expect("small"));
                    act(&place, &database, &mut prng);
                }
                if prng.chance(0.4) {
                    database.checkpoint(&mut |_| {}).expect("the disk works");
                }
                let lsn = database.wal().appended_lsn();
                let cut = database.cut(&mut |_| {}).expect("it has a log");
                assert_eq!(cut.wal().appended_lsn(), lsn, "seed {seed}, life {life}");
                cuts.push((database.digest().expect("readable"), cut));
            }
            // The log and the snapshot that the first cuts are made of are gone by now, or will be.
            database.checkpoint(&mut |_| {}).expect("the disk works");
            for (number, (live, cut)) in cuts.iter().enumerate() {
                let digest = cut.digest().expect("readable");
                assert_eq!(digest, *live, "seed {seed}, life {life}, cut {number}");
            }
            database.abandon();
            drop(database);
            database = place.open();
        }
    }
}

/// Each write puts one number for three users, of three shards as a rule. A cut has the number of all three or of none, and as
/// many writes as its log position says.
#[test]
fn a_cut_under_writes_is_of_one_record_of_the_log() {
    let place = Place::new();
    let database = place.start();
    let (group, definitions) =
        (database.group_index("profile").expect("defined"), database.definitions().1);
    let fields = definitions.group("profile").expect("defined").1.columns();
    let first = database.wal().appended_lsn().0;
    std::thread::scope(|threads| {
        // Also when an assertion fails here, writers end.
        let running = Arc::new(());
        for writer in 0..3 {
            let (database, fields) = (&database, &fields);
            let running = Arc::downgrade(&running);
            threads.spawn(move || {
                let users = ["a", "b", "c"].map(|part| format!("{part}{writer}"));
                for number in 1.. {
                    if running.strong_count() == 0 {
                        return;
                    }
                    let row = pack(fields, &["-", &number.to_string()]);
                    let rows = users.iter().map(|user| PutRowRequest {
                        key: user.as_bytes(),
                        event_time: Some(START + number),
                        row: &row,
                    });
                    let rows = rows.collect();
                    let request = PutRequest { group, features: fields.len(), rows };
                    database.put(&request, &WriteOptions::default()).expect("it is taken");
                }
            });
        }
        for round in 0..20 {
            if round % 5 == 3 {
                database.checkpoint(&mut |_| {}).expect("the disk works");
            }
            let cut = database.cut(&mut |_| {}).expect("it has a log");
            let chunk = dumped(&cut, "profile", None);
            let mut numbers = [[None; 3]; 3];
            for (row, key) in chunk.page.keys.iter().enumerate() {
                let (part, writer) = (usize::from(key[0] - b'a'), usize::from(key[1] - b'0'));
                numbers[writer][part] = shown(&chunk, row, 1).parse::<u64>().ok();
            }
            let mut writes = 0;
            for parts in numbers {
                assert!(parts.iter().all(|number| *number == parts[0]), "{numbers:?}");
                writes += parts[0].unwrap_or(0);
            }
            assert_eq!(writes, cut.wal().appended_lsn().0 - first, "{numbers:?}");
        }
    });
}

#[test]
fn a_cut_is_looked_at_at_its_moment_however_late() {
    let place = Place::new();
    let database = place.start();
    let at = |ms: i64| format_timestamp(START + ms);
    push(&database, "orders", &[&["1", "u", "2.50", &at(0)]], &WriteOptions::default());
    place.clock.advance_ms(1000);
    let cut = database.cut(&mut |_| {}).expect("it has a log");
    // Hours later the live database has forgotten the events of a five-minute window.
    place.clock.advance_ms(10 * 3_600_000);
    while !database.sweep(usize::MAX).is_round_over {}
    assert_eq!(shown(&dumped(&database, "buying", None), 0, 0), "0");
    let chunk = dumped(&cut, "buying", None);
    assert_eq!((shown(&chunk, 0, 0), shown(&chunk, 0, 2)), ("1".to_owned(), "2.50".to_owned()));
    let (status, _) = chunk.page.columns[0].get(0).expect("the row exists");
    assert_eq!(status, Status::Partial, "the group is observed since a second");
    let as_of = cut.dump("buying", None, false).expect("it is defined").as_of();
    assert_eq!(as_of, START + 1000);
    // An as-of before the floor is refused as for reads.
    let old = cut.dump("buying", Some(START - 120_000), false).expect("it is defined");
    let refused = cut.dump_more(&old, (1, 1), &mut old.start(0));
    assert!(matches!(refused, Err(Error::AsOfTooOld { .. })), "{refused:?}");
}

#[test]
fn without_a_log_there_is_no_cut() {
    let clock = std::sync::Arc::new(stdx::clock::ManualClock::at(START));
    let config = engine::Config { sync: engine::SyncPolicy::Memory, ..engine::Config::default() };
    let database = Database::open(storage::fs::SimFs::new(), &config, clock).expect("opens");
    let refused = database.cut(&mut |_| {}).err();
    assert!(matches!(refused, Some(Error::Storage(StorageError::NoLog))), "{refused:?}");
}
