//! One value as bytes: what rows, log records and frames have in common.
//!
//! ```text
//! bool 1 byte (0 or 1) | f32 4 | i64 f64 timestamp decimal 8 | f32[n] 4·n      fixed, little-endian
//! string bytes           u32 length, then that many bytes                      variable
//! ```

use stdx::cursor::{Reader, Writer};

use crate::{
    Error,
    limits::STRING_BYTES_MAX,
    value::{DataType, Floats, ValueRef},
};

/// Appends `value` without its type.
#[inline]
pub fn write_value(out: &mut Writer<'_>, value: ValueRef<'_>) {
    match value {
        ValueRef::Bool(value) => out.u8(u8::from(value)),
        ValueRef::I64(value) | ValueRef::Timestamp(value) | ValueRef::Decimal(value, _) => {
            out.i64(value)
        }
        ValueRef::F32(value) => out.f32(value),
        ValueRef::F64(value) => out.f64(value),
        ValueRef::String(value) => out.block(value.as_bytes()),
        ValueRef::Bytes(value) => out.block(value),
        ValueRef::Vector(Floats::Packed(bytes)) => out.bytes(bytes),
        ValueRef::Vector(Floats::Native(floats)) => {
            floats.iter().fold(out, |out, element| out.f32(*element))
        }
    };
}

/// Reads a value of `data_type` in place.
///
/// # Errors
/// [`Error::Malformed`] when bytes are missing, a bool is neither 0 nor 1, a string is not UTF-8 or passes
/// [`STRING_BYTES_MAX`].
#[inline]
pub fn read_value<'a>(input: &mut Reader<'a>, data_type: DataType) -> Result<ValueRef<'a>, Error> {
    match data_type {
        DataType::I64 => return Ok(ValueRef::I64(input.i64()?)),
        DataType::Timestamp => return Ok(ValueRef::Timestamp(input.i64()?)),
        DataType::Decimal(scale) => return Ok(ValueRef::Decimal(input.i64()?, scale)),
        DataType::F64 => return Ok(ValueRef::F64(input.f64()?)),
        _ => {}
    }
    let fixed = match data_type.fixed_bytes() {
        Some(count) => input.bytes(count)?,
        None => input.block()?,
    };
    decode(fixed, data_type)
}

/// The value of `data_type` whose content is exactly `bytes`: a fixed cell, or a variable value without its length.
///
/// # Errors
/// As [`read_value`].
pub fn decode(bytes: &[u8], data_type: DataType) -> Result<ValueRef<'_>, Error> {
    let mut input = Reader::new(bytes);
    let value = match data_type {
        DataType::Bool => match input.u8()? {
            0 => ValueRef::Bool(false),
            1 => ValueRef::Bool(true),
            other => return Err(Error::Malformed(format!("a bool is 0 or 1, got {other}"))),
        },
        DataType::I64 => ValueRef::I64(input.i64()?),
        DataType::Timestamp => ValueRef::Timestamp(input.i64()?),
        DataType::Decimal(scale) => ValueRef::Decimal(input.i64()?, scale),
        DataType::F32 => ValueRef::F32(input.f32()?),
        DataType::F64 => ValueRef::F64(input.f64()?),
        DataType::Vector(count) => {
            ValueRef::Vector(Floats::Packed(input.bytes(count as usize * 4)?))
        }
        DataType::String => {
            let text = std::str::from_utf8(variable(input.rest())?)
                .map_err(|error| Error::Malformed(format!("a string is UTF-8: {error}")))?;
            ValueRef::String(text)
        }
        DataType::Bytes => ValueRef::Bytes(variable(input.rest())?),
    };
    if input.is_empty() {
        return Ok(value);
    }
    Err(Error::Malformed(format!("{} bytes after a {data_type}", input.left())))
}

fn variable(bytes: &[u8]) -> Result<&[u8], Error> {
    if bytes.len() <= STRING_BYTES_MAX {
        return Ok(bytes);
    }
    Err(Error::Malformed(format!(
        "{} bytes in one value, at most {STRING_BYTES_MAX} are allowed",
        bytes.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn every_type_round_trips() {
        let values = [
            Value::Bool(true),
            Value::I64(-7),
            Value::F32(1.5),
            Value::F64(f64::MIN_POSITIVE),
            Value::String("née".into()),
            Value::Bytes([0, 255].into()),
            Value::Timestamp(-1),
            Value::Decimal(1250, 2),
            Value::Vector([1.0, -0.0].into()),
        ];
        let mut bytes = Vec::new();
        for value in &values {
            write_value(&mut Writer::new(&mut bytes), value.borrow());
        }
        let mut reader = Reader::new(&bytes);
        for value in &values {
            let read = read_value(&mut reader, value.data_type()).expect("it was written");
            assert_eq!(&read.to_owned(), value);
        }
        assert!(reader.is_empty());
    }

    #[test]
    fn malformed_values_are_refused() {
        for (bytes, data_type) in [
            (&[2][..], DataType::Bool),
            (&[1, 2, 3], DataType::I64),
            (&[1, 0, 0, 0, 0xff], DataType::String),
            (&[9, 0, 0, 0, 1], DataType::Bytes),
        ] {
            assert!(read_value(&mut Reader::new(bytes), data_type).is_err(), "{data_type}");
        }
    }
}
