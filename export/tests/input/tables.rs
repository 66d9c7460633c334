//! Files as tables: what is none is told by name, and text has types that lose nothing.

use export::file::TableReader;

use crate::Place;

#[test]
fn a_file_that_is_no_table_is_told_by_name() {
    let place = Place::new();
    for name in ["t.parquet", "t.arrow"] {
        let path = place.text(name, "card,amount\n");
        let refused = TableReader::open(&path, None).err().expect("no table").to_string();
        assert!(refused.contains(name) && refused.contains("cannot read it as"), "{refused}");
    }
    let missing = TableReader::open(&place.path("none.csv"), None).err().expect("no file");
    assert!(missing.to_string().contains("none.csv: cannot read it"), "{missing}");
    let torn = place.text("t.csv", "a,b\n1\n");
    let refused = TableReader::open(&torn, None).err().expect("a cell is missing").to_string();
    assert!(refused.contains("line 2: 1 cell, but the header has 2"), "{refused}");
}

#[test]
fn text_files_are_tables_whose_types_lose_nothing() {
    let place = Place::new();
    let csv = place.text(
        "t.csv",
        "code,n,x,big,is,t,none\n007,1,1,9007199254740993,true,a,\n8,,0.5,1,false,5,\n",
    );
    let reader = TableReader::open(&csv, None).expect("a table");
    let types: Vec<_> =
        reader.schema().fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(types, ["Utf8", "Int64", "Float64", "Int64", "Boolean", "Utf8", "Utf8"]);
    let rows: usize = reader.map(|batch| batch.expect("whole").num_rows()).sum();
    assert_eq!(rows, 2);
    let jsonl = place
        .text("t.jsonl", "{\"b\": 1.10, \"a\": [1, 0.1]}\n\n{\"c\": {\"d\": 1}, \"b\": null}\n");
    let reader = TableReader::open(&jsonl, None).expect("a table");
    let schema = reader.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["b", "a", "c"]);
    let reader = TableReader::open_with_text(&jsonl, None, &["b", "a"]).expect("a table");
    let batches: Vec<_> = reader.map(|batch| batch.expect("whole")).collect();
    let text = |name: &str| {
        let column = batches[0].column_by_name(name).expect("it is there");
        arrow_array::cast::AsArray::as_string::<i32>(column).value(0).to_owned()
    };
    assert_eq!((text("b").as_str(), text("a").as_str()), ("1.10", "[1,0.1]"));
}
