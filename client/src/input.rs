//! Values as callers have them, turned into the type that a feature, field or request value has. Nothing is cut silently.
//!
//! | given | fits |
//! |---|---|
//! | bool | bool |
//! | i64 | i64, timestamp (ms), decimal when it fits, f64 and f32 when exact |
//! | f64 | f64, f32 unless it overflows, decimal (rounded half to even), i64 when whole |
//! | text | every type, as files write it: timestamps in RFC 3339, bytes in hex |
//! | bytes | bytes |
//! | floats | f32\[n\] of the same length |
//! | a `Value` | its own type, else what its number or text fits |

use model::{
    Error, text,
    value::{DataType, Value},
};

/// A value on its way to its type.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Null.
    Null,
    /// See the module.
    Bool(bool),
    /// See the module.
    I64(i64),
    /// See the module.
    F64(f64),
    /// See the module.
    Text(String),
    /// See the module.
    Bytes(Vec<u8>),
    /// See the module.
    Floats(Vec<f32>),
    /// See the module.
    Value(Value),
}

impl Input {
    /// The value of `data_type`; `None` is null. `what` names the field in errors.
    pub(crate) fn convert(self, what: &str, data_type: DataType) -> Result<Option<Value>, Error> {
        let refused = |got: String| Error::mismatch(what, text::describe(data_type), got);
        let value = match self {
            Self::Null => return Ok(None),
            Self::Value(value) if value.data_type() == data_type => Some(value),
            Self::Value(value) => return Self::from_value(value).convert(what, data_type),
            Self::Text(given) => return text::parse_value(what, &given, data_type).map(Some),
            Self::I64(given) => {
                let value = from_i64(given, data_type);
                return value.map(Some).ok_or_else(|| refused(format!("number {given}")));
            }
            Self::F64(given) => {
                let value = from_f64(given, data_type);
                return value.map(Some).ok_or_else(|| refused(format!("number {given}")));
            }
            Self::Bool(given) if data_type == DataType::Bool => Some(Value::Bool(given)),
            Self::Bytes(given) if data_type == DataType::Bytes => Some(Value::Bytes(given.into())),
            Self::Floats(given) if is_vector(data_type, given.len()) => {
                Some(Value::Vector(given.into()))
            }
            Self::Bool(given) => return Err(refused(format!("bool {given}"))),
            Self::Bytes(given) => return Err(refused(format!("{} bytes", given.len()))),
            Self::Floats(given) => return Err(refused(format!("{} floats", given.len()))),
        };
        Ok(value)
    }

    /// A value that has another type than is wanted.
    fn from_value(value: Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::I64(value) | Value::Timestamp(value) => Self::I64(value),
            Value::F32(value) => Self::F64(value.into()),
            Value::F64(value) => Self::F64(value),
            // Its digits, so that another scale is exact or rounded once.
            decimal @ Value::Decimal(..) => Self::Text(decimal.to_string()),
            Value::String(value) => Self::Text(value.into()),
            Value::Bytes(value) => Self::Bytes(value.into()),
            Value::Vector(value) => Self::Floats(value.into()),
        }
    }
}

fn is_vector(data_type: DataType, length: usize) -> bool {
    matches!(data_type, DataType::Vector(count) if count as usize == length)
}

fn from_i64(given: i64, data_type: DataType) -> Option<Value> {
    match data_type {
        DataType::I64 => Some(Value::I64(given)),
        DataType::Timestamp => Some(Value::Timestamp(given)),
        DataType::Decimal(scale) => {
            let unscaled = given.checked_mul(10_i64.checked_pow(scale.into())?)?;
            Some(Value::Decimal(unscaled, scale))
        }
        // Every whole number up to 2^53 (2^24) is exact.
        DataType::F64 => (given.unsigned_abs() <= 1 << 53).then_some(Value::F64(given as f64)),
        DataType::F32 => (given.unsigned_abs() <= 1 << 24).then_some(Value::F32(given as f32)),
        _ => None,
    }
}

