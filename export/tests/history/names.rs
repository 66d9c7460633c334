//! Fields, features and entities may be called as history's own columns are: nothing is mixed up, and no two columns have one name.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use export::file::{FileFormat, TableReader};
use export::history::{HistorySource, check};

use crate::harness::{LAZY, Place, START, Writer, apply, group, merge_all, shown, stream};

const DEFINITIONS: &str = r#"
[entity.lsn]
key = "string"
[entity.index]
key = ["string", "i64"]
[stream.sequence]
event_time = "arrival"
event_id = "producer"
history = true
[stream.sequence.fields]
lsn = "i64"
lsn_ = "i64"
index = "string"
arrival = "timestamp"
kind = "string"
producer = "string"
sequence = "f64"
event_time = "string"
[group.kind]
entity = "lsn"
history = true
[group.kind.features]
lsn = "i64"
event_time = "timestamp"
absent = "bytes"
kind = "string"
[group.absent]
entity = "index"
history = true
features = { index_1 = "i64", index = "i64", kind_ = "string" }
"#;

/// Names of the columns of the one file of `source`, and what its column of the role `lsn` says.
fn columns(place: &Place, source: &HistorySource) -> (Vec<String>, Vec<u64>) {
    let reader = place.reader();
    let [file] = reader.manifest().sources[source].files.as_slice() else { panic!("one file") };
    let mut table = TableReader::open(&place.root().join(&file.path), Some(FileFormat::Arrow))
        .expect("it is whole");
    let schema = table.schema();
    let names = schema.fields().iter().map(|field| field.name().clone()).collect();
    let is_lsn = |field: &arrow_schema::FieldRef| field.metadata()["larder.role"] == "lsn";
    let place = schema.fields().iter().position(is_lsn).expect("it has one");
    let batch = table.next().expect("it has rows").expect("readable");
    (names, batch.column(place).as_primitive::<UInt64Type>().values().to_vec())
}

#[test]
fn names_of_own_columns_may_be_names_of_users() {
    let place = Place::new();
    let database = place.open();
    apply(&database, DEFINITIONS);
    let mut follower = place.follow(&database, LAZY);
    let at = START.to_string();
    let mut events = Writer::new(&place, &database, 1);
    let mut rows = Writer::new(&place, &database, 2);
    let mut pairs = Writer::new(&place, &database, 3);
    for number in 0..9 {
        let (seven, id) = (format!("{}", number + 7), format!("p{number}"));
        let event = ["-5", "null", "i", &at, "delete", &id, "0.5", &seven];
        events.push("sequence", &[&event], START);
        rows.put("kind", &[("put", START, &["77", &at, "00", "delete"])]);
        rows.put("kind", &[("k", START, &["-", "-", "ff", "null"])]);
        pairs.put("absent", &[("a|1", START, &["9", &seven, "push"])]);
        place.catch_up(&database, &mut follower);
    }
    rows.delete("kind", &["put"]);
    place.catch_up(&database, &mut follower);
    let must_be_right = || {
        let reader = place.reader();
        assert_eq!(shown(&reader, &stream("sequence")), events.expected);
        assert_eq!(shown(&reader, &group("kind")), rows.expected);
        assert_eq!(shown(&reader, &group("absent")), pairs.expected);
        let checked = check(&place.root()).expect("read").expect("there is one");
        assert_eq!(checked.problems, []);
    };
    must_be_right();
    while merge_all(&database, &mut follower) > 0 {}
    must_be_right();
    for (source, own, expected) in
        [(stream("sequence"), "lsn__", &events.expected), (group("absent"), "lsn", &pairs.expected)]
    {
        let (names, lsns) = columns(&place, &source);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        assert!(names.iter().any(|name| name == own), "{names:?}");
        let records = expected.iter().map(|line| line.split('.').next().expect("a record"));
        assert!(records.eq(lsns.iter().map(u64::to_string)), "{lsns:?}");
    }
}
