//! Exports: what the files hold is what reads answer at that moment, whoever writes meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Int8Type, Int64Type};
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_select::concat::concat_batches;
use engine::{
    Config, Database, OsFs, PushRequest, PutRequest, PutRowRequest, SyncPolicy, Vfs, WriteOptions,
};
use export::Error;
use export::file::FileFormat;
use export::group::{Exported, MANIFEST, Options, export, export_directory};
use model::definition::Field;
use model::key::EntityKey;
use model::packed_row::{Cell, write_row};
use model::text::parse_value;
use stdx::clock::ManualClock;
use storage::fs::SimFs;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;
const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[entity.pair]
key = ["string", "i64"]
[group.profile]
entity = "card"
max_age = "1h"
[group.profile.features]
flag = "bool"
number = "i64"
narrow = "f32"
wide = "f64"
text = "string"
raw = "bytes"
at = "timestamp"
amount = "decimal(2)"
vector = "f32[2]"
event_time = "i64"
[group.pairs]
entity = "pair"
[group.pairs.features]
score = "i64"
[stream.payments]
event_time = "ts"
[stream.payments.fields]
card = "string"
merchant = "string"
amount = "decimal(2)"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "all"]
[group.spend.features]
payments = "count(*)"
total = "sum(amount)"
merchants = "approx_distinct(merchant)"
"#;

fn open<V: Vfs>(vfs: V, sync: SyncPolicy, clock: &Arc<ManualClock>) -> Database<V> {
    let config = Config { sync, seed: 5, segment_bytes: 1 << 16, ..Config::default() };
    let database = Database::open(vfs, &config, Arc::clone(clock) as _).expect("opens");
    database.apply("test.toml", DEFINITIONS, false).expect("valid definitions");
    database
}

fn simulated() -> (Database<SimFs>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(START));
    (open(SimFs::new(), SyncPolicy::Always, &clock), clock)
}

/// Packs `cells`; `-` is absent, `null` is null.
fn pack(fields: &[Field], cells: &[&str]) -> Vec<u8> {
    let parse = |(field, cell): (&Field, &&str)| match *cell {
        "-" => None,
        "null" => Some(None),
        text => Some(parse_value(field.name.as_str(), text, field.data_type).ok()),
    };
    let parsed: Vec<_> = fields.iter().zip(cells).map(parse).collect();
    let cells = parsed.iter().map(|given| match given {
        None => Cell::Absent,
        Some(None) => Cell::Null,
        Some(Some(value)) => Cell::Value(value.borrow()),
    });
    let mut row = Vec::new();
    write_row(&mut row, fields, cells).expect("types match");
    row
}

fn put<V: Vfs>(database: &Database<V>, group: &str, keys: &[&str], time: i64, cells: &[&str]) {
    let (_, definitions) = database.definitions();
    let (index, definition) = definitions.group(group).expect("defined");
    let fields = definition.columns();
    let row = pack(&fields, cells);
    let kinds = &definitions.entities[definition.entity].key;
    let key = |key: &&str| EntityKey::parse(key, kinds).expect("a key");
    let keys: Vec<_> = keys.iter().map(key).collect();
    let rows = keys.iter().map(|key| PutRowRequest {
        key: key.as_bytes(),
        event_time: Some(time),
        row: &row,
    });
    let request = PutRequest { group: index, features: fields.len(), rows: rows.collect() };
    let written = database.put(&request, &WriteOptions::default()).expect("it is taken");
    written.ticket.wait().expect("synced");
}

fn push<V: Vfs>(database: &Database<V>, events: &[[&str; 4]]) {
    let (_, definitions) = database.definitions();
    let (index, stream) = definitions.stream("payments").expect("defined");
    let packed: Vec<_> = events.iter().map(|cells| pack(&stream.fields, cells)).collect();
    let events = packed.iter().map(Vec::as_slice).collect();
    let request = PushRequest { stream: index, fields: stream.fields.len(), events };
    let written = database.push(&request, &WriteOptions::default()).expect("it is taken");
    written.ticket.wait().expect("synced");
}

