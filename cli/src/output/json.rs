//! Values as JSON.

use model::value::Value;
use serde_json::{Number, Value as Json};

/// A value as JSON: decimals as numbers with all their digits, timestamps as RFC 3339, bytes as hex; floats that JSON cannot
/// write (NaN, infinities) as strings.
pub(crate) fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::I64(value) => Json::from(*value),
        Value::F32(value) => float(&value.to_string(), value.is_finite()),
        Value::F64(value) => float(&format_f64(*value), value.is_finite()),
        Value::Decimal(..) => float(&value.to_string(), true),
        Value::Vector(elements) => elements
            .iter()
            .map(|element| float(&element.to_string(), element.is_finite()))
            .collect(),
        Value::String(_) | Value::Bytes(_) | Value::Timestamp(_) => Json::String(value.to_string()),
    }
}

/// The shortest digits that read back as the same float; very large and small ones with an exponent.
fn format_f64(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-5..1e17).contains(&magnitude) {
        return format!("{value:e}");
    }
    value.to_string()
}

fn float(digits: &str, finite: bool) -> Json {
    let number = finite.then(|| digits.parse::<Number>().ok()).flatten();
    number.map_or_else(|| Json::String(digits.to_owned()), Json::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (value, expected) in [
            (Value::Decimal(1250, 2), "12.50"),
            (Value::Decimal(i64::MAX, 0), "9223372036854775807"),
            (Value::F64(0.1), "0.1"),
            (Value::F64(3.0), "3"),
            (Value::F64(1e300), "1e+300"),
            (Value::F64(f64::NAN), "\"NaN\""),
            (Value::F32(0.1), "0.1"),
            (Value::Vector([1.0, 0.5].into()), "[1,0.5]"),
            (Value::Bytes([10].into()), "\"0a\""),
            (Value::Timestamp(0), "\"1970-01-01T00:00:00Z\""),
        ] {
            assert_eq!(value_to_json(&value).to_string(), expected);
        }
    }
}
