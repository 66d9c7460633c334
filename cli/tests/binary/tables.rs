//! A user materializes tables of a warehouse: the same rows as Arrow, Parquet, CSV and JSON lines give the same database, and a row
//! that is wrong is told with its number and kept.

use std::path::{Path, PathBuf};

use export::file::write_columns;
use model::{
    column::Column,
    status::Status,
    value::{DataType, Floats, ValueRef},
};

use crate::harness::{Server, write_file};

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"

[entity.shop]
key = ["string", "i64"]

[group.profile]
entity = "user"
[group.profile.features]
country = "string"
limit = "f64"
score = "decimal(2)"
taste = "f32[2]"

[group.place]
entity = "shop"
[group.place.features]
is_open = "bool"

[stream.orders]
event_time = "at"
event_id = "order"
dedup = "1h"
clock = "event"
[stream.orders.fields]
order = "string"
user = "string"
number = "i64"
price = "decimal(2)"
at = "timestamp"

[group.buying]
entity = "user"
stream = "orders"
key = "user"
windows = ["1h", "7d"]
[group.buying.features]
orders = "count(*)"
spent = "sum(price)"
"#;

/// 2026-01-02T10:00:00Z
const AT: i64 = 1_767_348_000_000;

fn column<'a>(
    data_type: DataType,
    values: impl IntoIterator<Item = Option<ValueRef<'a>>>,
) -> Column {
    let mut column = Column::new(data_type, 0);
    for value in values {
        match value {
            Some(value) => column.push(Status::Present, value),
            None => column.push_empty(Status::Null),
        }
    }
    column
}

fn table(path: PathBuf, columns: Vec<(&str, Column)>) -> String {
    let columns = columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect();
    write_columns(&path, [columns]).expect("there is room");
    path.to_str().expect("a UTF-8 path").to_owned()
}

fn text(value: &'static str) -> Option<ValueRef<'static>> {
    Some(ValueRef::String(value))
}

/// Users with keys that look like numbers, gaps, decimals and vectors.
fn profiles(directory: &Path, extension: &str) -> String {
    let tastes = [[1.0, 0.1], [-2.0, 3.5]];
    let taste = |index: usize| Some(ValueRef::Vector(Floats::Native(&tastes[index])));
    table(
        directory.join(format!("profiles.{extension}")),
        vec![
            ("user", column(DataType::String, [text("007"), text("bob")])),
            ("country", column(DataType::String, [text("CH"), None])),
            (
                "limit",
                column(DataType::F64, [Some(ValueRef::F64(500.25)), Some(ValueRef::F64(0.1))]),
            ),
            ("score", column(DataType::Decimal(3), [Some(ValueRef::Decimal(12_345, 3)), None])),
            ("taste", column(DataType::Vector(2), [taste(0), taste(1)])),
            (
                "event_time",
                column(DataType::Timestamp, [AT, AT + 1].map(|t| Some(ValueRef::Timestamp(t)))),
            ),
        ],
    )
}

fn places(directory: &Path, extension: &str) -> String {
    table(
        directory.join(format!("places.{extension}")),
        vec![
            ("shop_1", column(DataType::String, [text("Bern"), text("Chur")])),
            ("shop_2", column(DataType::I64, [Some(ValueRef::I64(1)), Some(ValueRef::I64(-7))])),
            ("is_open", column(DataType::Bool, [Some(ValueRef::Bool(true)), None])),
        ],
    )
}

/// Orders under names of the warehouse: prices are floats.
fn orders(directory: &Path, extension: &str) -> String {
    let users = ["007", "bob"];
    let ids: Vec<String> = (0..1200).map(|number| format!("o{number}")).collect();
    let each = |value: &dyn Fn(usize) -> Option<ValueRef<'static>>| {
        (0..1200).map(value).collect::<Vec<_>>()
    };
    let time =
        |number: usize| Some(ValueRef::Timestamp(AT + 1000 * i64::try_from(number).unwrap_or(0)));
    table(
        directory.join(format!("orders.{extension}")),
        vec![
            ("order", column(DataType::String, ids.iter().map(|id| Some(ValueRef::String(id))))),
            ("user", column(DataType::String, each(&|number| text(users[number % 2])))),
            (
                "amt",
                column(
                    DataType::F64,
                    each(&|number| {
                        (number % 7 > 0).then_some(ValueRef::F64(number as f64 / 8.0 + 0.015))
                    }),
                ),
            ),
            ("at", column(DataType::Timestamp, each(&time))),
            ("extra", column(DataType::I64, each(&|_| Some(ValueRef::I64(1))))),
        ],
    )
}

