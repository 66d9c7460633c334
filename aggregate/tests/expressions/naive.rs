//! What an expression means, read off its template: no plan, no casts made beforehand, one case after the other.

use std::cmp::Ordering;

use model::{
    time::{DAY_MS, HOUR_MS, format_timestamp},
    value::{DataType, Value},
};

use super::generate::{Shape, Term};

/// A value of which exact numbers have 128 bits.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Null,
    Bool(bool),
    Exact(i128, u8),
    Float(f64),
    Text(String),
    Time(i64),
}

/// There is no value; why is not this evaluator's business.
#[derive(Debug)]
pub(super) struct Fails;

type Outcome = Result<Found, Fails>;

/// The value of `term`, before it has to fit into its type.
pub(super) fn evaluate(term: &Term, inputs: &[Option<Value>]) -> Outcome {
    let (template, operands) = match &term.shape {
        Shape::Input(index) => return Ok(inputs[*index].as_ref().map_or(Found::Null, found)),
        Shape::Literal(_, value) => return Ok(found(value)),
        Shape::Apply(template, operands) => (*template, operands),
    };
    let value = |at: usize| evaluate(&operands[at], inputs);
    match template {
        "({0} and {1})" => decided(false, value(0)?, || value(1)),
        "({0} or {1})" => decided(true, value(0)?, || value(1)),
        "({0} is null)" => Ok(Found::Bool(value(0)? == Found::Null)),
        "({0} between {1} and {2})" => between(value),
        "({0} not between {1} and {2})" => Ok(not(between(value)?)),
        "({0} in ({1}, {2}))" => contained(value),
        "({0} not in ({1}, {2}))" => Ok(not(contained(value)?)),
        "case when {0} then {1} else {2} end" => {
            if value(0)? == Found::Bool(true) {
                value(1)
            } else {
                value(2)
            }
        }
        "case when {0} then {1} end" => {
            if value(0)? == Found::Bool(true) {
                value(1)
            } else {
                Ok(Found::Null)
            }
        }
        "coalesce({0}, {1})" => match value(0)? {
            Found::Null => value(1),
            found => Ok(found),
        },
        "nullif({0}, {1})" => match value(0)? {
            Found::Null => Ok(Found::Null),
            found => match value(1)? {
                Found::Null => Ok(found),
                other if order(&found, &other)? == Ordering::Equal => Ok(Found::Null),
                _ => Ok(found),
            },
        },
        "least({0}, {1})" => extreme(value(0)?, value(1)?, Ordering::Less),
        "greatest({0}, {1})" => extreme(value(0)?, value(1)?, Ordering::Greater),
        _ => {
            let values = (0..operands.len()).map(value).collect::<Result<Vec<_>, _>>()?;
            if !["({0} * {1})", "({0} / {1})"].contains(&template) {
                check_common_scale(operands, &values)?;
            }
            if values.contains(&Found::Null) {
                return Ok(Found::Null);
            }
            strict(template, term.data_type, &values)
        }
    }
}

/// Exact operands meet at the larger scale, and what does not fit there fails though the other one be null.
fn check_common_scale(operands: &[Term], values: &[Found]) -> Result<(), Fails> {
    let scales = operands.iter().map(|operand| match operand.data_type {
        DataType::Decimal(scale) => Some(scale),
        DataType::I64 => Some(0),
        _ => None,
    });
    let Some(common) = scales.collect::<Option<Vec<_>>>() else { return Ok(()) };
    let common = common.into_iter().max().unwrap_or(0);
    for value in values {
        if let Found::Exact(number, scale) = value {
            widened(*number, *scale, common)?;
        }
    }
    Ok(())
}

