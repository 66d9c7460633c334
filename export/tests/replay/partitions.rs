//! A replay in parts: shuffled by the hash that is offered, batch by batch, it gives what a replay of everything gives; and events
//! in tables, which are taken in by columns, are what they are in text, cell by cell.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
    cast::AsArray,
    types::{Int64Type, UInt32Type},
};
use engine::replay::{ReplayPlan, ReplayTarget};
use export::{
    file::{FileFormat, TableReader, TableWriter},
    replay::{
        PartitionReplay, ReplayColumns, ReplayFiles, ReplayMap, ReplayOptions, ReplayOrder,
        ReplayReport, ReplayWatcher, partitions_of, replay_files,
    },
};
use model::key::KeyType;
use stdx::prng::Prng;

/// What is swept (counts and sums), what is not (last), what is filtered, and rows beside it.
const DEFINITIONS: &str = r#"
[entity.card]
key = ["string", "i64"]
[group.profile]
entity = "card"
[group.profile.features]
limit = "i64"
[stream.payments]
event_time = "ts"
event_id = "id"
dedup = "1h"
[stream.payments.fields]
id = "string"
bank = "string"
number = "i64"
amount = "f64"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = ["bank", "number"]
windows = ["5m", "1h"]
[group.spend.features]
n = "count(*)"
sum = "sum(amount)"
std = "stddev(amount)"
max = "max(amount)"
[group.other]
entity = "card"
stream = "payments"
key = ["bank", "number"]
windows = ["5m"]
[group.other.features]
last = "last(amount)"
large = "count(*) filter (where amount > 5)"
"#;
const FEATURES: [&str; 3] = ["spend:*", "other:*", "profile:*"];
const SPAN_MS: i64 = 7_200_000;

/// A history and a spine of 40 cards; some events repeat others, lack something or are none.
struct History {
    events: RecordBatch,
    rows: RecordBatch,
    spine: RecordBatch,
}

fn table<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .expect("columns of one length")
}

/// Banks, numbers and times of so many records.
fn cards(random: &mut Prng, count: usize) -> (Vec<String>, Vec<i64>, Vec<i64>) {
    let bank = |random: &mut Prng| format!("00{}", random.below(4));
    let banks = (0..count).map(|_| bank(random)).collect();
    let numbers = (0..count).map(|_| random.between(0, 9)).collect();
    let mut times: Vec<_> = (0..count).map(|_| random.between(0, SPAN_MS)).collect();
    times.sort_unstable();
    (banks, numbers, times)
}

impl History {
    fn new(seed: u64) -> Self {
        let mut random = Prng::new(seed);
        let (banks, numbers, times) = cards(&mut random, 4_000);
        // An id names one event, of one card.
        let id = |(bank, number): (&String, &i64)| format!("{bank}{number}-{}", random.below(400));
        let ids: Vec<_> = banks.iter().zip(&numbers).map(id).collect();
        let amounts: Vec<_> = (0..4_000)
            .map(|_| match random.below(40) {
                0 => None,
                1 => Some(1e300),
                _ => Some(random.between(-900, 900) as f64 / 64.0),
            })
            .collect();
        let banks: Vec<_> =
            banks.into_iter().map(|bank| (!random.chance(0.01)).then_some(bank)).collect();
        let events = table([
            ("id", Arc::new(StringArray::from(ids)) as ArrayRef),
            ("bank", Arc::new(StringArray::from(banks))),
            ("number", Arc::new(Int64Array::from(numbers))),
            ("amount", Arc::new(Float64Array::from(amounts))),
            ("ts", Arc::new(Int64Array::from(times.clone()))),
            ("arrival", Arc::new(Int64Array::from(times))),
        ]);
        let keyed = |random: &mut Prng, count: usize, time: &str, value: &str| {
            let (banks, numbers, times) = cards(random, count);
            table([
                ("card_1", Arc::new(StringArray::from(banks)) as ArrayRef),
                ("card_2", Arc::new(Int64Array::from(numbers))),
                (time, Arc::new(Int64Array::from(times.clone()))),
                (value, Arc::new(Int64Array::from_iter_values(0..count as i64))),
                ("arrival", Arc::new(Int64Array::from(times))),
            ])
        };
        let rows = keyed(&mut random, 100, "event_time", "limit");
        let spine = keyed(&mut random, 1_000, "as_of", "row");
        Self { events, rows, spine: spine.project(&[0, 1, 2, 3]).expect("it has them") }
    }
}