fn read(server: &Server) -> [String; 3] {
    let get = |what: &str, keys: &[&str]| {
        let mut args =
            vec!["get", what, "--as-of", "2026-01-02T10:20:00Z", "--times", "--format", "json"];
        args.extend(keys.iter().flat_map(|key| ["--key", *key]));
        server.ok(&args)
    };
    // Entities come in an order that each database has of its own.
    let scan = |group: &str| {
        let text = server.ok(&["scan", group, "--format", "json"]);
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    [get("profile:*,buying:*", &["007", "bob"]), scan("profile"), scan("place")]
}

fn start(directory: &Path, name: &str) -> Server {
    let definitions = directory.join("features.toml");
    write_file(&definitions, DEFINITIONS);
    Server::start(&directory.join(name), &["--apply", definitions.to_str().expect("UTF-8")])
}

#[test]
fn the_four_formats_give_the_same_database() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    let found = ["arrow", "parquet", "csv", "jsonl"].map(|extension| {
        let server = start(directory, extension);
        server.ok(&["put", "profile", &profiles(directory, extension)]);
        server.ok(&["put", "place", &places(directory, extension)]);
        let events = orders(directory, extension);
        let map = ["--map", "price=amt", "--format", "json"];
        if extension == "jsonl" {
            // A member that no field has is a mistake of its line.
            let told = server.fails(1, &[&["push", "orders", &events], map.as_slice()].concat());
            assert!(told.contains("line 1: rejected: no field is called extra"), "{told}");
            strip_extra(Path::new(&events));
        }
        let counts = server.ok(&[&["push", "orders", &events], map.as_slice()].concat());
        assert!(counts.contains("\"accepted\":1200"), "{counts}");
        let retracted = server.run(&["retract", "orders", &events, "--map", "price=amt"]);
        let told = String::from_utf8_lossy(&retracted.stderr).into_owned();
        assert!(!retracted.status.success() && told.contains("retract"), "{told}");
        read(&server)
    });
    let [arrow, rest @ ..] = &found;
    assert!(arrow[0].contains("007") && arrow[0].contains("500.25"), "{arrow:?}");
    assert!(arrow[0].contains("12.34"), "half to even: {arrow:?}");
    assert!(arrow[2].contains("Chur"), "{arrow:?}");
    for other in rest {
        assert_eq!(other, arrow);
    }
}

fn strip_extra(path: &Path) {
    let text = std::fs::read_to_string(path).expect("it was written");
    write_file(path, &text.replace(",\"extra\":1", ""));
}

#[test]
fn rows_that_are_wrong_are_told_with_their_number_and_kept_as_objects() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    let server = start(directory, "data");
    let prices = [Some(1.5), Some(f64::NAN), None, Some(1e300)];
    let file = table(
        directory.join("orders.parquet"),
        vec![
            ("order", column(DataType::String, ["a", "b", "c", "d"].map(text))),
            ("user", column(DataType::String, [text("u"); 4])),
            ("price", column(DataType::F64, prices.map(|price| price.map(ValueRef::F64)))),
            ("at", column(DataType::Timestamp, [Some(ValueRef::Timestamp(AT)); 4])),
        ],
    );
    let kept = directory.join("rejected.jsonl");
    let kept = kept.to_str().expect("UTF-8");
    let told = server.fails(1, &["push", "orders", &file, "--rejected", kept]);
    for part in ["row 2: rejected: price", "NaN", "row 4: rejected", "2 records were rejected"] {
        assert!(told.contains(part), "{part:?} is missing in: {told}");
    }
    let kept = std::fs::read_to_string(kept).expect("it was written");
    let orders: Vec<_> = kept.lines().filter(|line| line.contains("\"order\":")).collect();
    assert_eq!(orders.len(), 2, "{kept}");
    assert!(orders[1].contains("\"order\":\"d\""), "{kept}");
}

#[test]
fn columns_that_do_not_fit_are_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    let server = start(directory, "data");
    let file = orders(directory, "parquet");
    for (args, parts) in [
        (["--map", "user=at"], ["column at is Timestamp", "user is string, which is made of Utf8"]),
        (["--map", "price=amnt"], ["no column amnt", "order, user, amt, at, extra"]),
        (["--map", "prize=amt"], ["no field prize", "order, user, number, price, at"]),
        (["--map", "order=nr"], ["no column nr", "there are order"]),
    ] {
        let output = server.run(&[&["push", "orders", &file], args.as_slice()].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && parts.iter().all(|part| told.contains(part)), "{told}");
    }
    let told = server.fails(2, &["push", "orders", "-", "--input-format", "parquet"]);
    assert!(told.contains("standard input"), "{told}");
}
