//! A database on a simulated disk, with a clock that moves when told, and rows and events written as tests like to.

use std::sync::Arc;

use engine::{
    Config, Database, ProducerId, PushRequest, PutRequest, PutRowRequest, ReadOptions, ReadRequest,
    SyncPolicy, WriteOptions, Written,
};
use model::{
    packed_row::{Cell, write_row},
    status::Status,
    text::parse_value,
    value::Value,
};
use stdx::clock::ManualClock;
use storage::fs::SimFs;

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000;

pub(crate) const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[group.profile]
entity = "user"
max_age = "1h"
[group.profile.features]
country = "string"
limit = "i64"
[stream.orders]
event_time = "at"
event_id = "order"
dedup = "1h"
[stream.orders.fields]
order = "string"
user = "string"
price = "decimal(2)"
at = "timestamp"
[stream.clicks]
event_time = "at"
clock = "event"
[stream.clicks.fields]
user = "string"
at = "timestamp"
[group.buying]
entity = "user"
stream = "orders"
key = "user"
windows = ["5m", "1d"]
[group.buying.features]
orders = "count(*)"
spent = "sum(price)"
[group.clicking]
entity = "user"
stream = "clicks"
key = "user"
windows = ["1h"]
[group.clicking.features]
clicks = "count(*)"
[service.offer]
features = ["profile:country", "profile:limit", "buying:*"]
[service.offer.derived]
doubled = "limit * 2"
"#;

pub(crate) struct Place {
    pub(crate) fs: SimFs,
    pub(crate) clock: Arc<ManualClock>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { fs: SimFs::new(), clock: Arc::new(ManualClock::at(START)) }
    }

    /// Opens the database as the disk has it.
    pub(crate) fn open(&self) -> Database<SimFs> {
        self.open_with(None)
    }

    /// As [`Place::open`], with a memory limit in bytes.
    pub(crate) fn open_with(&self, memory_bytes_max: Option<u64>) -> Database<SimFs> {
        self.try_open_with(memory_bytes_max).expect("opens")
    }

    /// As [`Place::open`], which may fail.
    pub(crate) fn try_open(&self) -> Result<Database<SimFs>, engine::Error> {
        self.try_open_with(None)
    }

    fn try_open_with(
        &self,
        memory_bytes_max: Option<u64>,
    ) -> Result<Database<SimFs>, engine::Error> {
        let config = Config {
            sync: SyncPolicy::Always,
            seed: 5,
            segment_bytes: 1 << 16,
            memory_bytes_max,
            ..Config::default()
        };
        Database::open(self.fs.clone(), &config, self.clock.clone())
    }

    /// A fresh database with the definitions above.
    pub(crate) fn start(&self) -> Database<SimFs> {
        let database = self.open();
        let applied = database.apply("test.toml", DEFINITIONS, false).expect("valid definitions");
        applied.ticket.expect("something was applied").wait().expect("synced");
        database
    }
}

/// Write number `sequence` of a producer.
pub(crate) fn by(sequence: u64) -> WriteOptions {
    WriteOptions { producer: ProducerId(77), sequence, sync: None }
}

/// Packs `cells`, written as text; `-` is absent, `null` is null.
pub(crate) fn pack(fields: &[model::definition::Field], cells: &[&str]) -> Vec<u8> {
    let parsed: Vec<Option<Option<Value>>> = fields
        .iter()
        .zip(cells)
        .map(|(field, cell)| match *cell {
            "-" => None,
            "null" => Some(None),
            text => {
                Some(Some(parse_value(field.name.as_str(), text, field.data_type).expect("valid")))
            }
        })
        .collect();
    let mut row = Vec::new();
    let cells = parsed.iter().map(|given| match given {
        None => Cell::Absent,
        Some(None) => Cell::Null,
        Some(Some(value)) => Cell::Value(value.borrow()),
    });
    write_row(&mut row, fields, cells).expect("types match");
    row
}

/// Puts one row: key, event time, cells of the group's features.
pub(crate) fn put(
    database: &Database<SimFs>,
    group: &str,
    key: &str,
    time: i64,
    cells: &[&str],
    options: &WriteOptions,
) -> Written {
    let (_, definitions) = database.definitions();
    let (index, definition) = definitions.group(group).expect("defined");
    let fields = definition.columns();
    let row = pack(&fields, cells);
    let rows = vec![PutRowRequest { key: key.as_bytes(), event_time: Some(time), row: &row }];
    let written = database.put(&PutRequest { group: index, features: fields.len(), rows }, options);
    let written = written.expect("the put is taken");
    written.ticket.wait().expect("synced");
    written
}

/// Pushes events, each as the cells of the stream's fields.
pub(crate) fn push(
    database: &Database<SimFs>,
    stream: &str,
    events: &[&[&str]],
    options: &WriteOptions,
) -> Written {
    let (_, definitions) = database.definitions();
    let (index, definition) = definitions.stream(stream).expect("defined");
    let packed: Vec<_> = events.iter().map(|cells| pack(&definition.fields, cells)).collect();
    let events = packed.iter().map(Vec::as_slice).collect();
    let request = PushRequest { stream: index, fields: definition.fields.len(), events };
    let written = database.push(&request, options).expect("the push is taken");
    written.ticket.wait().expect("synced");
    written
}

/// The values of `features` for one key, as `STATUS value`.
pub(crate) fn get(
    database: &Database<SimFs>,
    features: &[&str],
    key: &str,
    options: ReadOptions,
) -> Vec<String> {
    let plan = match features {
        [service] if !service.contains(':') => database.plan_service(service),
        references => database.plan_features(references),
    };
    let plan = plan.expect("defined");
    let request = ReadRequest { keys: &[key.as_bytes()], request_rows: &[], options };
    let vectors = database.read(&plan, &request).expect("readable");
    let shown = |column: model::column::ColumnRef<'_>| {
        let (status, value) = column.get(0).expect("one row");
        match value {
            Some(value) => format!("{status} {}", value.to_owned()),
            None => Status::to_string(&status),
        }
    };
    vectors.columns.iter().map(shown).collect()
}
