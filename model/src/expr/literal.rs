//! Constants, and the casts people write.

use sqlparser::ast;

use super::{
    parse::{SUPPORTED, shown},
    typed::{Typed, is_number},
};
use crate::{
    limits::DECIMAL_SCALE_MAX,
    text::parse_decimal,
    time,
    value::{DataType, Value},
};

/// A literal. Whole numbers are i64, numbers with a point exact decimals, numbers with an exponent f64.
///
/// # Errors
/// A message that says what is allowed.
pub(super) fn value(value: &ast::Value, negated: bool) -> Result<Typed, String> {
    match value {
        ast::Value::Number(digits, _) => number(digits, negated),
        ast::Value::SingleQuotedString(text) => {
            Ok(Typed::literal(Value::String(text.as_str().into())))
        }
        ast::Value::Boolean(value) => Ok(Typed::literal(Value::Bool(*value))),
        ast::Value::Null => Ok(Typed::null()),
        other => Err(format!("{} is not supported; {SUPPORTED}", shown(&other.to_string()))),
    }
}

fn number(digits: &str, negated: bool) -> Result<Typed, String> {
    let text = if negated { format!("-{digits}") } else { digits.to_owned() };
    if text.contains(['e', 'E']) {
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        let number = number.ok_or_else(|| format!("{} is no finite number", shown(&text)))?;
        return Ok(Typed::literal(Value::F64(number)));
    }
    let places = digits.split_once('.').map(|(_, places)| places.len());
    let too_long = || {
        let allowed = format!("64 bits, at most {DECIMAL_SCALE_MAX} decimal places");
        format!(
            "{} is too long a number: {allowed}; write it with an exponent for f64",
            shown(&text)
        )
    };
    let scale = u8::try_from(places.unwrap_or(0)).ok().filter(|scale| *scale <= DECIMAL_SCALE_MAX);
    let scale = scale.ok_or_else(too_long)?;
    let unscaled = parse_decimal(&text, scale).ok_or_else(too_long)?.unscaled;
    Ok(Typed::literal(match places {
        None => Value::I64(unscaled),
        Some(_) => Value::Decimal(unscaled, scale),
    }))
}

/// `timestamp '…'`.
///
/// # Errors
/// A message that says what is allowed.
pub(super) fn typed(literal: &ast::TypedString) -> Result<Typed, String> {
    let text = match &literal.value.value {
        ast::Value::SingleQuotedString(text) => text,
        other => {
            return Err(format!("{} is not supported; {SUPPORTED}", shown(&other.to_string())));
        }
    };
    if !matches!(literal.data_type, ast::DataType::Timestamp(None, _)) {
        return Err(format!("{} is not supported; {SUPPORTED}", shown(&literal.to_string())));
    }
    let time = time::parse_timestamp(text).map_err(|error| error.to_string())?;
    Ok(Typed::literal(Value::Timestamp(time)))
}

/// `cast(inner as target)`: between numbers, rounding half to even, and from timestamp to milliseconds.
///
/// # Errors
/// A message that says what is allowed.
pub(super) fn cast(inner: Typed, target: &ast::DataType) -> Result<Typed, String> {
    const ALLOWED: &str =
        "a number can be cast to double, bigint or decimal(p, s) with s at most 18";
    let wanted = match target {
        ast::DataType::Double(_) | ast::DataType::DoublePrecision => Some(DataType::F64),
        ast::DataType::BigInt(None) => Some(DataType::I64),
        ast::DataType::Decimal(info) | ast::DataType::Numeric(info) => decimal(info),
        _ => None,
    };
    let wanted = wanted.ok_or_else(|| {
        format!("cast to {} is not possible; {ALLOWED}", shown(&target.to_string()))
    })?;
    let given = inner.data_type();
    let is_possible = inner.is_untyped_null
        || is_number(given)
        || (given == DataType::Timestamp && wanted == DataType::I64);
    if !is_possible {
        return Err(format!("cast from {given} to {wanted} is not possible; {ALLOWED}"));
    }
    // Who asks for another type by name gets it as the result too, also of a float field.
    Ok(Typed { is_float: false, ..inner.cast(wanted) })
}

/// `decimal(p, s)`. One number alone would be the precision in SQL and the scale here: refused.
fn decimal(info: &ast::ExactNumberInfo) -> Option<DataType> {
    let ast::ExactNumberInfo::PrecisionAndScale(precision, scale) = info else { return None };
    let scale = u8::try_from(*scale).ok().filter(|scale| *scale <= DECIMAL_SCALE_MAX)?;
    (u64::from(scale) <= *precision).then_some(DataType::Decimal(scale))
}