fn from_f64(given: f64, data_type: DataType) -> Option<Value> {
    match data_type {
        DataType::F64 => Some(Value::F64(given)),
        DataType::F32 => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "rounding to f32 is what was asked for"
            )]
            let narrow = given as f32;
            (narrow.is_finite() || !given.is_finite()).then_some(Value::F32(narrow))
        }
        // The shortest digits that give this float: 0.1 is 0.1 and not 0.1000000000000000055.
        DataType::Decimal(scale) => {
            let parsed = text::parse_decimal(&given.to_string(), scale)?;
            Some(Value::Decimal(parsed.unscaled, scale))
        }
        DataType::I64 => {
            let parsed =
                text::parse_decimal(&given.to_string(), 0).filter(|parsed| parsed.exact)?;
            Some(Value::I64(parsed.unscaled))
        }
        _ => None,
    }
}

macro_rules! input_from {
    ($($kind:ty => |$value:ident| $input:expr),* $(,)?) => {$(
        impl From<$kind> for Input {
            fn from($value: $kind) -> Self {
                $input
            }
        }
    )*};
}

input_from! {
    bool => |value| Self::Bool(value),
    i64 => |value| Self::I64(value),
    i32 => |value| Self::I64(value.into()),
    u32 => |value| Self::I64(value.into()),
    f64 => |value| Self::F64(value),
    f32 => |value| Self::Value(Value::F32(value)),
    &str => |value| Self::Text(value.to_owned()),
    &String => |value| Self::Text(value.clone()),
    String => |value| Self::Text(value),
    &[u8] => |value| Self::Bytes(value.to_vec()),
    Vec<u8> => |value| Self::Bytes(value),
    &[f32] => |value| Self::Floats(value.to_vec()),
    Vec<f32> => |value| Self::Floats(value),
    Value => |value| Self::Value(value),
}

impl<T: Into<Input>> From<Option<T>> for Input {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(input: impl Into<Input>, data_type: &str) -> Result<Option<Value>, Error> {
        input.into().convert("amount", DataType::parse(data_type).expect(data_type))
    }

    #[test]
    fn numbers_become_the_type_of_the_field() {
        assert_eq!(convert(12.5, "decimal(2)"), Ok(Some(Value::Decimal(1250, 2))));
        assert_eq!(convert(0.1, "decimal(18)"), Ok(Some(Value::Decimal(10_i64.pow(17), 18))));
        assert_eq!(convert(7_i64, "decimal(2)"), Ok(Some(Value::Decimal(700, 2))));
        assert_eq!(convert(7, "f64"), Ok(Some(Value::F64(7.0))));
        assert_eq!(convert(3.0, "i64"), Ok(Some(Value::I64(3))));
        assert_eq!(convert(1_i64, "timestamp"), Ok(Some(Value::Timestamp(1))));
        let half = convert(Value::Decimal(125, 3), "decimal(2)");
        assert_eq!(half, Ok(Some(Value::Decimal(12, 2))), "half to even");
        assert_eq!(convert(Value::F32(0.5), "f64"), Ok(Some(Value::F64(0.5))));
    }

    #[test]
    fn text_is_read_as_files_write_it_and_null_is_null() {
        assert_eq!(convert("1970-01-01T00:00:01Z", "timestamp"), Ok(Some(Value::Timestamp(1000))));
        assert_eq!(convert("a", "string"), Ok(Some(Value::String("a".into()))));
        assert_eq!(convert(None::<f64>, "decimal(2)"), Ok(None));
        assert_eq!(convert(vec![1.0, 2.0], "f32[2]"), Ok(Some(Value::Vector([1.0, 2.0].into()))));
    }

    #[test]
    fn what_does_not_fit_names_field_type_and_value() {
        let refusals = [
            convert(3.5, "i64"),
            convert(f64::NAN, "decimal(2)"),
            convert(1e300, "decimal(2)"),
            convert(1e300, "f32"),
            convert(i64::MAX, "decimal(2)"),
            convert((1 << 53) + 1_i64, "f64"),
            convert(true, "i64"),
            convert("x", "i64"),
            convert(vec![1.0_f32], "f32[2]"),
            convert(vec![1_u8], "string"),
        ];
        for refusal in refusals {
            let message = refusal.expect_err("it does not fit").to_string();
            assert!(
                message.starts_with("amount: expected ") && message.contains(", got "),
                "{message}"
            );
        }
    }
}
