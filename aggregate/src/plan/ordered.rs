//! Values as bytes that sort as the values do: what `first`, `last`, `top_k` and `by` keep of anything but a number's number.
//!
//! Strings and bytes are themselves, a bool is one byte, numbers and times are 8 bytes, big end first, with the sign flipped.

use std::fmt::Write as _;

use model::value::{DataType, ValueRef, format_decimal};

/// Appends `value`, which is of a type that window state keeps: no float, no vector.
pub(crate) fn put(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::String(text) => out.extend_from_slice(text.as_bytes()),
        ValueRef::Bytes(bytes) => out.extend_from_slice(bytes),
        ValueRef::Bool(value) => out.push(value.into()),
        ValueRef::I64(number) | ValueRef::Timestamp(number) | ValueRef::Decimal(number, _) => {
            let mut bytes = (number ^ i64::MIN).to_le_bytes();
            bytes.reverse();
            out.extend_from_slice(&bytes);
        }
        ValueRef::F32(_) | ValueRef::F64(_) | ValueRef::Vector(_) => {}
    }
}

/// The value of `bytes`, a `data_type`; `None` when they are none.
pub(crate) fn value(bytes: &[u8], data_type: DataType) -> Option<ValueRef<'_>> {
    match data_type {
        DataType::String => std::str::from_utf8(bytes).ok().map(ValueRef::String),
        DataType::Bytes => Some(ValueRef::Bytes(bytes)),
        DataType::Bool => match bytes {
            [0] => Some(ValueRef::Bool(false)),
            [1] => Some(ValueRef::Bool(true)),
            _ => None,
        },
        DataType::I64 => number(bytes).map(ValueRef::I64),
        DataType::Timestamp => number(bytes).map(ValueRef::Timestamp),
        DataType::Decimal(scale) => number(bytes).map(|number| ValueRef::Decimal(number, scale)),
        DataType::F32 | DataType::F64 | DataType::Vector(_) => None,
    }
}

fn number(bytes: &[u8]) -> Option<i64> {
    let mut bytes: [u8; 8] = bytes.try_into().ok()?;
    bytes.reverse();
    Some(i64::from_le_bytes(bytes) ^ i64::MIN)
}

/// Appends `value` as JSON: numbers as they are, with every decimal place; times, bytes and strings quoted.
pub(crate) fn write_json(out: &mut String, value: Option<ValueRef<'_>>) {
    // Writing to a string does not fail.
    let _ = match value {
        None => out.write_str("null"),
        Some(ValueRef::Bool(value)) => write!(out, "{value}"),
        Some(ValueRef::I64(value)) => write!(out, "{value}"),
        Some(ValueRef::F32(value)) => write!(out, "{value}"),
        Some(ValueRef::F64(value)) => write!(out, "{value}"),
        Some(ValueRef::Decimal(value, scale)) => out.write_str(&format_decimal(value, scale)),
        Some(other) => {
            write_key(out, Some(other));
            Ok(())
        }
    };
}

/// Appends `value` as a JSON string, as the names of members are.
pub(crate) fn write_key(out: &mut String, value: Option<ValueRef<'_>>) {
    match value {
        Some(ValueRef::String(text)) => write_quoted(out, text),
        Some(other) => write_quoted(out, &other.to_owned().to_string()),
        None => write_quoted(out, ""),
    }
}

/// Appends `text` as a JSON string (RFC 8259, section 7).
pub(crate) fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_sort_as_values_do_and_come_back() {
        let numbers = [i64::MIN, -257, -1, 0, 1, 255, 256, i64::MAX];
        let all: Vec<Vec<u8>> = numbers
            .iter()
            .map(|number| {
                let mut out = Vec::new();
                put(&mut out, ValueRef::Decimal(*number, 2));
                out
            })
            .collect();
        assert!(all.is_sorted());
        for (bytes, number) in all.iter().zip(numbers) {
            let back = value(bytes, DataType::Decimal(2));
            assert!(matches!(back, Some(ValueRef::Decimal(back, 2)) if back == number));
        }
        assert!(value(&[2], DataType::Bool).is_none() && value(&[1], DataType::I64).is_none());
    }

    #[test]
    fn json_is_escaped() {
        let mut out = String::new();
        write_json(&mut out, Some(ValueRef::String("a\"b\\\n\u{1}é")));
        assert_eq!(out, r#""a\"b\\\n\u0001é""#);
        out.clear();
        write_json(&mut out, Some(ValueRef::Decimal(-5, 2)));
        out.push(',');
        write_key(&mut out, Some(ValueRef::I64(7)));
        out.push(',');
        write_json(&mut out, Some(ValueRef::Bytes(&[0xab])));
        assert_eq!(out, r#"-0.05,"7","ab""#);
    }
}
