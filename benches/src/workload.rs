//! Databases and data that benchmarks share.

use std::sync::Arc;

use aggregate::{
    ColumnSelection, EntityWindows, PreparedEvent, ReadAt, ReadScratch, WindowPlan, ingest,
};
use engine::{
    Config, Database, OsFs, PushRequest, PushSpace, PutRequest, PutRowRequest, SyncPolicy,
    WriteOptions, Written,
};
use model::{
    definition::{Definitions, Field, GroupKind, Stream},
    name::Name,
    packed_row::{self, Cell},
    value::{DataType, ValueRef},
};
use stdx::clock::SystemClock;

use crate::cards::Payment;

/// Features of the wide row group.
pub const WIDE: usize = 50;

/// Cards and their payments.
macro_rules! payments {
    () => {
        r#"
[entity.card]
key = "string"
[stream.payments]
event_time = "ts"
clock = "event"
[stream.payments.fields]
card = "string"
merchant = "string"
amount = "decimal(2)"
ts = "timestamp"
"#
    };
}

/// Counters of payments in 4 windows.
macro_rules! spend {
    () => {
        r#"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "1h", "24h", "7d"]
[group.spend.features]
n = "count(*)"
total = "sum(amount)"
low = "min(amount)"
high = "max(amount)"
"#
    };
}

/// Definitions of one window group over payments: 5 windows × 6 aggregates.
pub const MONTH: &str = concat!(
    payments!(),
    r#"
[group.month]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "1h", "24h", "7d", "30d"]
[group.month.features]
n = "count(*)"
total = "sum(amount)"
mean = "avg(amount)"
low = "min(amount)"
high = "max(amount)"
spread = "stddev(amount)"
"#
);

/// Definitions of one window group over payments: counters in 4 windows.
pub const COUNTERS: &str = concat!(payments!(), spend!());

/// Distinct merchants of payments in 4 windows.
const REACH: &str = r#"
[group.reach]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "1h", "24h", "7d"]
[group.reach.features]
merchants = "approx_distinct(merchant)"
"#;

/// Definitions: a row group of [`WIDE`] f64 and two window groups over payments.
#[must_use]
pub fn definitions() -> String {
    let features: String = (0..WIDE).map(|i| format!("f{i} = \"f64\"\n")).collect();
    let wide = "[group.wide]\nentity = \"card\"\n[group.wide.features]";
    format!("{}{wide}\n{features}{}{REACH}", payments!(), spend!())
}

/// A database without a log in `directory`, with `definitions` applied.
///
/// # Panics
/// When it cannot be opened: benchmarks have nobody to tell.
#[must_use]
pub fn database(directory: &std::path::Path, definitions: &str) -> Database<OsFs> {
    let database = open(directory, SyncPolicy::Memory);
    database.apply("bench.toml", definitions, false).expect("the definitions are valid");
    database
}

/// The database in `directory`, as it is there.
///
/// # Panics
/// When it cannot be opened.
#[must_use]
pub fn open(directory: &std::path::Path, sync: SyncPolicy) -> Database<OsFs> {
    let config = Config { sync, seed: 1, ..Config::default() };
    let files = OsFs::open(directory).expect("the directory can be used");
    Database::open(files, &config, Arc::new(SystemClock::new())).expect("the database opens")
}

/// The key of entity `number`.
#[must_use]
pub fn key(number: u64) -> String {
    format!("card-{number:08}")
}

/// A packed row of [`WIDE`] f64 that depends on `number`.
#[must_use]
pub fn wide_row(number: u64) -> Vec<u8> {
    let mut row = vec![0b1010_1010; WIDE / 4];
    row.push(0b1010);
    for feature in 0..WIDE as u64 {
        // Exact below 2^53.
        let value = (number * 31 + feature) as f64;
        row.extend_from_slice(&value.to_le_bytes());
    }
    row
}

/// Puts rows `numbers` into the wide group; what was written carries the ticket to wait for.
///
/// # Panics
/// When the database refuses.
pub fn put_wide(database: &Database<OsFs>, numbers: std::ops::Range<u64>) -> Written {
    let rows: Vec<_> = numbers.map(|number| (key(number), wide_row(number))).collect();
    put_packed(database, &rows)
}

/// As [`put_wide`], of rows that are packed, each with its key.
///
/// # Panics
/// When the database refuses.
pub fn put_packed(database: &Database<OsFs>, rows: &[(String, Vec<u8>)]) -> Written {
    let rows = rows
        .iter()
        .map(|(key, row)| PutRowRequest { key: key.as_bytes(), event_time: Some(1), row })
        .collect();
    let request = PutRequest { group: 0, features: WIDE, rows };
    let written = database.put(&request, &WriteOptions::default()).expect("rows are put");
    assert!(written.rejects.is_empty(), "{:?}", written.rejects);
    written
}

/// Pushes payments of cards, in the order given.
///
/// # Panics
/// When the database refuses one.
pub fn push(database: &Database<OsFs>, payments: &[Payment]) {
    push_packed(database, &packed(payments), &mut PushSpace::default());
}