/// Operations on values none of which is null.
fn strict(template: &str, result: DataType, values: &[Found]) -> Outcome {
    match values {
        [one] => unary(template, result, one),
        [a, b] => match template {
            "({0} = {1})" => Ok(Found::Bool(order(a, b)? == Ordering::Equal)),
            "({0} <> {1})" => Ok(Found::Bool(order(a, b)? != Ordering::Equal)),
            "({0} < {1})" => Ok(Found::Bool(order(a, b)? == Ordering::Less)),
            "({0} >= {1})" => Ok(Found::Bool(order(a, b)? != Ordering::Less)),
            "({0} like {1})" => Ok(Found::Bool(like(text(a), text(b))?)),
            "({0} not like {1})" => Ok(Found::Bool(!like(text(a), text(b))?)),
            "({0} ilike {1})" => {
                Ok(Found::Bool(like(&text(a).to_ascii_lowercase(), &text(b).to_ascii_lowercase())?))
            }
            "starts_with({0}, {1})" => Ok(Found::Bool(text(a).find(text(b)) == Some(0))),
            _ => arithmetic(template, result, a, b),
        },
        _ => panic!("{template}"),
    }
}

fn arithmetic(template: &str, result: DataType, a: &Found, b: &Found) -> Outcome {
    if let (Found::Time(_), _) | (_, Found::Time(_)) = (a, b) {
        let number = |value: &Found| match value {
            Found::Time(time) => i128::from(*time),
            Found::Exact(number, 0) => *number,
            other => panic!("{other:?}"),
        };
        let sum = match template {
            "({0} + {1})" => number(a).checked_add(number(b)),
            _ => number(a).checked_sub(number(b)),
        };
        return match result {
            DataType::Timestamp => Ok(Found::Time(small(sum.ok_or(Fails)?)?)),
            _ => Ok(Found::Exact(sum.ok_or(Fails)?, 0)),
        };
    }
    if result == DataType::F64 {
        let (a, b) = (float(a), float(b));
        let result = match template {
            "({0} + {1})" => a + b,
            "({0} - {1})" => a - b,
            "({0} * {1})" => a * b,
            _ if b == 0.0 => return Err(Fails),
            _ => a / b,
        };
        return if result.is_finite() { Ok(Found::Float(result)) } else { Err(Fails) };
    }
    let (Found::Exact(a, scale_a), Found::Exact(b, scale_b)) = (a, b) else { panic!("{template}") };
    if template == "({0} * {1})" {
        return Ok(Found::Exact(a.checked_mul(*b).ok_or(Fails)?, scale_a + scale_b));
    }
    let scale = *scale_a.max(scale_b);
    let (a, b) = (widened(*a, *scale_a, scale)?, widened(*b, *scale_b, scale)?);
    let result = match template {
        "({0} + {1})" => a.checked_add(b),
        "({0} - {1})" => a.checked_sub(b),
        _ => a.checked_rem(b),
    };
    Ok(Found::Exact(result.ok_or(Fails)?, scale))
}

