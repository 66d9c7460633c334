//! What the accountant calls used is never less than what is allocated, but for a stated bound: an allocator that
//! counts is asked after every write, while memory fills with new entities, events of old ones, rows of all lengths and
//! ids, and when half is deleted. Nobody counts between two writes unless a write finds no room: the estimates alone
//! carry it.

#[expect(dead_code, reason = "other tests use the rest")]
mod allocator;

use std::sync::Arc;

use allocator::live_bytes;
use engine::{
    Config, Database, Error, PushRequest, PutRequest, PutRowRequest, SyncPolicy, WriteOptions,
    Written,
};
use model::{
    packed_row::{Cell, write_row},
    value::ValueRef,
};
use stdx::{clock::ManualClock, prng::Prng};
use storage::fs::SimFs;

const START: i64 = 1_767_225_600_000;
const LIMIT: u64 = 24 << 20;
/// See `docs/memory.md`, "What counts": chunks that tables of one window group begin, and a thirty-second.
const BOUND: u64 = (256 << 10) + LIMIT / 32;

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[group.profile]
entity = "card"
[group.profile.features]
name = "string"
score = "f64"
note = "string"
[stream.payments]
event_time = "at"
event_id = "payment"
dedup = "1h"
[stream.payments.fields]
payment = "string"
card = "string"
amount = "decimal(2)"
at = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "1h", "30d"]
[group.spend.features]
payments = "count(*)"
spend = "sum(amount)"
"#;

fn push(database: &Database<SimFs>, prng: &mut Prng, cards: u64) -> Result<Written, Error> {
    let (_, definitions) = database.definitions();
    let fields = &definitions.streams[0].fields;
    let rows: Vec<Vec<u8>> = (0..200)
        .map(|_| {
            let (id, card) = (prng.next_u64().to_string(), format!("card-{}", prng.below(cards)));
            let mut row = Vec::new();
            let cells = [
                Cell::Value(ValueRef::String(&id)),
                Cell::Value(ValueRef::String(&card)),
                Cell::Value(ValueRef::Decimal(prng.between(0, 1 << 20), 2)),
                Cell::Value(ValueRef::Timestamp(START)),
            ];
            write_row(&mut row, fields, cells).expect("types match");
            row
        })
        .collect();
    let events = rows.iter().map(Vec::as_slice).collect();
    let request = PushRequest { stream: 0, fields: fields.len(), events };
    database.push(&request, &WriteOptions::default())
}

fn put(database: &Database<SimFs>, prng: &mut Prng, cards: u64) -> Result<Written, Error> {
    let (_, definitions) = database.definitions();
    let (group, definition) = definitions.group("profile").expect("defined");
    let fields = definition.columns();
    let given: Vec<(String, i64, Vec<u8>)> = (0..50)
        .map(|_| {
            let text = "x".repeat(usize::try_from(prng.below(200)).expect("small"));
            let mut row = Vec::new();
            let cells = [
                Cell::Value(ValueRef::String(&text)),
                if prng.chance(0.5) { Cell::Absent } else { Cell::Value(ValueRef::F64(1.5)) },
                Cell::Value(ValueRef::String("y")),
            ];
            write_row(&mut row, &fields, cells).expect("types match");
            let number = prng.below(cards);
            // Half of the keys are too long to lie in their row's head.
            let long = if number.is_multiple_of(2) { "-of-somebody-who-pays" } else { "" };
            (format!("card-{number}{long}"), START + prng.between(0, 9), row)
        })
        .collect();
    let rows = given.iter().map(|(key, time, row)| PutRowRequest {
        key: key.as_bytes(),
        event_time: Some(*time),
        row,
    });
    let request = PutRequest { group, features: fields.len(), rows: rows.collect() };
    database.put(&request, &WriteOptions::default())
}

#[test]
fn used_is_never_below_what_is_allocated_by_more_than_the_bound() {
    let config = Config {
        sync: SyncPolicy::Memory,
        seed: 5,
        memory_bytes_max: Some(LIMIT),
        ..Config::default()
    };
    let clock = Arc::new(ManualClock::at(START));
    let database = Database::open(SimFs::new(), &config, clock).expect("opens");
    database.apply("test.toml", DEFINITIONS, false).expect("valid");
    let mut prng = Prng::new(11);
    push(&database, &mut prng, 1).expect("room");
    put(&database, &mut prng, 1).expect("room");
    database.measure_memory();
    // What is allocated beside: definitions, this test, what a first write leaves behind.
    let used = database.memory_use().bytes;
    let beside = live_bytes() as u64 - used.min(live_bytes() as u64);
    let (mut writes, mut refused) = (0, 0);
    while refused < 20 {
        let written = if prng.chance(0.7) {
            push(&database, &mut prng, 1 << 40)
        } else {
            put(&database, &mut prng, 1 << 40)
        };
        match written {
            Ok(written) => assert!(written.rejects.is_empty(), "{:?}", written.rejects),
            Err(Error::MemoryFull { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        writes += 1;
        let (used, live) = (database.memory_use().bytes, live_bytes() as u64 - beside);
        assert!(live <= used + BOUND, "write {writes}: {live} allocated, {used} counted");
        assert!(live <= LIMIT + BOUND, "write {writes}: {live} allocated, the limit is {LIMIT}");
    }
    // Maps of ids are about to double, and are counted as if they had.
    let live = live_bytes() as u64 - beside;
    assert!(live > LIMIT / 2, "{live} bytes allocated when {LIMIT} are full: {writes} writes");
}
