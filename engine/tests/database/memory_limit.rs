//! A database that may use so much memory and no more: writes that need some are refused whole, before anything is logged;
//! everything else goes on, and when memory is given back writes do too.

use engine::{
    Database, Error, MemoryHealth, PushRequest, PutRequest, PutRowRequest, ReadOptions, StatValue,
    WriteOptions, Written,
};
use storage::fs::SimFs;

use crate::harness::{DEFINITIONS, Place, START, by, get, pack};

const LIMIT: u64 = 6 << 20;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Events of one request.
const BATCH: u64 = 500;

fn start(place: &Place) -> Database<SimFs> {
    let database = place.open_with(Some(LIMIT));
    database.apply("test.toml", DEFINITIONS, false).expect("valid definitions");
    database
}

/// Pushes [`BATCH`] orders of users that nobody has seen, from number `first` on.
fn try_push(
    database: &Database<SimFs>,
    first: u64,
    at: i64,
    options: &WriteOptions,
) -> Result<Written, Error> {
    let (_, definitions) = database.definitions();
    let (stream, definition) = definitions.stream("orders").expect("defined");
    let at = at.to_string();
    let order = |number: u64| {
        let (id, user) = (format!("o-{number}"), format!("user-{number:08}"));
        pack(&definition.fields, &[&id, &user, "1.00", &at])
    };
    let rows: Vec<_> = (first..first + BATCH).map(order).collect();
    let events = rows.iter().map(Vec::as_slice).collect();
    let fields = definition.fields.len();
    database.push(&PushRequest { stream, fields, events }, options)
}

/// Pushes new users until there is no room; how many there are then, and why no more.
fn fill(database: &Database<SimFs>, at: i64) -> (u64, Error) {
    for batch in 0.. {
        match try_push(database, batch * BATCH, at, &WriteOptions::default()) {
            Ok(written) => assert!(written.rejects.is_empty(), "{:?}", written.rejects),
            Err(error) => return (batch * BATCH, error),
        }
    }
    unreachable!("memory is limited")
}

fn delete_users(database: &Database<SimFs>, users: std::ops::Range<u64>) {
    let group = database.group_index("buying").expect("defined");
    let keys: Vec<_> = users.map(|number| format!("user-{number:08}")).collect();
    for keys in keys.chunks(1000) {
        let keys: Vec<_> = keys.iter().map(String::as_bytes).collect();
        database.delete(group, &keys, &WriteOptions::default()).expect("deletes go on");
    }
}

fn stat(database: &Database<SimFs>, name: &str) -> StatValue {
    let stats = database.stats();
    let found = stats.into_iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no figure is called {name}")).1
}

#[test]
fn at_the_limit_a_write_is_refused_whole_and_nothing_of_it_is_logged() {
    let place = Place::new();
    let database = start(&place);
    let (users, error) = fill(&database, START);
    assert!(users > 10_000, "{users} users of about 200 bytes");
    let Error::MemoryFull { used, limit, needed } = error else { panic!("{error}") };
    assert!(limit == LIMIT && used + needed > limit, "{error}");
    assert!(
        used < limit + limit / 20,
        "{used}: a table that is about to double counts as if it had"
    );
    let before = (database.wal().appended_lsn(), database.digest().expect("readable"));
    let refused = try_push(&database, users, START, &WriteOptions::default());
    refused.expect_err("still full");
    assert_eq!((database.wal().appended_lsn(), database.digest().expect("readable")), before);
    let (_, definitions) = database.definitions();
    let (group, definition) = definitions.group("profile").expect("defined");
    let row = pack(&definition.columns(), &["CH", "5"]);
    let rows = vec![PutRowRequest { key: b"ann", event_time: None, row: &row }];
    let put = PutRequest { group, features: 2, rows };
    let refused = database.put(&put, &WriteOptions::default());
    assert!(matches!(refused, Err(Error::MemoryFull { .. })), "a put needs memory too");
}

