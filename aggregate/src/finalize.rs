//! Finalize: from the partial of a window to its value, rounded at most once, from the exact rational.

use model::{
    definition::AggregateFunction,
    packed,
    value::{DataType, ValueRef},
};

use crate::{
    Overflow,
    partial::{Edge, EdgeValue, Edges, Numbers},
    plan::Output,
    wide::{Wide, ratio, root_of_ratio},
};

/// The value of `output` for a window; `None` is null. Distinct counts are not made here.
///
/// # Errors
/// [`Overflow`] of a sum.
pub(crate) fn finalize<'a>(
    output: &Output,
    numbers: &Numbers,
    edges: Option<&Edges<'a>>,
) -> Result<Option<ValueRef<'a>>, Overflow> {
    use AggregateFunction as F;
    let count = numbers.count;
    let some = |condition: bool, value: fn(&Output, &Numbers) -> f64| {
        Ok(condition.then(|| ValueRef::F64(value(output, numbers))))
    };
    match output.function {
        F::Count => Ok(Some(ValueRef::I64(i64::try_from(count).unwrap_or(i64::MAX)))),
        F::Sum => exact(output, numbers.sum).map(Some),
        F::Min if count > 0 => exact(output, numbers.min.into()).map(Some),
        F::Max if count > 0 => exact(output, numbers.max.into()).map(Some),
        F::Avg => some(count > 0, average),
        F::Variance => some(count > 1, |output, numbers| deviation(output, numbers, 1, ratio)),
        F::VariancePop => some(count > 0, |output, numbers| deviation(output, numbers, 0, ratio)),
        F::Stddev => {
            some(count > 1, |output, numbers| deviation(output, numbers, 1, root_of_ratio))
        }
        F::StddevPop => {
            some(count > 0, |output, numbers| deviation(output, numbers, 0, root_of_ratio))
        }
        F::First => Ok(edges.and_then(|edges| edge(output, edges.first?))),
        F::Last => Ok(edges.and_then(|edges| edge(output, edges.last?))),
        _ => Ok(None),
    }
}

/// 10^scale of the input.
fn unit(output: &Output) -> u128 {
    match output.input {
        DataType::Decimal(scale) => 10_u128.pow(scale.into()),
        _ => 1,
    }
}

/// An exact number of the input's scale as the output's type.
fn exact(output: &Output, number: i128) -> Result<ValueRef<'static>, Overflow> {
    if output.data_type == DataType::F64 {
        return Ok(ValueRef::F64(signed_ratio(number, &Wide::from(unit(output)))));
    }
    let number = i64::try_from(number).map_err(|_| Overflow)?;
    Ok(match output.data_type {
        DataType::Decimal(scale) => ValueRef::Decimal(number, scale),
        DataType::Timestamp => ValueRef::Timestamp(number),
        _ => ValueRef::I64(number),
    })
}

fn signed_ratio(numerator: i128, denominator: &Wide) -> f64 {
    let magnitude = ratio(&Wide::from(numerator.unsigned_abs()), denominator);
    if numerator < 0 { -magnitude } else { magnitude }
}

fn average(output: &Output, numbers: &Numbers) -> f64 {
    let denominator = Wide::from(u128::from(numbers.count)).times(&Wide::from(unit(output)));
    signed_ratio(numbers.sum, &denominator)
}

/// `(n·Σv² − (Σv)²) / (n·(n − less)·10^2s)`, rounded by `round`.
fn deviation(
    output: &Output,
    numbers: &Numbers,
    less: u128,
    round: fn(&Wide, &Wide) -> f64,
) -> f64 {
    let n = u128::from(numbers.count);
    let sum = Wide::from(numbers.sum.unsigned_abs());
    let numerator = Wide::from(n).times(&numbers.squares.wide()).minus(&sum.times(&sum));
    let unit = unit(output);
    let denominator = Wide::from(n * (n - less)).times(&Wide::from(unit * unit));
    round(&numerator, &denominator)
}

fn edge<'a>(output: &Output, edge: Edge<'a>) -> Option<ValueRef<'a>> {
    match edge.value {
        // A single i64 always fits.
        EdgeValue::Number(number) => exact(output, number.into()).ok(),
        EdgeValue::Packed(bytes) => packed::decode(bytes, output.data_type).ok(),
    }
}