fn exported<V: Vfs>(database: &Database<V>, target: &Path, options: &Options) -> Exported {
    export(database, target, options, &mut |_| Ok(())).expect("there is room")
}

/// All rows of a group's files.
fn table(target: &Path, exported: &Exported, group: &str) -> RecordBatch {
    let mut batches = Vec::new();
    let mut schema = None;
    for file in exported.files.iter().filter(|file| file.group == group) {
        let bytes = std::fs::read(target.join(&file.path)).expect("it was written");
        let mut sum = stdx::checksum::Crc64::default();
        sum.update(&bytes);
        assert_eq!((file.bytes, file.checksum), (bytes.len() as u64, sum.value()));
        let reader = arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None);
        let reader = reader.expect("it is Arrow");
        let before = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        schema = Some(reader.schema());
        batches.extend(reader.map(|batch| batch.expect("it is whole")));
        let after = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        assert_eq!(file.rows, (after - before) as u64);
    }
    concat_batches(&schema.expect("it has a file"), &batches).expect("they have one schema")
}

/// Position of the row whose first column is `key`.
fn row(table: &RecordBatch, key: &str) -> usize {
    let keys = table.column(0).as_string::<i32>();
    keys.iter().position(|found| found == Some(key)).expect("the key is there")
}

fn words<'a>(table: &'a RecordBatch, column: &str) -> Vec<&'a str> {
    let column = table.column_by_name(column).expect("there is a column of statuses");
    let words = column.as_dictionary::<Int8Type>().downcast_dict::<StringArray>();
    words.expect("they are words").into_iter().map(|word| word.expect("each has one")).collect()
}

fn numbers<'a>(table: &'a RecordBatch, column: &str) -> &'a [i64] {
    let column = table.column_by_name(column).expect("it is there");
    column.as_primitive::<Int64Type>().values()
}

#[test]
fn rows_are_exported_with_types_statuses_and_event_times() {
    let (database, clock) = simulated();
    let full = ["true", "-7", "1.5", "1e300", "née", "00ff", "2026-01-01", "12.5", "[1,2.5]", "42"];
    put(&database, "profile", &["full"], START, &full);
    put(&database, "profile", &["null"], START + 1, &["null"; 10]);
    let half = ["false", "1", "-", "-", "-", "-", "-", "-", "-", "-"];
    put(&database, "profile", &["half"], START + 2, &half);
    put(&database, "profile", &["old"], START - 4_000_000, &full);
    put(&database, "pairs", &["a|7"], START, &["1"]);
    clock.advance_ms(1000);
    let directory = tempfile::tempdir().expect("there is room");
    let target = directory.path().join("one");
    let exported = exported(&database, &target, &Options::default());
    assert_eq!(exported.lsn, Some(database.wal().appended_lsn().0));

    let profile = table(&target, &exported, "profile");
    let schema = profile.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    // A feature has the name already that times of rows usually have.
    assert_eq!((names[0], names[1], names[2]), ("card", "flag", "flag__status"));
    assert_eq!(names.last(), Some(&"event_time_"));
    let (full, null, half, old) =
        (row(&profile, "full"), row(&profile, "null"), row(&profile, "half"), row(&profile, "old"));
    let column = |name: &str| profile.column_by_name(name).expect("it is there");
    assert!(column("flag").as_boolean().value(full) && column("wide").is_null(half));
    assert_eq!(column("raw").as_binary::<i32>().value(full), [0, 255]);
    assert_eq!(column("amount").as_primitive::<Decimal128Type>().value_as_string(full), "12.50");
    let vector = column("vector").as_fixed_size_list().value(full);
    assert_eq!(vector.as_primitive::<Float32Type>().values().as_ref(), [1.0, 2.5]);
    let status = |name, row: usize| words(&profile, name)[row];
    assert_eq!(status("wide__status", full), "PRESENT");
    assert_eq!(status("wide__status", null), "NULL");
    assert_eq!(status("wide__status", half), "NOT_FOUND");
    assert_eq!(status("wide__status", old), "EXPIRED");
    let times = column("event_time_");
    let times = times.as_primitive::<arrow_array::types::TimestampMillisecondType>();
    assert_eq!((times.value(full), times.value(half)), (START, START + 2));
    assert!(times.is_null(old), "nothing of the row is given");
    let field = schema.field_with_name("amount").expect("it is there").metadata();
    assert_eq!(field["larder.type"], "decimal(2)");
    assert_eq!(schema.metadata()["larder.as_of_ms"], (START + 1000).to_string());

    let pairs = table(&target, &exported, "pairs");
    assert_eq!(numbers(&pairs, "pair_2"), [7]);
    assert!(pairs.column_by_name("score__status").is_none(), "the values say it all");
}

