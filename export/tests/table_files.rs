//! A table written in each format is there whole under its name, or not at all; what was written is read back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use export::file::{FileFormat, TableWriter};
use export::{array_of, arrow_type};
use model::column::Column;
use model::status::Status;
use model::value::{Floats, ValueRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const VECTOR: [f32; 2] = [1.5, -2.0];

/// One value of every type, between two nulls.
fn table() -> RecordBatch {
    let values = [
        ("flag", ValueRef::Bool(true)),
        ("whole", ValueRef::I64(-7)),
        ("narrow", ValueRef::F32(0.1)),
        ("wide", ValueRef::F64(1e300)),
        ("text", ValueRef::String("a,\"b\"\n")),
        ("raw", ValueRef::Bytes(&[0, 255])),
        ("at", ValueRef::Timestamp(1_700_000_000_123)),
        ("amount", ValueRef::Decimal(-1250, 2)),
        ("vector", ValueRef::Vector(Floats::Native(&VECTOR))),
    ];
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (name, value) in values {
        let mut column = Column::new(value.data_type(), 3);
        column.push_empty(Status::Null);
        column.push(Status::Present, value);
        column.push_empty(Status::NotFound);
        fields.push(Field::new(name, arrow_type(value.data_type()), true));
        arrays.push(array_of(&column).expect("the column is right").0);
    }
    let metadata = [("larder.as_of_ms".to_owned(), "17".to_owned())].into();
    let schema = Schema::new_with_metadata(fields, metadata);
    RecordBatch::try_new(Arc::new(schema), arrays).expect("the table is right")
}

fn write(path: &Path, format: FileFormat, batches: &[RecordBatch], schema: SchemaRef) -> u64 {
    let mut writer = TableWriter::create(path, format, schema).expect("the directory is there");
    for batch in batches {
        writer.write(batch).expect("there is room");
    }
    assert!(!path.exists(), "the name is given at the end");
    let written = writer.finish().expect("there is room");
    let bytes = std::fs::read(path).expect("it was written");
    assert_eq!(written.bytes, bytes.len() as u64);
    assert_eq!(written.rows, batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>());
    let mut sum = stdx::checksum::Crc64::default();
    sum.update(&bytes);
    assert_eq!(written.checksum, sum.value());
    written.bytes
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("it is there");
    entries.map(|entry| entry.expect("it is there").path()).collect()
}

#[test]
fn arrow_and_parquet_give_back_the_table_with_its_metadata() {
    let directory = tempfile::tempdir().expect("there is room");
    let table = table();
    let both = [table.clone(), table.slice(1, 1)];

    let path = directory.path().join("table.arrow");
    write(&path, FileFormat::Arrow, &both, table.schema());
    let file = std::io::Cursor::new(std::fs::read(&path).expect("it was written"));
    let reader = arrow_ipc::reader::FileReader::try_new(file, None).expect("it is Arrow");
    assert_eq!(reader.schema(), table.schema());
    let read: Vec<_> = reader.map(|batch| batch.expect("it is whole")).collect();
    assert_eq!(read, both);

    let path = directory.path().join("table.parquet");
    write(&path, FileFormat::Parquet, &both, table.schema());
    let bytes = Bytes::from(std::fs::read(&path).expect("it was written"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("it is Parquet");
    assert_eq!(reader.schema(), &table.schema());
    let read = reader.build().expect("it is Parquet").next().expect("there are rows");
    let expected = concat_batches(&table.schema(), &both).expect("they have one schema");
    assert_eq!(read.expect("it is whole").columns(), expected.columns());
}

#[test]
fn csv_has_words_for_every_type() {
    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path().join("table.csv");
    write(&path, FileFormat::Csv, &[table()], table().schema());
    assert_eq!(
        std::fs::read_to_string(&path).expect("it is text"),
        "flag,whole,narrow,wide,text,raw,at,amount,vector\n\
         ,,,,,,,,\n\
         true,-7,0.1,1e300,\"a,\"\"b\"\"\n\",00ff,2023-11-14T22:13:20.123Z,-12.50,\"[1.5, -2.0]\"\n\
         ,,,,,,,,\n"
    );
}

#[test]
fn json_lines_name_every_column() {
    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path().join("table.jsonl");
    write(&path, FileFormat::Jsonl, &[table().slice(1, 1)], table().schema());
    assert_eq!(
        std::fs::read_to_string(&path).expect("it is text"),
        "{\"flag\":true,\"whole\":-7,\"narrow\":0.1,\"wide\":1.0e300,\"text\":\"a,\\\"b\\\"\\n\",\
         \"raw\":\"00ff\",\"at\":\"2023-11-14T22:13:20.123Z\",\"amount\":-12.50,\
         \"vector\":[1.5,-2.0]}\n"
    );
}

#[test]
fn a_table_without_rows_is_a_file_with_its_columns() {
    let directory = tempfile::tempdir().expect("there is room");
    for format in FileFormat::ALL {
        let path = directory.path().join(format!("empty.{format}"));
        let bytes = write(&path, format, &[], table().schema());
        assert_eq!(bytes == 0, format == FileFormat::Jsonl, "{format}");
    }
}

#[test]
fn a_file_that_is_given_up_leaves_the_old_one() {
    let directory = tempfile::tempdir().expect("there is room");
    for format in FileFormat::ALL {
        let path = directory.path().join(format!("table.{format}"));
        let bytes = write(&path, format, &[table()], table().schema());
        let mut writer = TableWriter::create(&path, format, table().schema()).expect("it is free");
        writer.write(&table()).expect("there is room");
        drop(writer);
        assert_eq!(std::fs::metadata(&path).expect("it is there").len(), bytes);
    }
    assert_eq!(names(directory.path()).len(), FileFormat::ALL.len(), "nothing else is left");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let path = Path::new("/nowhere/at/all/table.parquet");
    let error = TableWriter::create(path, FileFormat::Parquet, table().schema());
    let error = error.err().expect("it cannot be made").to_string();
    assert!(error.starts_with("/nowhere/at/all/table.parquet: cannot make it"), "{error}");
}
