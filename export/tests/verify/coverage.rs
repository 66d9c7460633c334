//! What history cannot show is not compared, and says why; what somebody changed is found, with both values.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Float64Array, RecordBatch};
use engine::{PushRequest, ReadOptions, WriteOptions};
use export::file::{FileFormat, TableReader, TableWriter};
use export::history::HistoryReader;
use export::reads::ReadLogReader;
use export::verify::Unverifiable;
use model::packed_row::{Cell, write_row};
use model::text::parse_value;
use stdx::checksum::{Crc64, crc64};
use stdx::clock::Clock;

use crate::world::{Running, START, World, read};

const WITHOUT: &str = r#"
[entity.user]
key = "string"
[stream.orders]
event_time = "at"
[stream.orders.fields]
user = "string"
price = "decimal(2)"
at = "timestamp"
[group.buying]
entity = "user"
stream = "orders"
key = "user"
windows = ["1m"]
[group.buying.features]
spent = "sum(price)"
mean = "avg(price)"
[service.offer]
features = ["buying:*"]
log_reads = 1
"#;

fn with_history() -> String {
    WITHOUT.replace("event_time = \"at\"", "event_time = \"at\"\nhistory = true")
}

fn push(running: &Running, user: &str, price: &str, at: i64) {
    let (_, definitions) = running.database.definitions();
    let fields = &definitions.streams[0].fields;
    let at = at.to_string();
    let values: Vec<_> = fields
        .iter()
        .zip([user, price, &at])
        .map(|(field, text)| parse_value("it", text, field.data_type).expect("valid"))
        .collect();
    let mut row = Vec::new();
    write_row(&mut row, fields, values.iter().map(|value| Cell::Value(value.borrow())))
        .expect("types match");
    let request = PushRequest { stream: 0, fields: fields.len(), events: vec![&row] };
    let written = running.database.push(&request, &WriteOptions::default()).expect("it is taken");
    assert_eq!(written.outcome.applied, 1, "{:?}", written.rejects);
}

/// Reads vectors of these users; the second key of each pair is not asked for.
fn look(running: &mut Running, users: &[&str]) {
    let mut plan = running.database.plan_service("offer").expect("it is defined");
    let keys: Vec<&[u8]> = users.iter().flat_map(|user| [user.as_bytes(), b""]).collect();
    let sample = read(&running.database, &mut plan, &keys, ReadOptions::default(), &[]);
    running.log.offer(sample.expect("it is read"));
}

#[test]
fn reads_that_saw_what_history_does_not_have_are_counted_apart() {
    let world = World::new();
    let mut running = world.open(WITHOUT);
    push(&running, "ada", "1.00", START);
    look(&mut running, &["ada"]);
    running.database.apply("f.toml", &with_history(), false).expect("it can be changed so");
    running.follow(&world);
    look(&mut running, &["ada", "ben"]);
    // Long after: no window sees anything of before.
    world.clock.advance_ms(600_000);
    push(&running, "ada", "2.00", world.clock.wall_ms());
    world.clock.advance_ms(180_000);
    push(&running, "ada", "2.00", world.clock.wall_ms());
    look(&mut running, &["ada"]);
    world.close(running);
    let report = world.verify(1 << 30);
    assert_eq!((report.reads, report.values, report.different), (1, 2, 0), "{report:?}");
    assert_eq!(report.unverifiable.get(&Unverifiable::BeforeHistory), Some(&3), "{report:?}");
}

/// Writes the batches of the Arrow file at `path` anew, with column `name` changed; where they are then is for `named` to say.
fn rewrite(
    path: &Path,
    name: &str,
    change: impl Fn(&ArrayRef) -> ArrayRef,
    named: impl Fn(u64) -> std::path::PathBuf,
) {
    let table = TableReader::open(path, Some(FileFormat::Arrow)).expect("readable");
    let schema = table.schema();
    let place = schema.index_of(name).expect("it has the column");
    let batches: Vec<_> = table.map(|batch| batch.expect("readable")).collect();
    let mut writer = TableWriter::create(path, FileFormat::Arrow, schema).expect("writable");
    for batch in batches {
        let mut columns = batch.columns().to_vec();
        columns[place] = change(&columns[place]);
        let batch = RecordBatch::try_new(batch.schema(), columns).expect("of the same type");
        writer.write(&batch).expect("writable");
    }
    writer.finish_as(|file| named(file.checksum)).expect("writable");
}

/// Has the manifest of the history list the file at `path` as it is now, and not with these bytes and this checksum.
#[expect(clippy::disallowed_methods, reason = "somebody else writes it")]
fn list_anew(world: &World, path: &Path, (length, checksum): (u64, u64)) {
    let (manifest, bytes) =
        (world.history().join("manifest.json"), std::fs::read(path).expect("read"));
    let mut now = Crc64::default();
    now.update(&bytes);
    let text = std::fs::read_to_string(&manifest).expect("read");
    let text = text.replace(&format!("{checksum:016x}"), &format!("{:016x}", now.value()));
    let of_bytes = |bytes: u64| format!("\"bytes\": {bytes},");
    let text = text.replace(&of_bytes(length), &of_bytes(bytes.len() as u64));
    let (head, body) = text.split_once("\"history\":").expect("a member");
    let sum = crc64(0, &[body.trim_end().strip_suffix('}').expect("an end").as_bytes()]);
    let (before, after) = ("{\"crc64_nvme\":\"", &head["{\"crc64_nvme\":\"".len() + 16..]);
    let text = format!("{before}{sum:016x}{after}\"history\":{body}");
    std::fs::write(&manifest, text).expect("written");
}