#[test]
fn windows_are_exported_at_one_as_of_with_their_sketches() {
    let (database, clock) = simulated();
    clock.advance_ms(600_000);
    let now = |ms: i64| (START + 600_000 + ms).to_string();
    push(&database, &[["c", "m1", "1.50", &now(0)], ["c", "m2", "2.00", &now(-1)]]);
    push(&database, &[["c", "m1", "4", &now(1)], ["d", "m1", "1", &now(-30_000)]]);
    let directory = tempfile::tempdir().expect("there is room");
    let target = directory.path().join("now");
    let options = Options { partials: true, ..Options::default() };
    let spend = table(&target, &exported(&database, &target, &options), "spend");
    let (c, d) = (row(&spend, "c"), row(&spend, "d"));
    let payments = numbers(&spend, "payments_5m");
    assert_eq!((payments[c], payments[d]), (2, 1), "what is ahead of the clock is not seen");
    assert!(spend.column_by_name("payments_5m__status").is_none(), "it was all observed");
    let sketches = spend.column_by_name("merchants_all__hll").expect("it was asked for");
    let sketch = datasketches::hll::HllSketch::deserialize(sketches.as_binary::<i32>().value(c));
    let estimate = sketch.expect("DataSketches reads it").composite_estimate();
    assert!((estimate - 2.0).abs() < 1e-6, "{estimate}");
    let schema = spend.schema();
    let field = schema.field_with_name("total_5m").expect("it is there").metadata();
    assert_eq!(
        ["feature", "expression", "window", "window_ms", "hop_ms"]
            .map(|name| field[&format!("larder.{name}")].as_str()),
        ["total", "sum(amount)", "5m", "300000", "15000"]
    );

    let target = directory.path().join("then");
    let options = Options { as_of: Some(START + 600_000 - 1), ..Options::default() };
    let spend = table(&target, &exported(&database, &target, &options), "spend");
    assert_eq!(numbers(&spend, "payments_5m")[row(&spend, "c")], 1);
}

/// Each put writes one number for three cards. An export has the number of all three, and as many puts as its log position says.
#[test]
fn an_export_under_writes_is_of_one_record_of_the_log() {
    let (database, _) = simulated();
    let first = database.wal().appended_lsn().0;
    let directory = tempfile::tempdir().expect("there is room");
    std::thread::scope(|threads| {
        // Also when an assertion fails here, writers end.
        let running = Arc::new(());
        for writer in 0..2 {
            let (database, running) = (&database, Arc::downgrade(&running));
            threads.spawn(move || {
                let keys = ["a", "b", "c"].map(|part| format!("{part}{writer}|{writer}"));
                for number in 1.. {
                    if running.strong_count() == 0 {
                        return;
                    }
                    let keys = keys.each_ref().map(String::as_str);
                    put(database, "pairs", &keys, START + number, &[&number.to_string()]);
                }
            });
        }
        for round in 0..10 {
            if round % 4 == 3 {
                database.checkpoint(&mut |_| {}).expect("the disk works");
            }
            let target = directory.path().join(round.to_string());
            let exported = exported(&database, &target, &Options::default());
            let pairs = table(&target, &exported, "pairs");
            let mut of_writer = BTreeMap::<i64, Vec<i64>>::new();
            for (writer, number) in numbers(&pairs, "pair_2").iter().zip(numbers(&pairs, "score")) {
                of_writer.entry(*writer).or_default().push(*number);
            }
            let mut puts = 0;
            for parts in of_writer.values() {
                assert_eq!(parts, &vec![parts[0]; 3], "{of_writer:?}");
                puts += parts[0];
            }
            let lsn = exported.lsn.expect("it has a log");
            assert_eq!(u64::try_from(puts).expect("positive"), lsn - first, "{of_writer:?}");
        }
    });
}

