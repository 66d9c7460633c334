//! Values as people write them: in CSV cells, JSON strings, command-line arguments.

use crate::{
    Error, key, time,
    value::{DataType, Value},
};

/// Reads a value of `data_type`. `what` names the field in errors.
///
/// * bool: `true`, `false`, `1`, `0`
/// * i64: a whole number; `5.0` is one too
/// * f32, f64: a number; `nan` and `inf` are none
/// * decimal(s): a number, exact, rounded half to even at s places
/// * timestamp: RFC 3339, or milliseconds since the epoch
/// * bytes: hex
/// * f32[n]: `[1, 2.5, …]`, the brackets may be missing
///
/// # Errors
/// [`Error::Type`] names the field, its type and the text.
pub fn parse_value(what: &str, text: &str, data_type: DataType) -> Result<Value, Error> {
    let trimmed = text.trim();
    let value = match data_type {
        DataType::Bool => match trimmed {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        DataType::I64 => {
            parse_decimal(trimmed, 0).filter(|parsed| parsed.exact).map(|p| Value::I64(p.unscaled))
        }
        DataType::F32 => {
            trimmed.parse().ok().filter(|number: &f32| number.is_finite()).map(Value::F32)
        }
        DataType::F64 => {
            trimmed.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::F64)
        }
        DataType::String => Some(Value::String(text.into())),
        DataType::Bytes => key::parse_hex(trimmed).map(|bytes| Value::Bytes(bytes.into())),
        DataType::Timestamp => time::parse_timestamp(trimmed).ok().map(Value::Timestamp),
        DataType::Decimal(scale) => {
            parse_decimal(trimmed, scale).map(|parsed| Value::Decimal(parsed.unscaled, scale))
        }
        DataType::Vector(count) => parse_vector(trimmed, count).map(Value::Vector),
    };
    value.ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        Error::mismatch(what, describe(data_type), format!("{shown:?}"))
    })
}

/// A type with the way its values are written.
#[must_use]
pub fn describe(data_type: DataType) -> String {
    let how = match data_type {
        DataType::Bool => " (true or false)",
        DataType::I64 => " (a whole number from -2^63 to 2^63-1)",
        DataType::F32 | DataType::F64 => " (a finite number)",
        DataType::Decimal(_) => " (a number that fits into 64 bits at this scale)",
        DataType::Timestamp => " (RFC 3339, or ms since 1970)",
        DataType::Bytes => " (hex digits)",
        DataType::Vector(_) => " (that many finite numbers)",
        DataType::String => "",
    };
    format!("{data_type}{how}")
}

/// A decimal number read at some scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedDecimal {
    /// The number times 10^scale, rounded half to even.
    pub unscaled: i64,
    /// True when nothing was rounded away.
    pub exact: bool,
}

/// Reads `-12.345`, `1e3` or `.5` at `scale` places, without going through a float. `None` when it is no number or does
/// not fit.
#[must_use]
pub fn parse_decimal(text: &str, scale: u8) -> Option<ParsedDecimal> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, places) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && places.is_empty() {
        return None;
    }
    let places_count = i32::try_from(places.len()).ok()?;
    // Power of ten that the digits, read as one integer, still need to become the unscaled number.
    let shift = exponent.checked_sub(places_count)?.checked_add(i32::from(scale))?;
    let (mut value, mut rest) = (0_i128, Rest::default());
    let digits = whole.bytes().chain(places.bytes());
    let count = i64::try_from(whole.len() + places.len()).ok()?;
    let kept = if shift < 0 { count + i64::from(shift) } else { count };
    for (position, byte) in (0_i64..).zip(digits) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        if position < kept {
            value = value.checked_mul(10)?.checked_add(digit)?;
        } else {
            rest.push(position == kept, digit);
        }
    }
    if value != 0 && shift > 0 {
        value = value.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?)?;
    }
    let value = value + i128::from(rest.rounds_up(value % 2 != 0));
    let unscaled = i64::try_from(if negative { -value } else { value }).ok()?;
    Some(ParsedDecimal { unscaled, exact: !rest.any })
}

/// The digits cut off, as far as rounding needs them.
#[derive(Default)]
struct Rest {
    first: i128,
    beyond_first: bool,
    any: bool,
}

impl Rest {
    fn push(&mut self, is_first: bool, digit: i128) {
        self.any |= digit != 0;
        if is_first {
            self.first = digit;
        } else {
            self.beyond_first |= digit != 0;
        }
    }

    fn rounds_up(&self, odd: bool) -> bool {
        self.first > 5 || (self.first == 5 && (self.beyond_first || odd))
    }
}

fn parse_vector(text: &str, count: u32) -> Option<Box<[f32]>> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let element = |part: &str| part.trim().parse().ok().filter(|element: &f32| element.is_finite());
    let elements: Box<[f32]> = inner.split(',').map(element).collect::<Option<_>>()?;
    (elements.len() == count as usize).then_some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_round_half_to_even() {
        for (text, scale, unscaled, exact) in [
            ("12.5", 2, 1250, true),
            ("-0.125", 2, -12, false),
            ("0.135", 2, 14, false),
            ("0.1251", 2, 13, false),
            ("1e3", 2, 100_000, true),
            ("1.5e-1", 1, 2, false),
            (".5", 0, 0, false),
            ("5.", 0, 5, true),
            ("0.0000000000000000000000001", 2, 0, false),
            ("9223372036854775807", 0, i64::MAX, true),
            ("-9223372036854775808", 0, i64::MIN, true),
        ] {
            assert_eq!(
                parse_decimal(text, scale),
                Some(ParsedDecimal { unscaled, exact }),
                "{text}"
            );
        }
        for bad in ["", ".", "-", "1..2", "1e", "0x1", "nan", "9223372036854775808", "1e40", "1 2"]
        {
            assert_eq!(parse_decimal(bad, 0), None, "{bad}");
        }
    }

    #[test]
    fn every_type_reads_its_text_and_says_what_it_wanted() {
        let read =
            |text, data_type| parse_value("f", text, data_type).map(|value| value.to_string());
        assert_eq!(read("1", DataType::Bool), Ok("true".into()));
        assert_eq!(read(" 7.0 ", DataType::I64), Ok("7".into()));
        assert_eq!(read("0aff", DataType::Bytes), Ok("0aff".into()));
        assert_eq!(read("[1, 2.5]", DataType::Vector(2)), Ok("[1,2.5]".into()));
        assert_eq!(read(" x ", DataType::String), Ok(" x ".into()));
        for (text, data_type) in [
            ("yes", DataType::Bool),
            ("7.5", DataType::I64),
            ("nan", DataType::F64),
            ("1,2,3", DataType::Vector(2)),
            ("abc", DataType::Bytes),
            ("soon", DataType::Timestamp),
        ] {
            let message = read(text, data_type).expect_err(text).to_string();
            assert!(message.starts_with("f: expected ") && message.contains(text), "{message}");
        }
    }
}
