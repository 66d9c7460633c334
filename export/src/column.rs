//! Columns of a read as Arrow arrays: bytes are copied in runs, not value by value.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, FixedSizeListArray,
    Float32Array, Float64Array, Int8Array, Int64Array, StringArray, TimestampMillisecondArray,
    UInt8Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType as Arrow;
use model::column::Column;
use model::status::Status;
use model::value::DataType;

use crate::{Error, arrow_type};

/// The values of `column`, null where none is given, and its statuses: see [`Status::code`].
///
/// # Errors
/// [`Error::Arrow`] when the column is not what it says it is; [`Error::Usage`] when its strings pass 2 GiB.
pub fn array_of(column: &Column) -> Result<(ArrayRef, UInt8Array), Error> {
    let values = values(column, given(column.statuses()))?;
    Ok((values, UInt8Array::from(column.statuses().to_vec())))
}

/// Statuses as the words that people read, as a dictionary.
///
/// # Errors
/// [`Error::Arrow`] when one is no status.
pub fn statuses_as_words(statuses: &UInt8Array) -> Result<DictionaryArray<Int8Type>, Error> {
    let words = StringArray::from_iter_values(Status::ALL.map(Status::as_str));
    // A code that no i8 can be is none of the words either.
    let code = |code: u8| i8::try_from(code).unwrap_or(i8::MAX);
    let codes = statuses.values().iter().map(|status| code(*status)).collect::<Int8Array>();
    Ok(DictionaryArray::try_new(codes, Arc::new(words))?)
}

/// Where a value is given; `None` when everywhere.
fn given(statuses: &[u8]) -> Option<NullBuffer> {
    const PRESENT: u8 = Status::Present as u8;
    const PARTIAL: u8 = Status::Partial as u8;
    let given = BooleanBuffer::from_iter(statuses.iter().map(|s| matches!(*s, PRESENT | PARTIAL)));
    Some(NullBuffer::new(given)).filter(|nulls| nulls.null_count() > 0)
}

fn values(column: &Column, nulls: Option<NullBuffer>) -> Result<ArrayRef, Error> {
    let data = column.data();
    let arrow = arrow_type(column.data_type());
    Ok(match (column.data_type(), arrow) {
        (DataType::Bool, _) => {
            let bits = BooleanBuffer::from_iter(data.iter().map(|byte| *byte != 0));
            Arc::new(BooleanArray::new(bits, nulls))
        }
        (DataType::I64, _) => Arc::new(Int64Array::try_new(i64s(data), nulls)?),
        (DataType::F32, _) => Arc::new(Float32Array::try_new(f32s(data), nulls)?),
        (DataType::F64, _) => {
            let values = data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            Arc::new(Float64Array::try_new(values.collect(), nulls)?)
        }
        (DataType::Timestamp, _) => {
            let times = TimestampMillisecondArray::try_new(i64s(data), nulls)?;
            Arc::new(times.with_timezone("UTC"))
        }
        (DataType::Decimal(_), arrow) => {
            let wide = i64s(data).iter().map(|value| i128::from(*value)).collect();
            Arc::new(Decimal128Array::try_new(wide, nulls)?.with_data_type(arrow))
        }
        (DataType::String, _) => {
            let bytes = Buffer::from_slice_ref(data);
            Arc::new(StringArray::try_new(offsets(column.ends())?, bytes, nulls)?)
        }
        (DataType::Bytes, _) => {
            let bytes = Buffer::from_slice_ref(data);
            Arc::new(BinaryArray::try_new(offsets(column.ends())?, bytes, nulls)?)
        }
        (DataType::Vector(_), Arrow::FixedSizeList(element, count)) => {
            let elements = Arc::new(Float32Array::try_new(f32s(data), None)?);
            Arc::new(FixedSizeListArray::try_new(element, count, elements, nulls)?)
        }
        (DataType::Vector(_), _) => {
            return Err(Error::Usage("a vector is a fixed-size list".to_owned()));
        }
    })
}

/// On a little-endian machine this is one copy.
fn i64s(data: &[u8]) -> ScalarBuffer<i64> {
    data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
}