#[test]
fn files_are_bounded_and_the_manifest_says_what_they_are() {
    let (database, _) = simulated();
    for number in 0..25 {
        let (key, number) = (format!("k|{number}"), number.to_string());
        put(&database, "pairs", &[&key], START, &[&number]);
    }
    let directory = tempfile::tempdir().expect("there is room");
    let target = directory.path().join("one");
    let mut told = Vec::new();
    let options =
        Options { part_rows: 10, groups: Some(vec!["pairs".into()]), ..Options::default() };
    let exported = export(&database, &target, &options, &mut |progress| {
        told.push((progress.rows, progress.rows_total));
        Ok(())
    });
    let exported = exported.expect("there is room");
    let rows: Vec<_> = exported.files.iter().map(|file| file.rows).collect();
    assert_eq!((rows, told), (vec![10, 10, 5], vec![(10, 25), (20, 25), (25, 25)]));
    let mut scores = numbers(&table(&target, &exported, "pairs"), "score").to_vec();
    scores.sort_unstable();
    assert_eq!(scores, (0..25).collect::<Vec<_>>());

    let manifest = std::fs::read_to_string(target.join(MANIFEST)).expect("it was written");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("it is JSON");
    assert_eq!(manifest["larder_export"], 1);
    assert_eq!(manifest["lsn"].as_u64(), exported.lsn);
    assert_eq!(manifest["definitions"]["toml"], DEFINITIONS);
    let group = &manifest["groups"][0];
    assert_eq!((&group["rows"], &group["kind"]), (&25.into(), &"rows".into()));
    assert_eq!(group["columns"][1]["type"], "i64");
    let file = &group["files"][2];
    assert_eq!(file["path"], "pairs/part-00002.arrow");
    assert_eq!(file["crc64_nvme"], format!("{:016x}", exported.files[2].checksum));
}

#[test]
fn groups_of_nothing_are_files_without_rows_and_parquet_is_the_same_table() {
    let (database, _) = simulated();
    let directory = tempfile::tempdir().expect("there is room");
    let target = directory.path().join("empty");
    let empty = exported(&database, &target, &Options::default());
    assert_eq!(empty.files.iter().map(|file| file.rows).collect::<Vec<_>>(), [0, 0, 0]);
    assert_eq!(table(&target, &empty, "spend").num_columns(), 7);

    push(&database, &[["c", "m1", "1.50", &START.to_string()]]);
    let target = directory.path().join("arrow");
    let arrow = table(&target, &exported(&database, &target, &Options::default()), "spend");
    assert_eq!(words(&arrow, "payments_5m__status"), ["PARTIAL"]);
    let target = directory.path().join("parquet");
    let options = Options { format: FileFormat::Parquet, ..Options::default() };
    exported(&database, &target, &options);
    let bytes = std::fs::read(target.join("spend/part-00000.parquet")).expect("it was written");
    let bytes = bytes::Bytes::from(bytes);
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes, 100);
    let read = reader.expect("it is Parquet").next().expect("there are rows").expect("it is whole");
    assert_eq!(read.columns(), arrow.columns());
}