/// A database whose history and logged reads agree: three reads of two users.
fn agreed() -> World {
    let world = World::new();
    let mut running = world.open(&with_history());
    push(&running, "ada", "1.00", START);
    look(&mut running, &["ada", "ben"]);
    push(&running, "ada", "2.50", START);
    look(&mut running, &["ada"]);
    world.close(running);
    let report = world.verify(1 << 30);
    assert_eq!((report.reads, report.equal, report.different), (3, 6, 0), "{report:?}");
    world
}

/// What `docs/formats/reads.md` says, for ever.
#[test]
fn the_columns_of_a_file_are_pinned() {
    let world = agreed();
    let file = ReadLogReader::new(&world.history()).files("offer").expect("readable").remove(0);
    let table = TableReader::open(&file.path, Some(FileFormat::Arrow)).expect("readable");
    let schema = table.schema();
    let column = |field: &Arc<arrow_schema::Field>| {
        let role = field.metadata().get("larder.role").cloned().unwrap_or_default();
        format!("{} {role} {}", field.name(), field.data_type())
    };
    let columns: Vec<_> = schema.fields().iter().map(column).collect();
    let (time, words) = ("Timestamp(ms, \"UTC\")", "Dictionary(Int8, Utf8)");
    let expected = [
        format!("read_at read_at {time}"),
        format!("as_of as_of {time}"),
        format!("asked_as_of asked_as_of {time}"),
        "exclusive exclusive Boolean".to_owned(),
        "snap snap Boolean".to_owned(),
        "user entity_key Utf8".to_owned(),
        "user__seen seen UInt64".to_owned(),
        format!("buying__as_of group_as_of {time}"),
        format!("buying__snapped_at snapped_at {time}"),
        format!("buying__observed_since observed_since {time}"),
        "spent_1m feature Decimal128(19, 2)".to_owned(),
        format!("spent_1m__status status {words}"),
        "mean_1m feature Float64".to_owned(),
        format!("mean_1m__status status {words}"),
    ];
    assert_eq!(columns, expected);
    let says = |what: &str| schema.metadata().get(what).map(String::as_str);
    assert_eq!(says("larder.read_log"), Some("1"));
    assert_eq!(says("larder.service"), Some("offer"));
    assert_eq!(says("larder.definitions_version"), Some("1"));
}

#[test]
fn an_event_that_was_changed_in_history_is_found_in_every_value_that_it_is_in() {
    let world = agreed();
    let reader = HistoryReader::open(&world.history()).expect("there is one");
    let (_, history) = reader.manifest().sources.iter().next().expect("a source");
    let stream = reader.manifest().sources.values().find(|it| !it.files.is_empty());
    let file = &stream.unwrap_or(history).files[0];
    let path = world.history().join(&file.path);
    let changed = |prices: &ArrayRef| -> ArrayRef {
        let prices = prices.as_primitive::<Decimal128Type>();
        let values = prices.values().iter().map(|price| if *price == 250 { 251 } else { *price });
        let values = Decimal128Array::from_iter_values(values);
        Arc::new(values.with_data_type(prices.data_type().clone()))
    };
    rewrite(&path, "price", changed, |_| path.clone());
    list_anew(&world, &path, (file.bytes, file.checksum));
    let report = world.verify(1 << 30);
    assert_eq!((report.equal, report.different), (4, 2), "{report:?}");
    let found: Vec<_> = report.differences.iter().map(|it| (it.column.as_str(), it)).collect();
    let (column, sum) = found[0];
    assert_eq!((column, sum.logged.as_str()), ("spent_1m", "PARTIAL 3.50"));
    assert_eq!((sum.computed.as_str(), sum.key.as_str()), ("PARTIAL 3.51", "user=ada"));
    let (column, mean) = found[1];
    assert_eq!(column, "mean_1m");
    assert_eq!((mean.logged.as_str(), mean.computed.as_str()), ("PARTIAL 1.75", "PARTIAL 1.755"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "somebody else puts another file in its place")]
fn a_logged_value_that_was_changed_by_its_last_bit_is_found() {
    let world = agreed();
    let reader = ReadLogReader::new(&world.history());
    let file = reader.files("offer").expect("readable").remove(0);
    let changed = |means: &ArrayRef| -> ArrayRef {
        let means = means.as_primitive::<Float64Type>().iter();
        let next = |mean: f64| if mean == 1.75 { f64::from_bits(mean.to_bits() + 1) } else { mean };
        Arc::new(means.map(|mean| mean.map(next)).collect::<Float64Array>())
    };
    let named = |checksum: u64| {
        file.path.with_file_name(format!("{:015}-{checksum:016x}.arrow", file.first_ms))
    };
    rewrite(&file.path, "mean_1m", changed, named);
    std::fs::remove_file(&file.path).expect("it is there");
    let report = world.verify(1 << 30);
    assert_eq!((report.equal, report.different), (5, 1), "{report:?}");
    let found = &report.differences[0];
    assert_eq!(
        (found.logged.as_str(), found.computed.as_str()),
        ("PARTIAL 1.7500000000000002", "PARTIAL 1.75")
    );
    assert_eq!((found.column.as_str(), found.row), ("mean_1m", 3));
}
