//! Types and values of features and stream fields.

use std::fmt;

use crate::{
    Error,
    limits::{DECIMAL_SCALE_MAX, VECTOR_ELEMENTS_MAX},
    time,
};

/// The type of a feature or field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// `bool`
    Bool,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `string`: UTF-8.
    String,
    /// `bytes`
    Bytes,
    /// `timestamp`: i64 milliseconds since the epoch, UTC.
    Timestamp,
    /// `decimal(s)`: i64 multiples of 10^-s, s from 0 to 18.
    Decimal(u8),
    /// `f32[n]`: a vector of n elements.
    Vector(u32),
}

impl DataType {
    /// What can stand in a definitions file.
    pub const ALLOWED: &'static str =
        "bool, i64, f32, f64, string, bytes, timestamp, decimal(0..18), f32[1..8192]";

    /// Reads a type as written in a definitions file.
    ///
    /// # Errors
    /// [`Error::Invalid`] lists the types there are.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let simple = match text.trim() {
            "bool" => Some(Self::Bool),
            "i64" => Some(Self::I64),
            "f32" => Some(Self::F32),
            "f64" => Some(Self::F64),
            "string" => Some(Self::String),
            "bytes" => Some(Self::Bytes),
            "timestamp" => Some(Self::Timestamp),
            other => Self::parse_parametric(other),
        };
        simple.ok_or_else(|| Error::invalid("type", text, format!("one of {}", Self::ALLOWED)))
    }

    fn parse_parametric(text: &str) -> Option<Self> {
        if let Some(scale) = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')) {
            let scale = scale.trim().parse().ok().filter(|scale| *scale <= DECIMAL_SCALE_MAX)?;
            return Some(Self::Decimal(scale));
        }
        let count = text.strip_prefix("f32[")?.strip_suffix(']')?.trim().parse().ok()?;
        (1..=VECTOR_ELEMENTS_MAX).contains(&count).then_some(Self::Vector(count))
    }

    /// Bytes of one packed value, or `None` when its length varies (string, bytes).
    #[must_use]
    pub fn fixed_bytes(self) -> Option<usize> {
        match self {
            Self::Bool => Some(1),
            Self::F32 => Some(4),
            Self::I64 | Self::F64 | Self::Timestamp | Self::Decimal(_) => Some(8),
            Self::Vector(count) => Some(count as usize * 4),
            Self::String | Self::Bytes => None,
        }
    }

    /// The type as two numbers, for codecs: a tag, and the scale or element count (else 0).
    #[must_use]
    pub fn code(self) -> (u8, u32) {
        match self {
            Self::Bool => (1, 0),
            Self::I64 => (2, 0),
            Self::F32 => (3, 0),
            Self::F64 => (4, 0),
            Self::String => (5, 0),
            Self::Bytes => (6, 0),
            Self::Timestamp => (7, 0),
            Self::Decimal(scale) => (8, u32::from(scale)),
            Self::Vector(count) => (9, count),
        }
    }

    /// The type of [`DataType::code`].
    ///
    /// # Errors
    /// [`Error::Malformed`] for numbers that no type has.
    pub fn from_code(tag: u8, parameter: u32) -> Result<Self, Error> {
        let data_type = match tag {
            1 => Self::Bool,
            2 => Self::I64,
            3 => Self::F32,
            4 => Self::F64,
            5 => Self::String,
            6 => Self::Bytes,
            7 => Self::Timestamp,
            8 if parameter <= u32::from(DECIMAL_SCALE_MAX) => {
                Self::Decimal(u8::try_from(parameter).unwrap_or(DECIMAL_SCALE_MAX))
            }
            9 if (1..=VECTOR_ELEMENTS_MAX).contains(&parameter) => Self::Vector(parameter),
            _ => return Err(Error::Malformed(format!("no type has code ({tag}, {parameter})"))),
        };
        Ok(data_type)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::I64 => f.write_str("i64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Decimal(scale) => write!(f, "decimal({scale})"),
            Self::Vector(count) => write!(f, "f32[{count}]"),
        }
    }
}