#[test]
fn what_cannot_be_exported_leaves_nothing_behind() {
    let (database, clock) = simulated();
    clock.advance_ms(600_000);
    let directory = tempfile::tempdir().expect("there is room");
    let target = directory.path().join("one");
    let refused = |options: Options| {
        let refused = export(&database, &target, &options, &mut |_| Ok(()));
        let entries = std::fs::read_dir(directory.path()).expect("it is there").count();
        assert_eq!(entries, 0);
        refused.expect_err("it is refused").to_string()
    };
    let message = refused(Options { groups: Some(vec!["nothing".into()]), ..Options::default() });
    assert!(message.contains("no group is called nothing"), "{message}");
    let (version, _) = database.definitions();
    let earlier = Some(version - 1);
    let message = refused(Options { definitions_version: earlier, ..Options::default() });
    assert!(message.contains("definitions changed") && message.contains("try again"), "{message}");
    let message = refused(Options { format: FileFormat::Csv, ..Options::default() });
    assert!(message.contains("arrow or parquet"), "{message}");
    let message = refused(Options { as_of: Some(START), ..Options::default() });
    assert!(message.contains("as-of"), "{message}");
    let stopped = export(&database, &target, &Options::default(), &mut |_| {
        Err(Error::Usage("enough".to_owned()))
    });
    assert!(stopped.is_err_and(|error| error.to_string() == "enough"));
    assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 0);
    exported(&database, &target, &Options::default());
    let again = export(&database, &target, &Options::default(), &mut |_| Ok(()));
    assert!(again.is_err_and(|error| error.to_string().contains("something already")));
}

#[test]
fn a_database_without_a_log_is_exported_as_it_goes_on() {
    let clock = Arc::new(ManualClock::at(START));
    let database = open(SimFs::new(), SyncPolicy::Memory, &clock);
    put(&database, "pairs", &["a|7"], START, &["1"]);
    let directory = tempfile::tempdir().expect("there is room");
    let target = directory.path().join("one");
    let exported = exported(&database, &target, &Options::default());
    assert_eq!(exported.lsn, None);
    assert_eq!(numbers(&table(&target, &exported, "pairs"), "score"), [1]);
}

/// Names and bytes of all files.
fn bytes_of(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).expect("it is there").flatten();
    let file = |entry: std::fs::DirEntry| {
        let bytes = std::fs::read(entry.path()).expect("readable");
        (entry.file_name().to_string_lossy().into_owned(), bytes)
    };
    entries.map(file).collect()
}

#[test]
fn a_directory_that_nobody_serves_is_exported_without_changing_it() {
    let directory = tempfile::tempdir().expect("there is room");
    let data = directory.path().join("data");
    let clock = Arc::new(ManualClock::at(START));
    let files = OsFs::open(&data).expect("there is room");
    let database = open(files, SyncPolicy::Always, &clock);
    put(&database, "pairs", &["a|7"], START, &["1"]);
    database.checkpoint(&mut |_| {}).expect("there is room");
    push(&database, &[["c", "m1", "1.50", &START.to_string()]]);
    let run = |name: &str, as_of| {
        let (target, options) =
            (directory.path().join(name), Options { as_of, ..Options::default() });
        let later = START + 86_400_000;
        let exported = export_directory(&data, later, &target, &options, &mut |_| Ok(()));
        exported.map(|exported| table(&target, &exported, "spend"))
    };
    let message = run("locked", None).expect_err("it is served").to_string();
    assert!(message.contains("process"), "{message}");
    database.close().expect("there is room");
    drop(database);
    let before = bytes_of(&data);
    let spend = run("later", None).expect("nobody serves it");
    assert_eq!(numbers(&spend, "payments_5m"), [0], "a day later");
    assert_eq!(numbers(&spend, "payments_all"), [1]);
    let spend = run("then", Some(START)).expect("nobody serves it");
    assert_eq!(numbers(&spend, "payments_5m"), [1]);
    assert!(bytes_of(&data) == before, "no byte has changed");
}
