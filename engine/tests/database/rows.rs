//! Rows: absent is not null, the newest event time wins per feature, old values expire, and all of it survives a crash.

use crate::harness::{Place, START, get, put};
use engine::{ReadOptions, ReadRequest, WriteOptions};
use model::limits::{BATCH_MAX, FRAME_BYTES_MAX, STRING_BYTES_MAX};

const ALL: &[&str] = &["profile:country", "profile:limit"];

#[test]
fn the_worked_example_of_the_semantics_page_holds() {
    let place = Place::new();
    let database = place.start();
    let nobody = WriteOptions::default();
    let now = ReadOptions::default();
    let minute = 60_000;
    place.clock.set_wall_ms(START + 61 * minute);
    assert_eq!(get(&database, ALL, "ann", now), ["NOT_FOUND", "NOT_FOUND"]);
    put(&database, "profile", "ann", START, &["CH", "500"], &nobody);
    put(&database, "profile", "ann", START + 60 * minute, &["-", "800"], &nobody);
    assert_eq!(get(&database, ALL, "ann", now), ["EXPIRED", "PRESENT 800"], "max age is an hour");
    let stale = put(&database, "profile", "ann", START + 30 * minute, &["DE", "600"], &nobody);
    assert_eq!((stale.outcome.applied, stale.outcome.duplicate), (1, 0), "one feature was newer");
    assert_eq!(get(&database, ALL, "ann", now), ["PRESENT DE", "PRESENT 800"]);
    let stale = put(&database, "profile", "ann", START + 15 * minute, &["null", "-"], &nobody);
    assert_eq!((stale.outcome.applied, stale.outcome.duplicate), (0, 1), "nothing was");
    let as_of = ReadOptions { as_of: Some(START + 30 * minute), ..now };
    assert_eq!(get(&database, ALL, "ann", as_of), ["PRESENT DE", "NOT_FOUND"], "not known then");
    put(&database, "profile", "ann", START + 60 * minute, &["null", "null"], &nobody);
    assert_eq!(get(&database, ALL, "ann", now), ["NULL", "NULL"]);
}

#[test]
fn a_crash_keeps_rows_definitions_and_derived_values() {
    let place = Place::new();
    let database = place.start();
    for number in 0..200 {
        let key = format!("user-{number}");
        put(
            &database,
            "profile",
            &key,
            START + number,
            &["CH", &number.to_string()],
            &WriteOptions::default(),
        );
    }
    let (version, digest) = (database.definitions_version(), database.digest().expect("readable"));
    database.abandon();
    drop(database);
    place.fs.crash(&mut stdx::prng::Prng::new(3));
    let database = place.open();
    assert_eq!(
        (database.definitions_version(), database.digest().expect("readable")),
        (version, digest)
    );
    let vector = get(&database, &["offer"], "user-21", ReadOptions::default());
    assert_eq!(vector[..2], ["PRESENT CH", "PRESENT 21"]);
    assert_eq!(vector.last().map(String::as_str), Some("PRESENT 42"));
}

#[test]
fn a_group_grows_at_its_end_and_keeps_its_rows() {
    let place = Place::new();
    let database = place.start();
    put(&database, "profile", "ann", START, &["CH", "5"], &WriteOptions::default());
    let grown = crate::harness::DEFINITIONS
        .replace("limit = \"i64\"", "limit = \"i64\"\nname = \"string\"");
    database.apply("test.toml", &grown, false).expect("appending is allowed");
    put(&database, "profile", "ann", START + 1, &["-", "-", "Ann"], &WriteOptions::default());
    let all = &["profile:country", "profile:limit", "profile:name"];
    let expected = ["PRESENT CH", "PRESENT 5", "PRESENT Ann"];
    assert_eq!(get(&database, all, "ann", ReadOptions::default()), expected);
    database.close().expect("closed");
    drop(database);
    assert_eq!(get(&place.open(), all, "ann", ReadOptions::default()), expected);
}

#[test]
fn a_deleted_entity_is_gone_and_stays_gone() {
    let place = Place::new();
    let database = place.start();
    put(&database, "profile", "ann", START, &["CH", "5"], &WriteOptions::default());
    let group = database.group_index("profile").expect("defined");
    let written =
        database.delete(group, &[b"ann", b"bob"], &WriteOptions::default()).expect("taken");
    assert_eq!(written.outcome.applied, 1);
    written.ticket.wait().expect("synced");
    drop(database);
    assert_eq!(get(&place.open(), ALL, "ann", ReadOptions::default()), ["NOT_FOUND", "NOT_FOUND"]);
}

#[test]
fn a_start_tells_the_records_it_replayed_from_those_that_the_snapshot_has() {
    let place = Place::new();
    let database = place.start();
    let put = |number: i64| {
        put(&database, "profile", "ann", START + number, &["CH", "1"], &WriteOptions::default())
    };
    (0..7).for_each(|number| drop(put(number)));
    database.checkpoint(&mut |_| {}).expect("the disk works");
    (7..10).for_each(|number| drop(put(number)));
    database.close().expect("the disk works");
    drop(database);
    let database = place.open();
    let recovery = database.recovery();
    // The segment in which the snapshot ends is read whole: definitions and ten rows.
    assert_eq!((recovery.records, recovery.replayed), (11, 3));
}

/// One short request can name the same long text thousands of times: it is refused when a reply is full, not after all was gathered.
#[test]
fn more_text_than_a_reply_holds_is_refused_while_it_is_read() {
    let place = Place::new();
    let database = place.start();
    let text = "x".repeat(STRING_BYTES_MAX);
    put(&database, "profile", "ann", START, &[&text, "500"], &WriteOptions::default());
    let plan = database.plan_features(ALL).expect("defined");
    let read = |times: usize| {
        let keys = vec![&b"ann"[..]; times];
        let options = ReadOptions::default();
        database.read(&plan, &ReadRequest { keys: &keys, request_rows: &[], options })
    };
    let most = FRAME_BYTES_MAX / (STRING_BYTES_MAX + 16);
    assert_eq!(read(most).expect("it fits").columns.rows(), most);
    let refused = read(BATCH_MAX).expect_err("256 MiB of text").to_string();
    assert!(refused.contains("read fewer entities at once"), "{refused}");
    let told = refused.split_whitespace().filter_map(|word| word.parse::<usize>().ok());
    let largest = told.max().expect("it says how much");
    assert!(largest <= FRAME_BYTES_MAX + 2 * STRING_BYTES_MAX, "{largest} bytes were gathered");
}