/// Types of the payments' fields.
const PAYMENT: [DataType; 4] =
    [DataType::String, DataType::String, DataType::Decimal(2), DataType::Timestamp];

/// Payments as events: packed rows.
///
/// # Panics
/// Never: they fit their types.
#[must_use]
pub fn packed(payments: &[Payment]) -> Vec<Vec<u8>> {
    let fields = PAYMENT.map(|data_type| {
        let name = Name::new("any").expect("a name");
        Field { name, data_type }
    });
    let event = |payment: &Payment| {
        let key = key(payment.card.into());
        let cells = [
            Cell::Value(ValueRef::String(&key)),
            Cell::Null,
            Cell::Value(ValueRef::Decimal(payment.amount, 2)),
            Cell::Value(ValueRef::Timestamp(payment.time)),
        ];
        let mut row = Vec::new();
        packed_row::write_row(&mut row, &fields, cells).expect("the row fits its types");
        row
    };
    payments.iter().map(event).collect()
}

/// Pushes events that are packed, in the order given, in the memory of `space`: as a server does.
///
/// # Panics
/// When the database refuses one.
pub fn push_packed(database: &Database<OsFs>, events: &[Vec<u8>], space: &mut PushSpace) {
    let events = events.iter().map(Vec::as_slice).collect();
    let request = PushRequest { stream: 0, fields: PAYMENT.len(), events };
    let written = database.push_in(&request, &WriteOptions::default(), space);
    let written = written.expect("events are pushed");
    assert!(written.rejects.is_empty(), "{:?}", written.rejects);
}

/// The window group called `name` of [`definitions`] or [`MONTH`], compiled, with the stream that feeds it.
///
/// # Panics
/// When there is no such group: the definitions are constants.
#[must_use]
pub fn window_plan(name: &str) -> (Stream, WindowPlan) {
    let none = Definitions::default();
    let text = if name == "month" { MONTH.to_owned() } else { definitions() };
    let definitions =
        Definitions::parse("bench.toml", &text, &none).expect("the definitions are valid");
    let (_, group) = definitions.group(name).expect("the group is defined");
    let GroupKind::Windows(windows) = &group.kind else { panic!("{name} is no window group") };
    let stream = definitions.streams[windows.stream].clone();
    let plan = WindowPlan::new(&stream, windows);
    (stream, plan)
}

/// A payment of the card, prepared for `plan`.
///
/// # Panics
/// When the event does not fit the stream: both are constants.
pub fn prepare(
    plan: &WindowPlan,
    stream: &Stream,
    number: u64,
    at: i64,
    event: &mut PreparedEvent,
) {
    let merchant = format!("merchant-{number}");
    let amount = i64::try_from(number % 100_000).expect("small");
    let cells = [
        Cell::Value(ValueRef::String("card")),
        Cell::Value(ValueRef::String(&merchant)),
        Cell::Value(ValueRef::Decimal(amount, 2)),
        Cell::Value(ValueRef::Timestamp(at)),
    ];
    let mut fields = Vec::new();
    ingest::exact_fields(stream, &cells, &mut fields).expect("the event fits");
    plan.prepare(&fields, at, &number.to_le_bytes(), event).expect("the event fits");
}

/// A payment of `amount` cents at `at`, prepared for `plan`; the merchant is always the same.
///
/// # Panics
/// When the event does not fit the stream: both are constants.
pub fn prepare_payment(
    plan: &WindowPlan,
    stream: &Stream,
    amount: i64,
    at: i64,
    event: &mut PreparedEvent,
) {
    let cells = [
        Cell::Value(ValueRef::String("card")),
        Cell::Value(ValueRef::String("merchant")),
        Cell::Value(ValueRef::Decimal(amount, 2)),
        Cell::Value(ValueRef::Timestamp(at)),
    ];
    let mut fields = Vec::with_capacity(cells.len());
    ingest::exact_fields(stream, &cells, &mut fields).expect("the event fits");
    plan.prepare(&fields, at, &[], event).expect("the event fits");
}

/// A card with `events` payments, one a second, each at a merchant of its own.
#[must_use]
pub fn card(plan: &WindowPlan, stream: &Stream, events: u64) -> (EntityWindows, i64) {
    let (mut entity, mut event, mut now) = (EntityWindows::default(), PreparedEvent::default(), 0);
    for number in 0..events {
        now += 1000;
        prepare(plan, stream, number, now, &mut event);
        entity.update(plan, &event, now);
    }
    (entity, now)
}

/// Reads every column of `selection` just after `now`; returns how many gave a value.
pub fn read_all(
    plan: &WindowPlan,
    selection: &ColumnSelection,
    entity: &EntityWindows,
    now: i64,
    scratch: &mut ReadScratch,
) -> usize {
    let mut given = 0;
    entity.read(plan, selection, ReadAt::Exact { x: now + 1 }, scratch, &mut |_, value| {
        given += usize::from(matches!(value, Ok(Some(_))));
    });
    given
}
