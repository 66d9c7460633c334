//! Columns of numbers and times, converted as a whole; rows whose value does not fit are named.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Decimal256Type, DecimalType, Float32Type, Float64Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::ArrowNativeType;
use arrow_cast::cast;
use arrow_schema::{DataType as Arrow, TimeUnit};
use model::text;
use model::value::{DataType, Value};

use super::columns::{Bad, Sought, Values};
use super::number::{Number, to_f32, to_f64, to_i64};
use crate::Error;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

pub(super) fn is_whole(arrow: &Arrow) -> bool {
    arrow.is_integer()
}

pub(super) fn is_number(arrow: &Arrow) -> bool {
    arrow.is_numeric()
}

/// A column of numbers as those of `field`.
pub(super) fn numbers(array: &ArrayRef, field: Sought<'_>) -> Result<(Values, Bad), Error> {
    let data_type = field.data_type;
    Ok(match array.data_type() {
        Arrow::Int64 if matches!(data_type, DataType::I64 | DataType::Timestamp) => {
            (Values::I64(array.as_primitive::<Int64Type>().values().clone()), Bad::new())
        }
        Arrow::UInt64 => {
            each(array.as_primitive::<UInt64Type>(), field, |whole| Number::Whole(whole.into()))
        }
        Arrow::Float64 => each(array.as_primitive::<Float64Type>(), field, Number::Wide),
        Arrow::Float16 | Arrow::Float32 => {
            let floats = cast(array, &Arrow::Float32)?;
            each(floats.as_primitive::<Float32Type>(), field, Number::Narrow)
        }
        Arrow::Decimal256(..) => decimals(array.as_primitive::<Decimal256Type>(), field),
        Arrow::Decimal32(_, scale) | Arrow::Decimal64(_, scale) => {
            let wide = cast(array, &Arrow::Decimal128(38, *scale))?;
            decimals(wide.as_primitive::<Decimal128Type>(), field)
        }
        Arrow::Decimal128(_, scale) => {
            let array = array.as_primitive::<Decimal128Type>();
            match data_type {
                // Of the same scale: nothing to round.
                DataType::Decimal(same) if i16::from(*scale) == i16::from(same) => {
                    let whole = Sought { name: field.name, data_type: DataType::I64 };
                    each(array, whole, Number::Whole)
                }
                _ => decimals(array, field),
            }
        }
        _ => {
            let whole = cast(array, &Arrow::Int64)?;
            let whole = whole.as_primitive::<Int64Type>();
            each(whole, field, |whole| Number::Whole(whole.into()))
        }
    })
}

fn each<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    field: Sought<'_>,
    number: impl Fn(T::Native) -> Number,
) -> (Values, Bad) {
    match field.data_type {
        DataType::F32 => {
            let (values, bad) = mapped(array, field, |value| to_f32(number(value)));
            (Values::F32(values.into()), bad)
        }
        DataType::F64 => {
            let (values, bad) = mapped(array, field, |value| to_f64(number(value)));
            (Values::F64(values.into()), bad)
        }
        data_type => {
            let (values, bad) = mapped(array, field, |value| to_i64(number(value), data_type));
            (Values::I64(values.into()), bad)
        }
    }
}

/// What `convert` makes of each value; rows where it makes nothing are named.
fn mapped<T: ArrowPrimitiveType, V: Default>(
    array: &PrimitiveArray<T>,
    field: Sought<'_>,
    convert: impl Fn(T::Native) -> Option<V>,
) -> (Vec<V>, Bad) {
    let mut bad = Bad::new();
    let values = array.values().iter().enumerate().map(|(row, value)| {
        convert(*value).unwrap_or_else(|| {
            // Below a null there is any value.
            if array.is_valid(row) {
                bad.push((row, refused(field, &format!("number {value:?}"))));
            }
            V::default()
        })
    });
    (values.collect(), bad)
}

fn refused(field: Sought<'_>, got: &str) -> String {
    let expected = text::describe(field.data_type);
    model::Error::mismatch(field.name, expected, got).to_string()
}

/// Decimals of another scale, by their digits.
fn decimals<T: DecimalType>(array: &PrimitiveArray<T>, field: Sought<'_>) -> (Values, Bad)
where
    T::Native: ArrowNativeType,
{
    let mut bad = Bad::new();
    let values = (0..array.len()).map(|row| -> Option<Value> {
        if array.is_null(row) {
            return None;
        }
        let shown = array.value_as_string(row);
        let parsed = text::parse_value(field.name, &shown, field.data_type);
        parsed.map_err(|error| bad.push((row, error.to_string()))).ok()
    });
    (Values::Each(values.collect()), bad)
}

/// A column of times as ms since 1970: finer units are cut down, so that an event lies in the millisecond it happened in.
pub(super) fn times(array: &ArrayRef, field: Sought<'_>) -> Result<(Values, Bad), Error> {
    let (values, bad) = match array.data_type() {
        Arrow::Timestamp(TimeUnit::Second, _) => {
            let seconds = array.as_primitive::<TimestampSecondType>();
            mapped(seconds, field, |time| time.checked_mul(1000))
        }
        Arrow::Timestamp(TimeUnit::Millisecond, _) => {
            let exact = array.as_primitive::<TimestampMillisecondType>().values().clone();
            return Ok((Values::I64(exact), Bad::new()));
        }
        Arrow::Timestamp(TimeUnit::Microsecond, _) => {
            let times = array.as_primitive::<TimestampMicrosecondType>();
            mapped(times, field, |time| Some(time.div_euclid(1000)))
        }
        Arrow::Timestamp(TimeUnit::Nanosecond, _) => {
            let times = array.as_primitive::<TimestampNanosecondType>();
            mapped(times, field, |time| Some(time.div_euclid(1_000_000)))
        }
        Arrow::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            mapped(days, field, |day| i64::from(day).checked_mul(DAY_MS))
        }
        _ => mapped(cast(array, &Arrow::Date64)?.as_primitive::<Date64Type>(), field, Some),
    };
    Ok((Values::I64(values.into()), bad))
}
