//! A read into the memory of the last one allocates nothing. A push in the memory of the last one allocates only what its entities
//! grow by. The allocator of this test counts, for each thread by itself.

#[expect(dead_code, reason = "other tests use the rest")]
mod allocator;

use std::sync::Arc;

use engine::{
    Config, Database, PushRequest, PushSpace, PutRequest, PutRowRequest, ReadOptions, ReadRequest,
    ReadSpace, SyncPolicy, WriteOptions,
};
use stdx::clock::ManualClock;
use storage::fs::SimFs;

const FEATURES: usize = 50;

fn definitions() -> String {
    let features: String = (0..FEATURES).map(|feature| format!("f{feature} = \"i64\"\n")).collect();
    format!(
        "[entity.card]\nkey = \"string\"\n[group.wide]\nentity = \"card\"\n[group.wide.features]\n{features}"
    )
}

/// Every feature is `number`.
fn row(number: i64) -> Vec<u8> {
    let states = [vec![0b1010_1010; FEATURES / 4], vec![0b1010]].concat();
    [states, number.to_le_bytes().repeat(FEATURES)].concat()
}

fn database(definitions: &str) -> Database<SimFs> {
    let config = Config { sync: SyncPolicy::Memory, ..Config::default() };
    let database = Database::open(SimFs::new(), &config, Arc::new(ManualClock::at(0)));
    let database = database.expect("opens");
    database.apply("f.toml", definitions, false).expect("valid");
    database
}

#[test]
fn a_read_of_fifty_features_allocates_for_none_of_them() {
    let database = database(&definitions());
    let keys = ["c1", "c2", "c3"].map(str::as_bytes);
    for (number, key) in (1..).zip(keys) {
        let row = row(number);
        let rows = vec![PutRowRequest { key, event_time: Some(number), row: &row }];
        let put = PutRequest { group: 0, features: FEATURES, rows };
        database.put(&put, &WriteOptions::default()).expect("taken");
    }
    let plan = database.plan_features(&["wide:*"]).expect("defined");
    let mut space = ReadSpace::default();
    for keys in [&keys[..], &keys[..1], &keys[1..]] {
        let request = ReadRequest { keys, request_rows: &[], options: ReadOptions::default() };
        let fresh = database.read(&plan, &request).expect("it can be read");
        let before = allocator::allocations();
        database.read_into(&plan, &request, &[], &mut space).expect("it can be read");
        let allocations = allocator::allocations() - before;
        assert_eq!(space.vectors, fresh);
        if keys.len() < 3 {
            assert_eq!(allocations, 0, "of a read of {} rows", keys.len());
        }
    }
}

#[test]
fn vectors_of_one_service_are_memory_for_those_of_another() {
    let text = "[entity.card]\nkey = \"string\"\n[group.profile]\nentity = \"card\"\n[group.profile.features]\n\
                name = \"string\"\nage = \"i64\"\n[service.both]\nfeatures = [\"profile:*\"]\n[service.both.derived]\n\
                next = \"age + 1\"\n";
    let database = database(text);
    let row = [&[0b1010][..], &3_u32.to_le_bytes(), b"Ada", &36_i64.to_le_bytes()].concat();
    let rows = vec![PutRowRequest { key: b"c1", event_time: Some(1), row: &row }];
    let put = PutRequest { group: 0, features: 2, rows };
    database.put(&put, &WriteOptions::default()).expect("taken");
    let both = database.plan_service("both").expect("defined");
    let name = database.plan_features(&["profile:name"]).expect("defined");
    let keys = [&b"c1"[..], b"none"];
    let request = ReadRequest { keys: &keys, request_rows: &[], options: ReadOptions::default() };
    let mut space = ReadSpace::default();
    for plan in [&both, &name, &both, &both, &name] {
        database.read_into(plan, &request, &[], &mut space).expect("it can be read");
        assert_eq!(space.vectors, database.read(plan, &request).expect("it can be read"));
    }
}

/// Pushes `count` requests of `events` payments each, of eight cards and shops in turn, a millisecond apart; how often memory was
/// allocated.
fn pushes(
    (database, space): (&Database<SimFs>, &mut PushSpace),
    start: i64,
    count: i64,
    events: usize,
) -> u64 {
    let event = |number: i64| {
        let key = |letter| [letter, b'0' + number.to_le_bytes()[0] % 8];
        let key = |letter| [&2_u32.to_le_bytes()[..], &key(letter)].concat();
        let rest = [5_i64.to_le_bytes(), number.to_le_bytes()].concat();
        [vec![0b1010_1010], key(b'c'), key(b's'), rest].concat()
    };
    let mut allocations = 0;
    for request in 0..count {
        let first = start + request * i64::try_from(events).expect("few");
        let packed: Vec<_> = (first..).take(events).map(event).collect();
        let events = packed.iter().map(Vec::as_slice).collect();
        let push = PushRequest { stream: 0, fields: 4, events };
        let before = allocator::allocations();
        let written = database.push_in(&push, &WriteOptions::default(), space).expect("taken");
        allocations += allocator::allocations() - before;
        assert_eq!(written.rejects, []);
    }
    allocations
}

#[test]
fn a_push_allocates_for_no_event_of_its_own() {
    let text = "[entity.card]\nkey = \"string\"\n[entity.shop]\nkey = \"string\"\n\
                [stream.payments]\nevent_time = \"at\"\nclock = \"event\"\n\
                [stream.payments.fields]\ncard = \"string\"\nshop = \"string\"\ncents = \"i64\"\nat = \"timestamp\"\n\
                [group.spend]\nentity = \"card\"\nstream = \"payments\"\nkey = \"card\"\nwindows = [\"5m\", \"24h\"]\n\
                [group.spend.features]\nn = \"count(*)\"\ntotal = \"sum(cents)\"\n\
                [group.sold]\nentity = \"shop\"\nstream = \"payments\"\nkey = \"shop\"\nwindows = [\"5m\", \"24h\"]\n\
                [group.sold.features]\nn = \"count(*)\"\ntotal = \"sum(cents)\"\n";
    let (database, mut space) = (database(text), PushSpace::default());
    // What is made once: memory of pushes, entities.
    pushes((&database, &mut space), 0, 100, 16);
    let single = pushes((&database, &mut space), 1600, 400, 1);
    let many = pushes((&database, &mut space), 2000, 100, 16);
    // Entities grow, and lists of more than a few shards and events have no place on the stack.
    assert!(single <= 20, "{single} for 400 pushes of one event");
    assert!(many <= 100 * 12, "{many} for 100 pushes of sixteen");
}
