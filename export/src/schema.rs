//! Types of features and fields as Arrow types, in both directions.
//!
//! | Larder | Arrow |
//! |---|---|
//! | `bool` | `Boolean` |
//! | `i64` | `Int64` |
//! | `f32`, `f64` | `Float32`, `Float64` |
//! | `string` | `Utf8` |
//! | `bytes` | `Binary` |
//! | `timestamp` | `Timestamp(Millisecond, "UTC")` |
//! | `decimal(s)` | `Decimal128(19, s)`: an i64 has up to 19 digits |
//! | `f32[n]` | `FixedSizeList(Float32, n)` |

use std::sync::Arc;

use arrow_schema::{DataType as Arrow, Field, TimeUnit};
use model::value::DataType;

/// Digits of the decimals that are written.
const DECIMAL_DIGITS: u8 = 19;

/// How values of `data_type` are written.
#[must_use]
pub fn arrow_type(data_type: DataType) -> Arrow {
    match data_type {
        DataType::Bool => Arrow::Boolean,
        DataType::I64 => Arrow::Int64,
        DataType::F32 => Arrow::Float32,
        DataType::F64 => Arrow::Float64,
        DataType::String => Arrow::Utf8,
        DataType::Bytes => Arrow::Binary,
        DataType::Timestamp => Arrow::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        DataType::Decimal(scale) => {
            Arrow::Decimal128(DECIMAL_DIGITS, i8::try_from(scale).unwrap_or(i8::MAX))
        }
        DataType::Vector(elements) => {
            let element = Field::new_list_field(Arrow::Float32, true);
            Arrow::FixedSizeList(Arc::new(element), i32::try_from(elements).unwrap_or(i32::MAX))
        }
    }
}

/// The type whose values are written as `arrow`; `None` when that is no type's.
#[must_use]
pub fn data_type_of(arrow: &Arrow) -> Option<DataType> {
    let found = match arrow {
        Arrow::Boolean => DataType::Bool,
        Arrow::Int64 => DataType::I64,
        Arrow::Float32 => DataType::F32,
        Arrow::Float64 => DataType::F64,
        Arrow::Utf8 => DataType::String,
        Arrow::Binary => DataType::Bytes,
        Arrow::Timestamp(TimeUnit::Millisecond, Some(_)) => DataType::Timestamp,
        Arrow::Decimal128(DECIMAL_DIGITS, scale) => DataType::Decimal(u8::try_from(*scale).ok()?),
        Arrow::FixedSizeList(element, elements) if element.data_type() == &Arrow::Float32 => {
            DataType::Vector(u32::try_from(*elements).ok()?)
        }
        _ => return None,
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same_type() {
        let types = [
            DataType::Bool,
            DataType::I64,
            DataType::F32,
            DataType::F64,
            DataType::String,
            DataType::Bytes,
            DataType::Timestamp,
            DataType::Decimal(0),
            DataType::Decimal(18),
            DataType::Vector(64),
        ];
        for data_type in types {
            assert_eq!(data_type_of(&arrow_type(data_type)), Some(data_type));
        }
    }
}