fn unary(template: &str, result: DataType, one: &Found) -> Outcome {
    let exact = |number: i128| match result {
        DataType::Decimal(scale) => Found::Exact(number, scale),
        _ => Found::Exact(number, 0),
    };
    let places = |wanted: u8| match *one {
        Found::Exact(number, scale) if scale <= wanted => {
            Ok(exact(widened(number, scale, wanted)?))
        }
        Found::Exact(number, scale) => {
            let unit = 10_i128.pow((scale - wanted).into());
            let away = (number.abs() + unit / 2) / unit;
            Ok(exact(away * number.signum()))
        }
        _ => panic!("{template}"),
    };
    match (template, one) {
        ("(not {0})", condition) => Ok(not(condition.clone())),
        ("(- {0})", Found::Float(float)) => Ok(Found::Float(-float)),
        ("(- {0})", Found::Exact(number, _)) => {
            Ok(exact(0_i128.checked_sub(*number).ok_or(Fails)?))
        }
        ("abs({0})", Found::Float(float)) => Ok(Found::Float(float.abs())),
        ("abs({0})", Found::Exact(number, _)) => Ok(exact(number.checked_abs().ok_or(Fails)?)),
        ("sign({0})", Found::Float(float)) if *float == 0.0 => Ok(exact(0)),
        ("sign({0})", Found::Float(float)) => Ok(exact(if *float < 0.0 { -1 } else { 1 })),
        ("sign({0})", Found::Exact(number, _)) => Ok(exact((*number).clamp(-1, 1))),
        ("sqrt({0})", number) if float(number) < 0.0 => Err(Fails),
        ("sqrt({0})", number) => Ok(Found::Float(float(number).sqrt())),
        ("floor({0})", Found::Float(float)) => Ok(Found::Float(float.floor())),
        ("ceil({0})", Found::Float(float)) => Ok(Found::Float(float.ceil())),
        ("round({0})", Found::Float(float)) => Ok(Found::Float(float.round_ties_even())),
        ("floor({0})", Found::Exact(number, scale)) => {
            Ok(exact(number.div_euclid(10_i128.pow((*scale).into()))))
        }
        ("ceil({0})", Found::Exact(number, scale)) => {
            Ok(exact(-(-number).div_euclid(10_i128.pow((*scale).into()))))
        }
        ("round({0})" | "round({0}, 0)", _) => places(0),
        ("round({0}, 2)", _) => places(2),
        ("round({0}, 4)", _) => places(4),
        ("cast({0} as double)", number) => Ok(Found::Float(float(number))),
        ("cast({0} as bigint)", Found::Exact(number, scale)) => {
            let unit = 10_i128.pow((*scale).into());
            let (down, rest) = (number.div_euclid(unit), number.rem_euclid(unit));
            let is_up = rest * 2 > unit || (rest * 2 == unit && down % 2 != 0);
            Ok(exact(if is_up { down + 1 } else { down }))
        }
        ("length({0})", Found::Text(text)) => {
            Ok(exact(i128::try_from(text.chars().count()).expect("short")))
        }
        (_, Found::Time(time)) => calendar(template, *time),
        _ => panic!("{template} of {one:?}"),
    }
}

/// Parts of a time by the way it is written.
fn calendar(template: &str, time: i64) -> Outcome {
    let text = format_timestamp(time);
    let parts: Vec<i64> = text
        .trim_start_matches('-')
        .split(['-', 'T', ':', '.', 'Z'])
        .filter_map(|part| part.parse().ok())
        .collect();
    let weekday = (time.div_euclid(DAY_MS) + 3).rem_euclid(7);
    let since = |days: i64| {
        let back = i128::from(days) * i128::from(DAY_MS) + i128::from(time.rem_euclid(DAY_MS));
        Ok(Found::Time(small(i128::from(time) - back)?))
    };
    match template {
        "extract(month from {0})" => Ok(Found::Exact(parts[1].into(), 0)),
        "extract(isodow from {0})" => Ok(Found::Exact((weekday + 1).into(), 0)),
        "date_part('second', {0})" => Ok(Found::Exact(parts[5].into(), 0)),
        "extract(epoch from {0})" => Ok(Found::Exact((time.div_euclid(1000)).into(), 0)),
        "date_trunc('month', {0})" => since(parts[2] - 1),
        "date_trunc('week', {0})" => since(weekday),
        "date_trunc('hour', {0})" => {
            Ok(Found::Time(small(i128::from(time) - i128::from(time.rem_euclid(HOUR_MS)))?))
        }
        _ => panic!("{template}"),
    }
}

/// `and` and `or`: `decisive` on either side is the result, else null is.
fn decided(decisive: bool, left: Found, right: impl FnOnce() -> Outcome) -> Outcome {
    if left == Found::Bool(decisive) {
        return Ok(left);
    }
    let right = right()?;
    let is_unknown = left == Found::Null && right != Found::Bool(decisive);
    Ok(if is_unknown { Found::Null } else { right })
}

fn between(value: impl Fn(usize) -> Outcome) -> Outcome {
    let side = |bound: usize, outside: Ordering| match (value(0)?, value(bound)?) {
        (Found::Null, _) | (_, Found::Null) => Ok(Found::Null),
        (value, bound) => Ok(Found::Bool(order(&value, &bound)? != outside)),
    };
    decided(false, side(1, Ordering::Less)?, || side(2, Ordering::Greater))
}

