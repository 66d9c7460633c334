//! The four formats give the same rows; columns are found by name, also by another one.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use export::input::Wanted;
use model::key::{EntityKey, KeyType};
use model::packed_row::write_row;
use model::value::DataType;

use crate::{Place, bound, fields, shown, wanted};

fn four(place: &Place) -> [PathBuf; 4] {
    let columns = || -> Vec<(&str, ArrayRef)> {
        vec![
            ("card", Arc::new(StringArray::from(vec!["007", "b"]))),
            ("amt", Arc::new(Float64Array::from(vec![Some(0.145), None]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![1_500_000, 2_000_000]))),
            ("extra", Arc::new(Int64Array::from(vec![1, 2]))),
        ]
    };
    [
        place.table("t.arrow", columns()),
        place.table("t.parquet", columns()),
        place.text("t.csv", "card,amt,at,extra\n007,0.145,1970-01-01T00:00:01.5Z,1\nb,,2000,2\n"),
        place.text(
            "t.jsonl",
            "{\"card\":\"007\",\"amt\":0.145,\"at\":\"1970-01-01T00:00:01.5Z\"}\n{\"card\":\"b\",\"amt\":null,\"at\":2000}\n",
        ),
    ]
}

#[test]
fn the_four_formats_give_the_same_rows_and_keys() {
    let place = Place::new();
    let types =
        [("amount", DataType::Decimal(2)), ("at", DataType::Timestamp), ("city", DataType::String)];
    let kinds = [KeyType::String];
    for path in four(&place) {
        let entity = Some(("card".to_owned(), kinds.to_vec()));
        let wanted = Wanted { entity, required: vec!["at".to_owned()], ..wanted(&types) };
        let mut rows = bound(&path, wanted, &[("amount", "amt")]).expect("it has all columns");
        if !path.ends_with("t.jsonl") {
            assert_eq!(rows.ignored(), ["extra"]);
        }
        for (key, cells) in [
            ("007", ["0.14", "1970-01-01T00:00:01.500Z", "absent"]),
            ("b", ["null", "1970-01-01T00:00:02Z", "absent"]),
        ] {
            assert!(rows.advance().expect("the file is whole"));
            assert_eq!(shown(&rows).expect("all is right"), cells, "{}", path.display());
            assert_eq!(rows.key(), Ok(EntityKey::parse(key, &kinds).expect("a key")));
        }
        assert!(!rows.advance().expect("the file is whole"));
    }
}

#[test]
fn names_that_there_are_not_are_told_with_those_there_are() {
    let place = Place::new();
    let [arrow, _, csv, jsonl] = four(&place);
    let types = [("amount", DataType::Decimal(2)), ("at", DataType::Timestamp)];
    for path in [&arrow, &csv] {
        let refused = bound(path, wanted(&types), &[("amount", "amnt")]).err().expect("no column");
        assert!(refused.contains("no column amnt; there are card, amt, at, extra"), "{refused}");
    }
    let refused = bound(&jsonl, wanted(&types), &[("amuont", "amt")]).err().expect("no field");
    assert!(refused.contains("no field amuont; there are amount, at"), "{refused}");
    let twice = [("at", "amt"), ("at", "extra")];
    let refused = bound(&csv, wanted(&types), &twice).err().expect("given twice");
    assert!(refused.contains("amt gives at already"), "{refused}");
    let required = Wanted { required: vec!["amount".to_owned()], ..wanted(&types) };
    let refused = bound(&csv, required, &[]).err().expect("no column");
    assert!(refused.contains("no column amount; it has card, amt, at, extra"), "{refused}");
}

#[test]
fn composite_keys_are_one_column_or_one_for_each_part() {
    let place = Place::new();
    let kinds = [KeyType::String, KeyType::I64];
    let parts: Vec<(&str, ArrayRef)> = vec![
        ("shop_1", Arc::new(StringArray::from(vec!["Bern"]))),
        ("shop_2", Arc::new(Int32Array::from(vec![7]))),
    ];
    let whole: Vec<(&str, ArrayRef)> = vec![("shop", Arc::new(StringArray::from(vec!["Bern|7"])))];
    for path in [
        place.table("parts.arrow", parts.clone()),
        place.table("parts.csv", parts),
        place.table("whole.parquet", whole.clone()),
        place.table("whole.csv", whole),
        place.text("parts.jsonl", "{\"shop_1\": \"Bern\", \"shop_2\": 7}"),
        place.text("array.jsonl", "{\"shop\": [\"Bern\", 7]}"),
    ] {
        let entity = Some(("shop".to_owned(), kinds.to_vec()));
        let wanted = Wanted { fields: Vec::new(), required: Vec::new(), entity };
        let mut rows = bound(&path, wanted, &[]).expect("the key is there");
        assert!(rows.advance().expect("the file is whole"));
        let key = EntityKey::parse("Bern|7", &kinds).expect("a key");
        assert_eq!(rows.key(), Ok(key), "{}", path.display());
    }
}

#[test]
fn rows_are_numbered_and_kept_as_objects() {
    let place = Place::new();
    let amounts: Vec<f64> = (0..40_000).map(f64::from).collect();
    let amounts: ArrayRef = Arc::new(Float64Array::from(amounts));
    let path = place.table("t.parquet", vec![("amount", amounts)]);
    let mut rows = bound(&path, wanted(&[("amount", DataType::I64)]), &[]).expect("it binds");
    let mut seen = 0;
    while rows.advance().expect("the file is whole") {
        seen += 1;
        assert_eq!((rows.unit(), rows.number()), ("row", seen));
        assert_eq!(shown(&rows).expect("whole"), [(seen - 1).to_string()]);
    }
    assert_eq!(seen, 40_000);
    let [arrow, ..] = four(&place);
    let mut rows = bound(&arrow, wanted(&[("at", DataType::Timestamp)]), &[]).expect("it binds");
    assert!(rows.advance().expect("the file is whole"));
    let kept = r#"{"card":"007","amt":0.145,"at":"1970-01-01T00:00:01.500","extra":1}"#;
    assert_eq!(rows.origin().line(), kept);
}

#[test]
fn cells_pack_as_rows() {
    let place = Place::new();
    let types = [("amt", DataType::Decimal(2)), ("at", DataType::Timestamp)];
    let packed = four(&place).map(|path| {
        let mut wanted = wanted(&types);
        wanted.entity = Some(("card".to_owned(), vec![KeyType::String]));
        let mut rows = bound(&path, wanted, &[]).expect("it binds");
        let mut bytes = Vec::new();
        while rows.advance().expect("the file is whole") {
            let mut cells = Vec::new();
            rows.cells(&mut cells).expect("all is right");
            write_row(&mut bytes, &fields(&types), cells).expect("types match");
        }
        bytes
    });
    assert!(packed.iter().all(|bytes| bytes == &packed[0] && !bytes.is_empty()));
}
