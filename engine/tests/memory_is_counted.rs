//! What the database says of its memory is what it has allocated: an allocator that counts is asked the same question.
//!
//! Entities of a window group come with one event, with many, and with so many that they have tiles; half of them are deleted
//! again. At every stage the count of the group and the growth of the heap agree within a tenth.

#[expect(dead_code, reason = "other tests use the rest")]
mod allocator;

use std::sync::Arc;

use allocator::live_bytes;
use engine::{Config, Database, PushRequest, SyncPolicy, WriteOptions};
use model::{
    packed_row::{Cell, write_row},
    time::{HOUR_MS, SECOND_MS},
    value::ValueRef,
};
use stdx::clock::ManualClock;
use storage::fs::SimFs;

const START: i64 = 1_767_225_600_000;

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[stream.payments]
event_time = "at"
clock = "event"
[stream.payments.fields]
card = "string"
amount = "decimal(2)"
at = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "1h", "24h", "7d", "30d"]
[group.spend.features]
payments = "count(*)"
spend = "sum(amount)"
mean = "avg(amount)"
smallest = "min(amount)"
largest = "max(amount)"
spread = "stddev(amount)"
"#;

/// Pushes one event for each card.
fn push(database: &Database<SimFs>, cards: &[String], at: i64) {
    let (_, definitions) = database.definitions();
    let fields = &definitions.streams[0].fields;
    let amounts = (0..).map(|card| card * 7919 % 20_000);
    let rows: Vec<Vec<u8>> = cards
        .iter()
        .zip(amounts)
        .map(|(card, amount)| {
            let mut row = Vec::new();
            let cells = [
                Cell::Value(ValueRef::String(card)),
                Cell::Value(ValueRef::Decimal(amount, 2)),
                Cell::Value(ValueRef::Timestamp(at)),
            ];
            write_row(&mut row, fields, cells).expect("types match");
            row
        })
        .collect();
    for rows in rows.chunks(1000) {
        let events = rows.iter().map(Vec::as_slice).collect();
        let request = PushRequest { stream: 0, fields: fields.len(), events };
        let written = database.push(&request, &WriteOptions::default()).expect("taken");
        assert!(written.rejects.is_empty(), "{:?}", written.rejects);
    }
}

/// The heap's growth since `before` and the group's count agree.
fn check(database: &Database<SimFs>, (heap, counted): (usize, u64), stage: &str) {
    let heap = live_bytes() as f64 - heap as f64;
    let memory = database.group_memory()[0];
    let counted = (memory.bytes - counted) as f64;
    let ratio = counted / heap;
    assert!((0.9..=1.1).contains(&ratio), "{stage}: {counted} bytes counted, {heap} allocated");
}

#[test]
fn counted_bytes_are_the_allocated_ones() {
    let config =
        Config { sync: SyncPolicy::Memory, seed: 5, segment_bytes: 1 << 16, ..Config::default() };
    let clock = Arc::new(ManualClock::at(START));
    let database = Database::open(SimFs::new(), &config, clock).expect("opens");
    database.apply("test.toml", DEFINITIONS, false).expect("valid");
    // What a first push leaves behind beside the entity is not the group's.
    push(&database, &["first".to_owned()], START);
    let before = (live_bytes(), database.group_memory()[0].bytes);
    let cards: Vec<_> = (0..20_000).map(|card| format!("c{card:08}")).collect();
    let names: usize = cards.iter().map(String::capacity).sum::<usize>();
    let names = names + cards.capacity() * size_of::<String>();
    let before = (before.0 + names, before.1);
    push(&database, &cards, START);
    check(&database, before, "one event each");
    for round in 1..10 {
        push(&database, &cards, START + round * HOUR_MS);
    }
    check(&database, before, "ten events each");
    for round in 0..1000 {
        push(&database, &cards[..100], START + 10 * HOUR_MS + round * 20 * SECOND_MS);
    }
    check(&database, before, "some have tiles");
    while !database.sweep(1000).is_round_over {}
    check(&database, before, "swept");
    let half: Vec<&[u8]> = cards.iter().step_by(2).map(|card| card.as_bytes()).collect();
    for keys in half.chunks(1000) {
        database.delete(0, keys, &WriteOptions::default()).expect("deleted");
    }
    check(&database, before, "half are deleted");
}