#[test]
fn reads_deletes_and_definitions_go_on_and_room_lets_writes_in_again() {
    let place = Place::new();
    let database = start(&place);
    let (users, error) = fill(&database, START);
    let Error::MemoryFull { needed, .. } = error else { panic!("{error}") };
    assert_eq!(database.memory_use().health, MemoryHealth::Full);
    // Longer than there is room for, and no event: it is told that, and not that memory is full.
    let (stream, long) = (0, vec![0xff; usize::try_from(needed).expect("some kilobytes")]);
    let push = PushRequest { stream, fields: 4, events: vec![&long] };
    let told = database.push(&push, &WriteOptions::default()).expect("nothing has to be kept");
    assert_eq!((told.outcome.applied, told.outcome.rejected), (0, 1));
    let user = format!("user-{:08}", users - 1);
    let orders = get(&database, &["buying:orders_1d"], &user, ReadOptions::default());
    assert_eq!(orders, ["PARTIAL 1"]);
    let more = format!("{DEFINITIONS}\n[service.more]\nfeatures = [\"buying:*\"]\n");
    database.apply("test.toml", &more, false).expect("definitions go on");
    delete_users(&database, 0..users / 2);
    let refused = try_push(&database, users, START, &WriteOptions::default());
    refused.expect_err("nobody has counted since");
    database.measure_memory();
    assert_ne!(database.memory_use().health, MemoryHealth::Full);
    try_push(&database, users, START, &WriteOptions::default()).expect("there is room again");
}

#[test]
fn what_expires_makes_room() {
    let place = Place::new();
    let database = start(&place);
    let (users, _) = fill(&database, START);
    place.clock.set_wall_ms(START + 3 * DAY_MS);
    // Ids leave a bounded number a round.
    for _ in 0..4 {
        while !database.sweep(1000).is_round_over {}
    }
    database.measure_memory();
    let memory = database.memory_use();
    assert!(memory.bytes < LIMIT / 4, "{memory:?}: windows and ids have given back theirs");
    let at = START + 3 * DAY_MS;
    try_push(&database, users, at, &WriteOptions::default()).expect("there is room again");
}

#[test]
fn a_write_that_was_applied_is_answered_again_although_memory_is_full() {
    let place = Place::new();
    let database = start(&place);
    let first = try_push(&database, 1 << 40, START, &by(1)).expect("room");
    let (users, _) = fill(&database, START);
    let again = try_push(&database, 1 << 40, START, &by(1)).expect("it was applied before");
    assert_eq!((again.repeated, again.outcome), (true, first.outcome));
    try_push(&database, 1 << 41, START, &by(2)).expect_err("it is new");
    delete_users(&database, 0..users);
    database.measure_memory();
    let taken = try_push(&database, 1 << 41, START, &by(2)).expect("there is room again");
    assert_eq!(
        (taken.repeated, u64::from(taken.outcome.applied)),
        (false, BATCH),
        "not applied before"
    );
}

#[test]
fn operators_see_it_coming_and_what_to_do() {
    let place = Place::new();
    let database = start(&place);
    assert_eq!(stat(&database, "memory_health"), StatValue::Text("ok".to_owned()));
    assert_eq!(stat(&database, "memory_bytes_max"), StatValue::Number(LIMIT));
    fill(&database, START);
    let StatValue::Text(health) = stat(&database, "memory_health") else { panic!("a word") };
    assert!(health.starts_with("full: ") && health.contains("--max-memory"), "{health}");
    assert_eq!(stat(&database, "memory_refused_count"), StatValue::Number(1));
    let StatValue::Number(used) = stat(&database, "memory_bytes") else { panic!("a number") };
    assert!((LIMIT / 8 * 7..LIMIT + LIMIT / 20).contains(&used), "{used}");
}

#[test]
fn a_database_larger_than_its_limit_opens_and_is_read() {
    let place = Place::new();
    let database = start(&place);
    let (users, _) = fill(&database, START);
    database.close().expect("closed");
    drop(database);
    let database = place.open_with(Some(LIMIT / 2));
    let user = format!("user-{:08}", users - 1);
    let orders = get(&database, &["buying:orders_1d"], &user, ReadOptions::default());
    assert_eq!(orders, ["PARTIAL 1"]);
    let refused = try_push(&database, users, START, &WriteOptions::default());
    assert!(matches!(refused, Err(Error::MemoryFull { .. })));
    delete_users(&database, 0..users / 4 * 3);
    place.clock.set_wall_ms(START + DAY_MS / 2);
    for _ in 0..4 {
        while !database.sweep(1000).is_round_over {}
    }
    database.measure_memory();
    try_push(&database, users, START, &WriteOptions::default()).expect("there is room again");
}