/// One value, owned. Null is `Option::None` around it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// See [`DataType::Bool`].
    Bool(bool),
    /// See [`DataType::I64`].
    I64(i64),
    /// See [`DataType::F32`].
    F32(f32),
    /// See [`DataType::F64`].
    F64(f64),
    /// See [`DataType::String`].
    String(Box<str>),
    /// See [`DataType::Bytes`].
    Bytes(Box<[u8]>),
    /// See [`DataType::Timestamp`].
    Timestamp(i64),
    /// Unscaled value and scale: see [`DataType::Decimal`].
    Decimal(i64, u8),
    /// See [`DataType::Vector`].
    Vector(Box<[f32]>),
}

impl Value {
    /// The type it has.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.borrow().data_type()
    }

    /// The same value, borrowed.
    #[must_use]
    pub fn borrow(&self) -> ValueRef<'_> {
        match self {
            Self::Bool(value) => ValueRef::Bool(*value),
            Self::I64(value) => ValueRef::I64(*value),
            Self::F32(value) => ValueRef::F32(*value),
            Self::F64(value) => ValueRef::F64(*value),
            Self::String(value) => ValueRef::String(value),
            Self::Bytes(value) => ValueRef::Bytes(value),
            Self::Timestamp(value) => ValueRef::Timestamp(*value),
            Self::Decimal(value, scale) => ValueRef::Decimal(*value, *scale),
            Self::Vector(value) => ValueRef::Vector(Floats::Native(value)),
        }
    }

    /// As a float, when it is a number: models read these. Decimals and i64 above 2^53 are rounded to nearest.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Bool(value) => Some(f64::from(u8::from(value))),
            Self::I64(value) | Self::Timestamp(value) => Some(value as f64),
            Self::F32(value) => Some(f64::from(value)),
            Self::F64(value) => Some(value),
            Self::Decimal(value, scale) => Some(decimal_to_f64(value, scale)),
            Self::String(_) | Self::Bytes(_) | Self::Vector(_) => None,
        }
    }
}

/// `unscaled / 10^scale`, rounded once when |unscaled| < 2^53 and at most twice otherwise.
#[must_use]
pub fn decimal_to_f64(unscaled: i64, scale: u8) -> f64 {
    // 10^18 is exactly representable: 5^18 has 42 bits.
    unscaled as f64 / 10_i64.pow(u32::from(scale.min(DECIMAL_SCALE_MAX))) as f64
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::I64(value) => write!(f, "{value}"),
            Self::F32(value) => write!(f, "{value}"),
            Self::F64(value) => write!(f, "{value}"),
            Self::String(value) => f.write_str(value),
            Self::Bytes(value) => value.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Timestamp(value) => f.write_str(&time::format_timestamp(*value)),
            Self::Decimal(value, scale) => f.write_str(&format_decimal(*value, *scale)),
            Self::Vector(value) => {
                f.write_str("[")?;
                for (i, element) in value.iter().enumerate() {
                    write!(f, "{}{element}", if i == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
        }
    }
}

/// `unscaled · 10^-scale` in decimal notation, every place shown: `(1250, 2)` is `12.50`.
#[must_use]
pub fn format_decimal(unscaled: i64, scale: u8) -> String {
    if scale == 0 {
        return unscaled.to_string();
    }
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, places) = digits.split_at(digits.len() - usize::from(scale));
    format!("{}{whole}.{places}", if unscaled < 0 { "-" } else { "" })
}

