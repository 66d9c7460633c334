//! Values that need nothing but integers and one rounding.

use aggregate::Overflow;
use model::{
    definition::{AggregateFunction, CusumSide},
    value::{DataType, Value},
};
use num_bigint::BigInt;

use super::{
    Answer, Counted, Span,
    rational::{decimal, quotient, root},
};

/// The value of `function` over all of `seen`, which are in the order of (time, id, value), as an `output`.
///
/// # Errors
/// [`Overflow`] where it does not fit.
pub(crate) fn plain(
    function: AggregateFunction,
    output: DataType,
    seen: &[Counted<'_>],
    span: &Span,
) -> Answer {
    use AggregateFunction as F;
    let Some(last) = seen.last() else {
        let is_zero = matches!(function, F::Count | F::Sum);
        return Ok(is_zero.then(|| number(0, 0, output).expect("0 fits")));
    };
    let of = |event: &Counted<'_>| Ok(Some(converted(&event.input.value, output)));
    let newest = |n: usize| seen.iter().rev().nth(n).map_or(Ok(None), of);
    match function {
        F::Count => number(count(seen), 0, output).map(Some),
        F::First => of(&seen[0]),
        F::Last => newest(0),
        F::Lag { n } => newest(n.into()),
        F::TimeSinceLast => Ok(Some(Value::I64(span.head - 1 - last.time))),
        F::Rate => {
            let start = if span.is_lifetime { seen[0].time } else { span.start };
            let per_second = quotient(&(count(seen) * 1000).into(), &(span.head - start).into());
            Ok(Some(Value::F64(per_second)))
        }
        F::Cusum { side, target, slack } => {
            cusum(seen, span.hop_ms, (side, target, slack), output).map(Some)
        }
        _ => of_numbers(function, output, seen),
    }
}

fn of_numbers(function: AggregateFunction, output: DataType, seen: &[Counted<'_>]) -> Answer {
    use AggregateFunction as F;
    let scale = unscaled(&seen[0].input.value).1;
    let numbers = || seen.iter().map(|event| unscaled(&event.input.value).0);
    let n = BigInt::from(seen.len());
    let unit = BigInt::from(10).pow(scale.into());
    let sum: i128 = numbers().map(i128::from).sum();
    let found = match function {
        F::Sum => return number(sum, scale, output).map(Some),
        F::Min => return number(numbers().min().expect("one").into(), scale, output).map(Some),
        F::Max => return number(numbers().max().expect("one").into(), scale, output).map(Some),
        F::Avg => quotient(&sum.into(), &(n * unit)),
        F::Variance | F::Stddev if seen.len() < 2 => return Ok(None),
        F::Variance | F::VariancePop | F::Stddev | F::StddevPop => {
            let spread = &n * squares(numbers()) - BigInt::from(sum).pow(2);
            let less = if matches!(function, F::Variance | F::Stddev) { 1 } else { 0 };
            let divisor = &n * (&n - less) * &unit * &unit;
            let is_root = matches!(function, F::Stddev | F::StddevPop);
            if is_root { root(&spread, &divisor) } else { quotient(&spread, &divisor) }
        }
        other => unreachable!("{other} is answered elsewhere"),
    };
    Ok(Some(Value::F64(found)))
}

/// The sum of squares; the greatest square has 126 bits, so that a part is carried over now and then.
fn squares(numbers: impl Iterator<Item = i64>) -> BigInt {
    let mut sum = BigInt::ZERO;
    let mut part = 0_u128;
    for number in numbers {
        let square = u128::from(number.unsigned_abs()).pow(2);
        part = part.checked_add(square).unwrap_or_else(|| {
            sum += part;
            square
        });
    }
    sum + part
}

fn cusum(
    seen: &[Counted<'_>],
    hop_ms: i64,
    (side, target, slack): (CusumSide, i64, i64),
    output: DataType,
) -> Result<Value, Overflow> {
    let (mut high, mut low) = (0_i128, 0_i128);
    let (target, slack) = (i128::from(target), i128::from(slack));
    let tile = |event: &Counted<'_>| event.time.div_euclid(hop_ms);
    for events in seen.chunk_by(|a, b| tile(a) == tile(b)) {
        let n = count(events);
        let sum: i128 = events.iter().map(|event| i128::from(unscaled(&event.input.value).0)).sum();
        high = 0.max(high + sum - n * (target + slack));
        low = 0.max(low + n * (target - slack) - sum);
    }
    let found = match side {
        CusumSide::Both => high.max(low),
        CusumSide::High => high,
        CusumSide::Low => low,
    };
    number(found, unscaled(&seen[0].input.value).1, output)
}

pub(crate) fn count(seen: &[Counted<'_>]) -> i128 {
    i128::try_from(seen.len()).expect("few")
}

/// The exact number that a value is, and its decimal places.
pub(crate) fn unscaled(value: &Value) -> (i64, u8) {
    match value {
        Value::I64(number) | Value::Timestamp(number) => (*number, 0),
        Value::Decimal(number, scale) => (*number, *scale),
        other => panic!("{other:?} is no exact number"),
    }
}

fn number(number: i128, scale: u8, output: DataType) -> Result<Value, Overflow> {
    if output == DataType::F64 {
        return Ok(Value::F64(decimal(number, scale)));
    }
    let number = i64::try_from(number).map_err(|_| Overflow)?;
    Ok(match output {
        DataType::Decimal(scale) => Value::Decimal(number, scale),
        DataType::Timestamp => Value::Timestamp(number),
        _ => Value::I64(number),
    })
}

/// A value as it was seen, or as a float where a float field led to it.
pub(crate) fn converted(value: &Value, output: DataType) -> Value {
    if output != DataType::F64 {
        return value.clone();
    }
    let (number, scale) = unscaled(value);
    Value::F64(decimal(number.into(), scale))
}