fn contained(value: impl Fn(usize) -> Outcome) -> Outcome {
    let wanted = value(0)?;
    if wanted == Found::Null {
        return Ok(Found::Null);
    }
    let mut otherwise = Found::Bool(false);
    for at in 1..=2 {
        match value(at)? {
            Found::Null => otherwise = Found::Null,
            item if order(&wanted, &item)? == Ordering::Equal => return Ok(Found::Bool(true)),
            _ => {}
        }
    }
    Ok(otherwise)
}

fn not(condition: Found) -> Found {
    if let Found::Bool(truth) = condition { Found::Bool(!truth) } else { condition }
}

fn extreme(a: Found, b: Found, side: Ordering) -> Outcome {
    match (&a, &b) {
        (Found::Null, _) => Ok(b),
        (_, Found::Null) => Ok(a),
        _ if order(&b, &a)? == side => Ok(b),
        _ => Ok(a),
    }
}

fn order(a: &Found, b: &Found) -> Result<Ordering, Fails> {
    match (a, b) {
        (Found::Bool(a), Found::Bool(b)) => Ok(a.cmp(b)),
        (Found::Text(a), Found::Text(b)) => Ok(a.as_bytes().cmp(b.as_bytes())),
        (Found::Time(a), Found::Time(b)) => Ok(a.cmp(b)),
        (Found::Exact(a, from), Found::Exact(b, to)) => {
            let scale = *from.max(to);
            Ok(widened(*a, *from, scale)?.cmp(&widened(*b, *to, scale)?))
        }
        _ => Ok(float(a).partial_cmp(&float(b)).expect("finite")),
    }
}

fn like(text: &str, pattern: &str) -> Result<bool, Fails> {
    let mut rest = pattern.chars();
    let Some(first) = rest.next() else { return Ok(text.is_empty()) };
    let mut after = text.chars();
    let next = after.next();
    match first {
        '%' => Ok(like(text, rest.as_str())? || (next.is_some() && like(after.as_str(), pattern)?)),
        '_' => Ok(next.is_some() && like(after.as_str(), rest.as_str())?),
        '\\' => {
            let literal = rest.next().ok_or(Fails)?;
            Ok(next == Some(literal) && like(after.as_str(), rest.as_str())?)
        }
        literal => Ok(next == Some(literal) && like(after.as_str(), rest.as_str())?),
    }
}

fn text(value: &Found) -> &str {
    let Found::Text(text) = value else { panic!("{value:?} is no string") };
    text
}

fn float(value: &Found) -> f64 {
    match value {
        Found::Float(float) => *float,
        Found::Exact(number, scale) => *number as f64 / 10_i128.pow((*scale).into()) as f64,
        other => panic!("{other:?} is no number"),
    }
}

fn widened(number: i128, from: u8, to: u8) -> Result<i128, Fails> {
    number.checked_mul(10_i128.pow((to - from).into())).ok_or(Fails)
}

fn small(number: i128) -> Result<i64, Fails> {
    i64::try_from(number).map_err(|_| Fails)
}

fn found(value: &Value) -> Found {
    match value {
        Value::Bool(value) => Found::Bool(*value),
        Value::I64(value) => Found::Exact((*value).into(), 0),
        Value::Decimal(value, scale) => Found::Exact((*value).into(), *scale),
        Value::F64(value) => Found::Float(*value),
        Value::String(value) => Found::Text(value.to_string()),
        Value::Timestamp(value) => Found::Time(*value),
        other => panic!("{other:?}"),
    }
}

/// `found` as a value of `data_type`, which exact numbers must fit into.
pub(super) fn stored(found: Found, data_type: DataType) -> Result<Option<Value>, Fails> {
    let value = match (found, data_type) {
        (Found::Null, _) => return Ok(None),
        (Found::Bool(value), _) => Value::Bool(value),
        (Found::Exact(number, scale), DataType::Decimal(wanted)) => {
            assert_eq!(scale, wanted);
            Value::Decimal(small(number)?, scale)
        }
        (Found::Exact(number, _), _) => Value::I64(small(number)?),
        (Found::Float(value), _) => Value::F64(value),
        (Found::Text(value), _) => Value::String(value.into()),
        (Found::Time(value), _) => Value::Timestamp(value),
    };
    Ok(Some(value))
}
