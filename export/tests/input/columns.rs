//! Every Arrow type gives the fields that are made of it, from Arrow and from Parquet; others are refused once, with what is accepted.

use std::sync::Arc;

use arrow_array::types::{Float32Type, Float64Type, Int32Type};
use arrow_array::{
    ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array,
    Decimal128Array, Decimal256Array, DictionaryArray, FixedSizeBinaryArray, FixedSizeListArray,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeBinaryArray,
    LargeListArray, LargeStringArray, ListArray, NullArray, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::i256;
use model::value::DataType;

use crate::{Place, Shown, all, bound, wanted};

/// What one column of `array` gives to a field of `data_type`, row by row; from Arrow, and from Parquet unless it has no such type.
fn column(array: ArrayRef, data_type: DataType) -> Vec<Result<String, String>> {
    let place = Place::new();
    let read = |name: &str| -> Vec<Result<String, String>> {
        let path = place.table(name, vec![("f", Arc::clone(&array))]);
        let rows = bound(&path, wanted(&[("f", data_type)]), &[]).expect("the type is accepted");
        let first = |row: Result<Shown, String>| row.map(|cells| cells.join(" "));
        all(rows).into_iter().map(first).collect()
    };
    let arrow = read("t.arrow");
    assert_eq!(read("t.parquet"), arrow, "Parquet of {}", array.data_type());
    arrow
}

#[track_caller]
fn gives(array: impl arrow_array::Array + 'static, data_type: DataType, expected: &[&str]) {
    let array: ArrayRef = Arc::new(array);
    let kind = array.data_type().clone();
    let found = column(array, data_type);
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        match (found, expected.strip_prefix("! ")) {
            (Err(why), Some(part)) => {
                assert!(why.contains(part) && why.starts_with("f: "), "{kind} row {row}: {why}");
            }
            (found, _) => assert_eq!(found.as_deref(), Ok(*expected), "{kind} row {row}"),
        }
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn whole_numbers_of_every_width_are_whole_numbers() {
    gives(Int8Array::from(vec![Some(-128), None]), DataType::I64, &["-128", "null"]);
    gives(Int16Array::from(vec![-5]), DataType::I64, &["-5"]);
    gives(Int32Array::from(vec![i32::MIN]), DataType::I64, &["-2147483648"]);
    gives(UInt8Array::from(vec![255]), DataType::I64, &["255"]);
    gives(UInt16Array::from(vec![65535]), DataType::I64, &["65535"]);
    gives(UInt32Array::from(vec![u32::MAX]), DataType::I64, &["4294967295"]);
    gives(
        UInt64Array::from(vec![7, u64::MAX]),
        DataType::I64,
        &["7", "! number 18446744073709551615"],
    );
    gives(Int64Array::from(vec![i64::MIN]), DataType::I64, &["-9223372036854775808"]);
    gives(Int32Array::from(vec![7]), DataType::Decimal(2), &["7.00"]);
    gives(Int64Array::from(vec![i64::MAX]), DataType::Decimal(2), &["! decimal(2)"]);
    gives(
        Int64Array::from(vec![1 << 53, (1 << 53) + 1]),
        DataType::F64,
        &["9007199254740992", "! finite number"],
    );
    gives(Int64Array::from(vec![7, (1 << 24) + 1]), DataType::F32, &["7", "! f32"]);
    gives(Int64Array::from(vec![1_500]), DataType::Timestamp, &["1970-01-01T00:00:01.500Z"]);
}

#[test]
fn floats_are_rounded_once_and_what_is_no_number_is_told() {
    let odd = [0.145, 1.015, f64::NAN, f64::INFINITY, 1e300];
    let none = ["0.14", "1.02", "! NaN", "! inf", "! 1e300"];
    gives(Float64Array::from(odd.to_vec()), DataType::Decimal(2), &none);
    gives(Float64Array::from(vec![Some(-0.5), None]), DataType::F64, &["-0.5", "null"]);
    gives(
        Float64Array::from(vec![0.1, f64::NAN, 1e300]),
        DataType::F32,
        &["0.1", "! NaN", "! f32"],
    );
    gives(Float32Array::from(vec![0.1]), DataType::Decimal(3), &["0.100"]);
    gives(Float32Array::from(vec![1.5]), DataType::F64, &["1.5"]);
    // A column of whole numbers with gaps, as some tools keep it.
    gives(
        Float64Array::from(vec![Some(5.0), None, Some(5.5)]),
        DataType::I64,
        &["5", "null", "! 5.5"],
    );
}

#[test]
fn decimals_are_rescaled_half_to_even() {
    let decimals = |values: Vec<i128>, scale| {
        Decimal128Array::from(values).with_precision_and_scale(38, scale).expect("it fits")
    };
    gives(decimals(vec![1250, i128::MAX / 10], 2), DataType::Decimal(2), &["12.50", "! number"]);
    gives(decimals(vec![12_345, 12_355, 5], 3), DataType::Decimal(2), &["12.34", "12.36", "0.00"]);
    gives(decimals(vec![15], 1), DataType::Decimal(4), &["1.5000"]);
    gives(decimals(vec![15, 20], 1), DataType::I64, &["! whole number", "2"]);
    gives(decimals(vec![15], 1), DataType::F64, &["1.5"]);
    let wide = Decimal256Array::from(vec![Some(i256::from_i128(125)), None]);
    let wide = wide.with_precision_and_scale(60, 3).expect("it fits");
    gives(wide, DataType::Decimal(2), &["0.12", "null"]);
}

#[test]
fn text_and_bytes_come_in_every_layout() {
    let text = ["née", ""];
    gives(StringArray::from(text.to_vec()), DataType::String, &text);
    gives(LargeStringArray::from(text.to_vec()), DataType::String, &text);
    gives(StringViewArray::from(text.to_vec()), DataType::String, &text);
    let words: DictionaryArray<Int32Type> = [Some("a"), None, Some("a")].into_iter().collect();
    gives(words, DataType::String, &["a", "null", "a"]);
    let keys = Int32Array::from(vec![Some(0), None, Some(1)]);
    let numbers = DictionaryArray::new(keys, Arc::new(Int64Array::from(vec![Some(7), None])));
    gives(numbers, DataType::I64, &["7", "null", "null"]);
    let bytes: Vec<&[u8]> = vec![&[0, 255]];
    gives(BinaryArray::from(bytes.clone()), DataType::Bytes, &["00ff"]);
    gives(LargeBinaryArray::from(bytes.clone()), DataType::Bytes, &["00ff"]);
    gives(BinaryViewArray::from(bytes.clone()), DataType::Bytes, &["00ff"]);
    let fixed = FixedSizeBinaryArray::try_from_iter(bytes.into_iter()).expect("one width");
    gives(fixed, DataType::Bytes, &["00ff"]);
    // As people write values in CSV.
    gives(
        StringArray::from(vec!["1.005", "", "x"]),
        DataType::Decimal(2),
        &["1.00", "null", "! \"x\""],
    );
    gives(StringArray::from(vec!["[1, 2]"]), DataType::Vector(2), &["[1,2]"]);
}

#[test]
fn times_are_cut_down_to_the_millisecond_they_lie_in() {
    let at = "1969-12-31T23:59:59.999Z";
    let zero = "1970-01-01T00:00:00Z";
    gives(
        TimestampSecondArray::from(vec![0, i64::MAX]),
        DataType::Timestamp,
        &[zero, "! timestamp"],
    );
    gives(TimestampMillisecondArray::from(vec![-1]), DataType::Timestamp, &[at]);
    gives(TimestampMicrosecondArray::from(vec![-1, 999]), DataType::Timestamp, &[at, zero]);
    let zoned = TimestampNanosecondArray::from(vec![-1, 999_999]).with_timezone("Europe/Zurich");
    gives(zoned, DataType::Timestamp, &[at, zero]);
    gives(
        Date32Array::from(vec![Some(1), None]),
        DataType::Timestamp,
        &["1970-01-02T00:00:00Z", "null"],
    );
    gives(Date64Array::from(vec![86_400_000]), DataType::Timestamp, &["1970-01-02T00:00:00Z"]);
}

#[test]
fn vectors_are_lists_of_their_length() {
    let rows = || {
        let list = |floats: &[f32]| Some(floats.iter().copied().map(Some).collect::<Vec<_>>());
        vec![
            list(&[1.0, 2.5]),
            None,
            list(&[1.0]),
            Some(vec![None, Some(1.0)]),
            list(&[3.0, f32::NAN]),
        ]
    };
    let expected = ["[1,2.5]", "null", "! 1 elements", "! null", "! finite"];
    let lists = ListArray::from_iter_primitive::<Float32Type, _, _>(rows());
    gives(lists, DataType::Vector(2), &expected);
    let lists = LargeListArray::from_iter_primitive::<Float32Type, _, _>(rows());
    gives(lists, DataType::Vector(2), &expected);
    let wide = vec![Some(vec![Some(0.1), Some(-2.0)]), None];
    let fixed = FixedSizeListArray::from_iter_primitive::<Float64Type, _, _>(wide, 2);
    gives(fixed, DataType::Vector(2), &["[0.1,-2]", "null"]);
    let narrow = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        vec![Some(vec![Some(1.0)])],
        1,
    );
    gives(narrow, DataType::Vector(2), &["! 1 elements"]);
}

#[test]
fn bools_are_bools_and_nothing_is_null() {
    gives(BooleanArray::from(vec![Some(true), None]), DataType::Bool, &["true", "null"]);
    for data_type in [DataType::Bool, DataType::Vector(3), DataType::String, DataType::Decimal(1)] {
        gives(NullArray::new(2), data_type, &["null", "null"]);
    }
}

#[test]
fn another_type_is_refused_once_with_what_is_accepted() {
    let cases: [(ArrayRef, DataType, &[&str]); 5] = [
        (
            Arc::new(BooleanArray::from(vec![true])),
            DataType::I64,
            &["f is Boolean", "i64", "whole numbers"],
        ),
        (Arc::new(Int64Array::from(vec![1])), DataType::String, &["Int64", "f is string", "Utf8"]),
        (Arc::new(Float64Array::from(vec![1.0])), DataType::Timestamp, &["Float64", "Date32"]),
        (Arc::new(Date32Array::from(vec![1])), DataType::I64, &["Date32", "floats and decimals"]),
        (
            Arc::new(Float32Array::from(vec![1.0])),
            DataType::Vector(1),
            &["f32[1]", "FixedSizeList"],
        ),
    ];
    let place = Place::new();
    for (array, data_type, parts) in cases {
        let path = place.table("t.parquet", vec![("f", array)]);
        let refused = bound(&path, wanted(&[("f", data_type)]), &[]).err().expect("no such value");
        for part in parts.iter().chain(&["t.parquet: column f"]) {
            assert!(refused.contains(part), "{part:?} is missing in: {refused}");
        }
    }
}