fn f32s(data: &[u8]) -> ScalarBuffer<f32> {
    data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Ends of values as Arrow's offsets: a zero in front, and signed.
fn offsets(ends: &[u32]) -> Result<OffsetBuffer<i32>, Error> {
    let last = ends.last().copied().unwrap_or(0);
    if i32::try_from(last).is_err() {
        return Err(Error::Usage(format!(
            "{last} bytes of strings in one column, at most {} fit: take fewer rows at once",
            i32::MAX
        )));
    }
    // Ends ascend, so that none is larger than the last.
    let signed = ends.iter().map(|end| i32::try_from(*end).unwrap_or(i32::MAX));
    let offsets: ScalarBuffer<i32> = std::iter::once(0).chain(signed).collect();
    if !offsets.is_sorted() {
        return Err(Error::Usage("the ends of a column's strings do not ascend".to_owned()));
    }
    Ok(OffsetBuffer::new(offsets))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Float32Type};
    use model::value::{Floats, ValueRef};

    use super::*;

    fn array(data_type: DataType, values: &[ValueRef<'_>]) -> ArrayRef {
        let mut column = Column::new(data_type, values.len() + 3);
        column.push_empty(Status::Null);
        for value in values {
            column.push(Status::Present, *value);
        }
        column.push_empty(Status::Expired);
        values.iter().take(1).for_each(|value| column.push(Status::Partial, *value));
        let (array, statuses) = array_of(&column).expect("the column is right");
        assert_eq!(array.data_type(), &arrow_type(data_type));
        assert_eq!(statuses.values().as_ref(), column.statuses());
        assert_eq!(array.len(), column.len());
        for row in 0..array.len() {
            let (_, value) = column.get(row).expect("the row exists");
            assert_eq!(array.is_null(row), value.is_none(), "row {row} of {data_type}");
        }
        array
    }

    #[test]
    fn fixed_values_are_the_columns() {
        let bools = array(DataType::Bool, &[ValueRef::Bool(true), ValueRef::Bool(false)]);
        assert!(bools.as_boolean().value(1));
        assert!(!bools.as_boolean().value(2));
        let whole = array(DataType::I64, &[ValueRef::I64(i64::MIN), ValueRef::I64(7)]);
        assert_eq!(whole.as_primitive::<arrow_array::types::Int64Type>().value(1), i64::MIN);
        let floats = array(DataType::F64, &[ValueRef::F64(-0.0)]);
        let floats = floats.as_primitive::<arrow_array::types::Float64Type>();
        assert_eq!(floats.value(1).to_bits(), (-0.0_f64).to_bits());
        let narrow = array(DataType::F32, &[ValueRef::F32(1.5)]);
        assert_eq!(narrow.as_primitive::<Float32Type>().value(3), 1.5);
        let times = array(DataType::Timestamp, &[ValueRef::Timestamp(-1)]);
        let times = times.as_primitive::<arrow_array::types::TimestampMillisecondType>();
        assert_eq!(times.value(1), -1);
        let decimals = array(DataType::Decimal(2), &[ValueRef::Decimal(i64::MIN, 2)]);
        let decimals = decimals.as_primitive::<Decimal128Type>();
        assert_eq!(decimals.value_as_string(1), "-92233720368547758.08");
    }

    #[test]
    fn variable_values_and_vectors_are_the_columns() {
        let strings = array(DataType::String, &[ValueRef::String("née"), ValueRef::String("")]);
        assert_eq!(strings.as_string::<i32>().value(1), "née");
        assert_eq!(strings.as_string::<i32>().value(2), "");
        let bytes = array(DataType::Bytes, &[ValueRef::Bytes(&[0, 255])]);
        assert_eq!(bytes.as_binary::<i32>().value(1), [0, 255]);
        let vector = [1.0, f32::MIN_POSITIVE];
        let vectors = array(DataType::Vector(2), &[ValueRef::Vector(Floats::Native(&vector))]);
        let vectors = vectors.as_fixed_size_list().value(1);
        assert_eq!(vectors.as_primitive::<Float32Type>().values().as_ref(), vector);
    }

    #[test]
    fn an_empty_column_is_an_empty_array() {
        for data_type in [DataType::I64, DataType::String, DataType::Vector(3)] {
            let (array, statuses) = array_of(&Column::new(data_type, 0)).expect("it is right");
            assert_eq!((array.len(), statuses.len()), (0, 0));
        }
    }

    #[test]
    fn statuses_read_as_words() {
        let codes = UInt8Array::from_iter_values(Status::ALL.map(Status::code));
        let words = statuses_as_words(&codes).expect("they are statuses");
        let words = words.downcast_dict::<StringArray>().expect("words are strings");
        let shown: Vec<_> = words.into_iter().map(|word| word.unwrap_or("null")).collect();
        assert_eq!(shown, ["PRESENT", "NULL", "NOT_FOUND", "EXPIRED", "PARTIAL", "ERROR"]);
        assert!(statuses_as_words(&UInt8Array::from(vec![6])).is_err());
    }
}
