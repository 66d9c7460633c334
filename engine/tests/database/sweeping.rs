//! Entities that nobody touches any more: their memory comes back once no window sees their events, and no read can tell.

use std::fmt::Write;

use crate::harness::{Place, START, get, push, put};
use engine::{Database, ReadOptions, StatValue, Swept, WriteOptions};
use model::time::{DAY_MS, HOUR_MS, MINUTE_MS, format_timestamp};
use storage::fs::SimFs;

const FEATURES: &[&str] = &["buying:*"];

/// A whole round, in steps of any size.
fn round(database: &Database<SimFs>) -> Swept {
    let mut whole = Swept::default();
    for limit in 1.. {
        let swept = database.sweep(limit);
        whole.entities += swept.entities;
        whole.retired += swept.retired;
        whole.bytes_freed += swept.bytes_freed;
        whole.is_round_over = swept.is_round_over;
        if whole.is_round_over {
            break;
        }
    }
    whole
}

/// Entities and bytes of a group.
fn memory(database: &Database<SimFs>, group: &str) -> (u64, u64) {
    let memory = database.group_memory()[database.group_index(group).expect("defined")];
    (memory.entities, memory.bytes)
}

/// `users` users with one order each, an hour apart from user to user within a day; user 0 has a thousand more.
fn orders(place: &Place, database: &Database<SimFs>, users: usize) {
    for user in 0..users {
        let at = START - i64::try_from(user % 24).expect("small") * HOUR_MS;
        let count = if user == 0 { 1000 } else { 1 };
        for order in 0..count {
            let (id, name) = (format!("{user}-{order}"), format!("user-{user}"));
            let at = format_timestamp(at - order * 1000);
            push(database, "orders", &[&[&id, &name, "1.25", &at]], &WriteOptions::default());
        }
    }
    assert_eq!(stdx::clock::Clock::wall_ms(&*place.clock), START);
}

fn all(database: &Database<SimFs>, users: usize, options: ReadOptions) -> String {
    let mut shown = String::new();
    for user in 0..users {
        let values = get(database, FEATURES, &format!("user-{user}"), options);
        writeln!(shown, "{user} {values:?}").expect("strings grow");
    }
    shown
}

#[test]
fn sweeping_is_not_seen_and_memory_comes_back() {
    const USERS: usize = 300;
    let place = Place::new();
    let database = place.start();
    orders(&place, &database, USERS);
    put(&database, "profile", "ann", START, &["no", "1"], &WriteOptions::default());
    let (entities, before) = memory(&database, "buying");
    assert_eq!(entities, USERS as u64);
    for hours in [0, 1, 5, 23, 24, 30, 47, 49] {
        place.clock.set_wall_ms(START + hours * HOUR_MS);
        let now = ReadOptions::default();
        let floor = ReadOptions { as_of: Some(START + hours * HOUR_MS - MINUTE_MS), ..now };
        let below = ReadOptions { as_of: Some(START - DAY_MS), snap: true, ..now };
        let shown = [now, floor, below].map(|options| all(&database, USERS, options));
        let swept = round(&database);
        assert_eq!([now, floor, below].map(|options| all(&database, USERS, options)), shown);
        assert_eq!(round(&database).retired, 0, "one round finds all, {hours} h");
        match hours {
            0 => assert_eq!((swept.entities, swept.retired), (USERS as u64, 0)),
            24..=48 => assert!(memory(&database, "buying").0 < entities, "{hours} h"),
            _ => {}
        }
    }
    let (entities, after) = memory(&database, "buying");
    assert_eq!(entities, 0);
    assert!(after < before / 3, "{after} of {before} bytes");
    assert_eq!(memory(&database, "profile").0, 1, "rows stay");
    let stat = |name: &str| database.stats().into_iter().find(|(known, _)| known == name);
    let retired = stat("swept_retired_count").expect("counted").1;
    assert_eq!(retired, StatValue::Number(USERS as u64));
}

#[test]
fn nothing_is_swept_before_an_event_clock_begins_and_while_an_event_is_within_the_horizon() {
    let place = Place::new();
    let database = place.start();
    assert_eq!(round(&database), Swept { is_round_over: true, ..Swept::default() });
    push(&database, "clicks", &[&["ann", &format_timestamp(START)]], &WriteOptions::default());
    // The wall clock does not count here.
    place.clock.set_wall_ms(START + 400 * DAY_MS);
    assert_eq!(round(&database).retired, 0);
    let click = |database: &Database<SimFs>, after: i64| {
        let at = format_timestamp(START + after);
        push(database, "clicks", &[&["bob", &at]], &WriteOptions::default());
    };
    // A window of 1 h on tiles of 1 min, read a horizon of 1 min ago.
    click(&database, HOUR_MS + 2 * MINUTE_MS - 2);
    assert_eq!(round(&database).retired, 0);
    let floor = ReadOptions { as_of: Some(START + HOUR_MS + MINUTE_MS - 2), ..Default::default() };
    assert_eq!(get(&database, &["clicking:*"], "ann", floor), ["PRESENT 1"]);
    click(&database, HOUR_MS + 2 * MINUTE_MS);
    assert_eq!(round(&database).retired, 1);
    assert_eq!(memory(&database, "clicking").0, 1, "bob is left");
}

#[test]
fn lifetime_windows_keep_their_entities() {
    let place = Place::new();
    let database = place.start();
    let more = "[group.ever]\nentity = \"user\"\nstream = \"orders\"\nkey = \"user\"\n\
                windows = [\"5m\", \"all\"]\n[group.ever.features]\nbought = \"count(*)\"\n";
    let text = format!("{}{more}", crate::harness::DEFINITIONS);
    database.apply("test.toml", &text, false).expect("valid");
    orders(&place, &database, 30);
    place.clock.set_wall_ms(START + 4000 * DAY_MS);
    let swept = round(&database);
    assert_eq!((swept.entities, swept.retired), (60, 30), "those of the other group go");
    let read = |user: &str| get(&database, &["ever:*"], user, ReadOptions::default());
    assert!(read("user-0")[1].ends_with(" 1000"), "{:?}", read("user-0"));
    assert!(read("user-9")[1].ends_with(" 1"));
}

#[test]
fn the_bytes_of_features_are_those_of_their_group() {
    let place = Place::new();
    let database = place.start();
    orders(&place, &database, 200);
    let group = database.group_index("buying").expect("defined");
    let features = database.memory_by_feature(group).expect("a group");
    let names: Vec<_> = features.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["orders", "spent"]);
    let sum: u64 = features.iter().map(|(_, bytes)| bytes).sum();
    assert!(sum.abs_diff(memory(&database, "buying").1) <= 2, "{features:?}");
    assert!(features[0].1 < features[1].1, "sums need the price, counts do not: {features:?}");
    let stat = format!("feature_bytes.buying.{}", names[1]);
    assert!(database.stats().iter().any(|(name, _)| *name == stat));
}

#[test]
fn a_deleted_entity_gives_everything_back() {
    let place = Place::new();
    let database = place.start();
    let (_, empty) = memory(&database, "buying");
    orders(&place, &database, 40);
    let group = database.group_index("buying").expect("defined");
    for user in 0..40 {
        let key = format!("user-{user}");
        database.delete(group, &[key.as_bytes()], &WriteOptions::default()).expect("deleted");
    }
    assert_eq!(memory(&database, "buying"), (0, empty));
}