/// The elements of a vector: native floats, or little-endian bytes still in a receive buffer or row.
#[derive(Debug, Clone, Copy)]
pub enum Floats<'a> {
    /// Floats in memory.
    Native(&'a [f32]),
    /// 4 bytes each, little-endian; the length is a multiple of 4.
    Packed(&'a [u8]),
}

impl Floats<'_> {
    /// Number of elements.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Native(floats) => floats.len(),
            Self::Packed(bytes) => bytes.len() / 4,
        }
    }

    /// True without elements.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The elements, owned.
    #[must_use]
    pub fn to_vec(self) -> Vec<f32> {
        match self {
            Self::Native(floats) => floats.to_vec(),
            Self::Packed(bytes) => {
                bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
            }
        }
    }
}

/// One value, borrowed from a row, a receive buffer or a [`Value`].
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// See [`DataType::Bool`].
    Bool(bool),
    /// See [`DataType::I64`].
    I64(i64),
    /// See [`DataType::F32`].
    F32(f32),
    /// See [`DataType::F64`].
    F64(f64),
    /// See [`DataType::String`].
    String(&'a str),
    /// See [`DataType::Bytes`].
    Bytes(&'a [u8]),
    /// See [`DataType::Timestamp`].
    Timestamp(i64),
    /// Unscaled value and scale: see [`DataType::Decimal`].
    Decimal(i64, u8),
    /// See [`DataType::Vector`].
    Vector(Floats<'a>),
}

impl ValueRef<'_> {
    /// The type it has.
    #[must_use]
    pub fn data_type(self) -> DataType {
        match self {
            Self::Bool(_) => DataType::Bool,
            Self::I64(_) => DataType::I64,
            Self::F32(_) => DataType::F32,
            Self::F64(_) => DataType::F64,
            Self::String(_) => DataType::String,
            Self::Bytes(_) => DataType::Bytes,
            Self::Timestamp(_) => DataType::Timestamp,
            Self::Decimal(_, scale) => DataType::Decimal(scale),
            Self::Vector(floats) => {
                DataType::Vector(u32::try_from(floats.len()).unwrap_or(u32::MAX))
            }
        }
    }

    /// Its cell, where that has eight bytes.
    #[must_use]
    #[inline]
    pub fn to_word(self) -> Option<[u8; 8]> {
        match self {
            Self::I64(value) | Self::Timestamp(value) | Self::Decimal(value, _) => {
                Some(value.to_le_bytes())
            }
            Self::F64(value) => Some(value.to_le_bytes()),
            _ => None,
        }
    }

    /// The same value, owned.
    #[must_use]
    pub fn to_owned(self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(value),
            Self::I64(value) => Value::I64(value),
            Self::F32(value) => Value::F32(value),
            Self::F64(value) => Value::F64(value),
            Self::String(value) => Value::String(value.into()),
            Self::Bytes(value) => Value::Bytes(value.into()),
            Self::Timestamp(value) => Value::Timestamp(value),
            Self::Decimal(value, scale) => Value::Decimal(value, scale),
            Self::Vector(floats) => Value::Vector(floats.to_vec().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_written_as_they_are_read() {
        for text in
            ["bool", "i64", "f32", "f64", "string", "bytes", "timestamp", "decimal(2)", "f32[64]"]
        {
            let data_type = DataType::parse(text).expect(text);
            assert_eq!(data_type.to_string(), text);
            let (tag, parameter) = data_type.code();
            assert_eq!(DataType::from_code(tag, parameter), Ok(data_type));
        }
        for bad in ["", "int", "decimal", "decimal(19)", "f32[0]", "f32[9999]", "f64[3]"] {
            let message = DataType::parse(bad).expect_err(bad).to_string();
            assert!(message.contains("decimal(0..18)"), "{message}");
        }
    }

    #[test]
    fn decimals_show_every_place() {
        let shown = [(1250, 2), (-5, 3), (0, 2), (7, 0), (i64::MIN, 18)]
            .map(|(unscaled, scale)| Value::Decimal(unscaled, scale).to_string());
        assert_eq!(shown, ["12.50", "-0.005", "0.00", "7", "-9.223372036854775808"]);
    }
}