fn plan() -> ReplayPlan {
    let plan = ReplayPlan::new("test.toml", DEFINITIONS, ReplayTarget::Features(&FEATURES));
    plan.expect("the definitions are valid")
}

fn options(order: ReplayOrder) -> ReplayOptions {
    ReplayOptions { order, observed_since: Some(0), partition_bits: 3, ..ReplayOptions::default() }
}

fn write(path: &Path, batch: &RecordBatch) {
    let format = FileFormat::of_path(path).expect("a format");
    let mut writer = TableWriter::create(path, format, batch.schema()).expect("created");
    writer.write(batch).expect("written");
    writer.finish().expect("finished");
}

fn replayed(
    directory: &Path,
    of: &str,
    order: ReplayOrder,
    maps: Vec<ReplayMap>,
) -> (ReplayReport, String) {
    let file = |name: &str| directory.join(format!("{name}.{of}"));
    let files = ReplayFiles {
        events: vec![(None, file("events"))],
        rows: vec![("profile".to_owned(), file("rows"))],
        spine: file("spine"),
        as_of_column: "as_of".to_owned(),
        arrival_column: "arrival".to_owned(),
        maps,
        service: None,
        with_statuses: true,
        out: directory.join("out.csv"),
    };
    let watcher = ReplayWatcher { step: &|_| {}, rejected: &mut |_| Ok(()) };
    let report = replay_files(&plan(), &files, options(order), watcher).expect("replayed");
    (report, std::fs::read_to_string(files.out).expect("it is there"))
}

/// Rows of `batch` that go to `partition`.
fn part(batch: &RecordBatch, columns: &[&str], partition: u32, of: u32) -> RecordBatch {
    let kinds = [KeyType::String, KeyType::I64];
    let places = partitions_of(batch, columns, &kinds, of).expect("they have keys");
    let rows = places.iter().zip(0_u32..).filter(|(place, _)| **place == Some(partition));
    let rows = UInt32Array::from_iter_values(rows.map(|(_, row)| row));
    arrow_select::take::take_record_batch(batch, &rows).expect("it has them")
}

#[test]
fn partitions_together_are_the_whole() {
    let history = History::new(7);
    let plan = plan();
    for order in [ReplayOrder::Event { delay_ms: 100 }, ReplayOrder::Arrival] {
        let replay = |partitions: u32| {
            let mut vectors = Vec::new();
            for partition in 0..partitions {
                let columns = ReplayColumns { with_statuses: true, ..ReplayColumns::default() };
                let mut replay = PartitionReplay::new(&plan, options(order), columns).expect("new");
                let spine = part(&history.spine, &["card_1", "card_2"], partition, partitions);
                replay.spine(&spine).expect("a spine");
                let rows = part(&history.rows, &["card_1", "card_2"], partition, partitions);
                replay.rows("profile", &rows).expect("rows");
                let events = part(&history.events, &["bank", "number"], partition, partitions);
                let refused = replay.events("payments", &events).expect("events");
                assert!(!refused.is_empty(), "1e300 is no decimal");
                vectors.extend(
                    replay.finish().expect("finished").map(|batch| batch.expect("a batch")),
                );
            }
            let all = arrow_select::concat::concat_batches(&vectors[0].schema(), &vectors);
            let all = all.expect("of one schema");
            let mut places: Vec<u32> = (0..1_000).collect();
            let row =
                all.column_by_name("row").expect("carried through").as_primitive::<Int64Type>();
            places.sort_by_key(|place| row.value(*place as usize));
            let places: arrow_array::PrimitiveArray<UInt32Type> = places.into();
            arrow_select::take::take_record_batch(&all, &places).expect("in order")
        };
        let whole = replay(1);
        assert_eq!(whole.num_rows(), 1_000);
        assert_eq!(replay(5), whole, "{order:?}");
        // And what files give.
        let directory = tempfile::tempdir().expect("a directory");
        for (name, batch) in
            [("events", &history.events), ("rows", &history.rows), ("spine", &history.spine)]
        {
            write(&directory.path().join(format!("{name}.arrow")), batch);
        }
        let (_, csv) = replayed(directory.path(), "arrow", order, Vec::new());
        write(&directory.path().join("whole.csv"), &whole);
        let expected = std::fs::read_to_string(directory.path().join("whole.csv")).expect("there");
        assert!(csv == expected, "{order:?}");
    }
}

