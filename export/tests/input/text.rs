//! Text files as people make them: numbers keep every digit, and what cannot be read is a problem of its line.

use std::path::{Path, PathBuf};

use export::input::{Input, Mapping, Rows, Wanted};
use model::{
    definition::Field,
    name::Name,
    packed_row::Cell,
    value::{DataType, ValueRef},
};

fn wanted(required: &[&str]) -> Wanted {
    let types =
        [("id", DataType::String), ("amount", DataType::Decimal(2)), ("v", DataType::Vector(2))];
    let fields = types
        .map(|(name, data_type)| Field { name: Name::new(name).expect("valid"), data_type })
        .to_vec();
    let required = required.iter().map(|name| (*name).to_owned()).collect();
    Wanted { fields, required, entity: None }
}

#[expect(clippy::disallowed_methods, reason = "a user's file is no file of a database")]
fn file(directory: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, text).expect("there is room");
    path
}

fn bind(path: &Path) -> Rows {
    let input = Input::open(path, None).expect("it opens");
    input.bind(wanted(&[]), &Mapping::default()).expect("it binds")
}

/// The line of each record, and its values or what is wrong with it.
fn read(name: &str, text: &str) -> Vec<(u64, Result<Vec<String>, String>)> {
    let directory = tempfile::tempdir().expect("there is room");
    let mut rows = bind(&file(&directory, name, text));
    let mut found = Vec::new();
    while rows.advance().expect("the file is whole") {
        let mut cells = Vec::new();
        let show = |cell: &Cell<'_>| match cell {
            Cell::Absent => "absent".to_owned(),
            Cell::Null => "null".to_owned(),
            Cell::Value(value) => ValueRef::to_owned(*value).to_string(),
        };
        let read = rows.cells(&mut cells).map(|()| cells.iter().map(show).collect());
        assert_eq!(rows.unit(), "line");
        found.push((rows.number(), read));
    }
    found
}

#[track_caller]
fn values(read: &(u64, Result<Vec<String>, String>)) -> Vec<&str> {
    let values = read.1.as_ref().expect("it is right");
    values.iter().map(String::as_str).collect()
}

#[test]
fn json_numbers_keep_every_digit_and_absent_is_not_null() {
    let rows = read(
        "t.jsonl",
        "{\"amount\": 90071992547409.93, \"v\": null}\n{\"id\": \"a\", \"v\": [1, 0.5]}",
    );
    assert_eq!(values(&rows[0]), ["absent", "90071992547409.93", "null"]);
    assert_eq!(values(&rows[1]), ["a", "absent", "[1,0.5]"]);
}

#[test]
fn wrong_fields_are_named() {
    for (line, part) in [
        (r#"{"amout": 1}"#, "no field is called amout; there are id, amount, v"),
        (r#"{"id": 5}"#, "id: expected string, got number 5"),
        (r#"{"amount": true}"#, "amount: expected decimal(2)"),
        (r#"{"v": [1]}"#, "v: expected f32[2]"),
    ] {
        let rows = read("t.jsonl", line);
        assert!(rows[0].1.as_ref().is_err_and(|why| why.contains(part)), "{rows:?}");
    }
}

#[test]
fn json_lines_keep_their_numbers_and_bad_lines_stay_in_place() {
    let rows = read("t.jsonl", "{\"amount\":0.10}\n\n[1]\n{\"a\":\n");
    assert_eq!(rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(values(&rows[0])[1], "0.10");
    assert!(rows[1].1.as_ref().is_err_and(|why| why.contains("object")), "{rows:?}");
    assert!(rows[2].1.is_err());
}

#[test]
fn csv_columns_bind_by_name_and_cells_may_hold_quotes_and_newlines() {
    let rows = read("t.csv", "extra,id,amount\n1,\"x, \"\"y\"\"\nz\",1.005\nonly\n2,,\n");
    assert_eq!(rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 5]);
    assert_eq!(values(&rows[0]), ["x, \"y\"\nz", "1.00", "absent"], "half to even");
    assert!(rows[1].1.as_ref().is_err_and(|why| why.contains("1 cell")), "{rows:?}");
    assert_eq!(values(&rows[2]), ["null", "null", "absent"]);
}

#[test]
fn missing_and_superfluous_columns_are_named() {
    let directory = tempfile::tempdir().expect("there is room");
    let path = file(&directory, "t.csv", "extra,amount\n");
    assert_eq!(bind(&path).ignored(), ["extra"]);
    let input = Input::open(&path, None).expect("it opens");
    let refused = input.bind(wanted(&["id"]), &Mapping::default()).err().expect("no id");
    assert!(refused.to_string().contains("no column id; it has extra, amount"), "{refused}");
}

#[test]
fn the_format_follows_the_name_or_is_asked_for() {
    let refused = Input::open(Path::new("events.xlsx"), None).err().expect("unknown").to_string();
    assert!(refused.contains("--input-format") && refused.contains(".parquet"), "{refused}");
    let refused = Input::open(Path::new("/nowhere/x.csv"), None).err().expect("missing");
    assert!(refused.to_string().contains("/nowhere/x.csv: cannot read"), "{refused}");
}

#[test]
fn objects_of_the_command_line_are_records() {
    let objects = ["{\"id\":\n\"a\"}".to_owned(), "{}".to_owned()];
    let input = Input::of_json("--event", &objects).expect("it opens");
    let mut rows = input.bind(wanted(&[]), &Mapping::default()).expect("it binds");
    for line in [1, 2] {
        assert!(rows.advance().expect("it is whole"));
        assert_eq!(rows.number(), line);
    }
    assert_eq!(rows.origin().line(), "{}");
    assert!(!rows.advance().expect("it is whole"));
}