#[test]
fn tables_and_text_are_the_same_events() {
    let history = History::new(8);
    let directory = tempfile::tempdir().expect("a directory");
    for order in [ReplayOrder::Event { delay_ms: 0 }, ReplayOrder::Arrival] {
        let given = ["parquet", "arrow", "csv"].map(|format| {
            for (name, batch) in
                [("events", &history.events), ("rows", &history.rows), ("spine", &history.spine)]
            {
                write(&directory.path().join(format!("{name}.{format}")), batch);
            }
            let (report, out) = replayed(directory.path(), format, order, Vec::new());
            (report.streams, report.groups, out)
        });
        let [parquet, arrow, csv] = &given;
        assert!(parquet.0[0].1.rejected > 50 && parquet.0[0].1.duplicate > 50, "{:?}", parquet.0);
        assert!(parquet == arrow && parquet.0 == csv.0 && parquet.1 == csv.1, "{order:?}");
        // Also the keys, which begin with zeros: their type is the service's, not what they look like.
        assert!(parquet.2 == csv.2, "{order:?}");
    }
}

#[test]
fn columns_of_other_names_are_mapped() {
    let history = History::new(9);
    let directory = tempfile::tempdir().expect("a directory");
    let order = ReplayOrder::Event { delay_ms: 0 };
    let renamed = |batch: &RecordBatch, renames: &[(&str, &str)]| {
        let names =
            batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        let name = |name: &str| {
            renames.iter().find(|(from, _)| *from == name).map_or(name, |(_, to)| *to).to_owned()
        };
        let arrays = names.iter().map(|from| name(from)).zip(batch.columns().iter().cloned());
        RecordBatch::try_from_iter_with_nullable(arrays.map(|(name, array)| (name, array, true)))
            .expect("the same columns")
    };
    let write_all = |renames: &[(&str, &str)]| {
        for (name, batch) in [("events", &history.events), ("rows", &history.rows)] {
            let batch = renamed(batch, renames);
            write(&directory.path().join(format!("{name}.arrow")), &batch);
        }
        write(&directory.path().join("spine.arrow"), &history.spine);
    };
    write_all(&[]);
    let (_, expected) = replayed(directory.path(), "arrow", order, Vec::new());
    write_all(&[("amount", "chf"), ("limit", "ceiling"), ("card_2", "card_number")]);
    let map = |source: Option<&str>, field: &str, column: &str| ReplayMap {
        source: source.map(str::to_owned),
        field: field.to_owned(),
        column: column.to_owned(),
    };
    let maps = vec![
        map(None, "amount", "chf"),
        map(Some("profile"), "limit", "ceiling"),
        map(None, "card_2", "card_number"),
    ];
    let (_, given) = replayed(directory.path(), "arrow", order, maps);
    assert!(given == expected);
    let reader = TableReader::open(&directory.path().join("events.arrow"), None).expect("there");
    assert!(reader.schema().index_of("chf").is_ok());
}
