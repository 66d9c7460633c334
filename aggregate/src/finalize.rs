//! Finalize: from the partial of a window to its value, rounded at most once, from the exact rational.

use model::{
    definition::AggregateFunction,
    value::{DataType, ValueRef},
};

use crate::{
    Overflow,
    partial::{Edge, EdgeValue, Edges, Numbers},
    plan::{Output, ordered},
    summary::SummaryState,
    wide::{Wide, ratio, root_of_ratio},
};

/// What a window saw of one cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'f, 'a> {
    pub(crate) numbers: &'f Numbers,
    pub(crate) edges: Option<&'f Edges<'a>>,
    pub(crate) summary: Option<&'f SummaryState<'a>>,
    /// Where the window starts, in ms; for `all`, the oldest event.
    pub(crate) start: i64,
    /// Where it ends.
    pub(crate) head: i64,
}

/// The value of `output` for a window; `None` is null. `text` is memory for values that are made of several. Distinct counts
/// and cumulative sums are not made here.
///
/// # Errors
/// [`Overflow`] of a sum.
pub(crate) fn finalize<'t>(
    output: &Output,
    found: &Found<'_, 't>,
    text: &'t mut String,
) -> Result<Option<ValueRef<'t>>, Overflow> {
    use AggregateFunction as F;
    let (numbers, count) = (found.numbers, found.numbers.count);
    if count == 0 && !matches!(output.function, F::Count | F::Sum) || count == 0 && output.by.is_some() {
        return Ok(None);
    }
    if let Some(summary) = found.summary {
        return Ok(summary.finalize(output, found, text));
    }
    match output.function {
        F::First => Ok(found.edges.and_then(|edges| edge(output, edges.first?))),
        F::Last => Ok(found.edges.and_then(|edges| edge(output, edges.last?))),
        F::TimeSinceLast => {
            Ok(Some(ValueRef::I64(found.head.saturating_sub(1).saturating_sub(numbers.newest))))
        }
        F::Rate => Ok(Some(ValueRef::F64(rate(count, found)))),
        _ => of_numbers(output, numbers),
    }
}

/// The value of an aggregate that numbers hold, of any count.
///
/// # Errors
/// [`Overflow`] of a sum.
pub(crate) fn of_numbers(
    output: &Output,
    numbers: &Numbers,
) -> Result<Option<ValueRef<'static>>, Overflow> {
    use AggregateFunction as F;
    let count = numbers.count;
    let some = |condition: bool, value: fn(&Output, &Numbers) -> f64| {
        Ok(condition.then(|| ValueRef::F64(value(output, numbers))))
    };
    let exact = |number| exact(output.element, output.input, number).map(Some);
    match output.function {
        F::Count => Ok(Some(ValueRef::I64(i64::try_from(count).unwrap_or(i64::MAX)))),
        F::Sum => exact(numbers.sum),
        F::Min if count > 0 => exact(numbers.min.into()),
        F::Max if count > 0 => exact(numbers.max.into()),
        F::Avg => some(count > 0, average),
        F::Variance => some(count > 1, |output, numbers| deviation(output, numbers, 1, ratio)),
        F::VariancePop => some(count > 0, |output, numbers| deviation(output, numbers, 0, ratio)),
        F::Stddev => {
            some(count > 1, |output, numbers| deviation(output, numbers, 1, root_of_ratio))
        }
        F::StddevPop => {
            some(count > 0, |output, numbers| deviation(output, numbers, 0, root_of_ratio))
        }
        _ => Ok(None),
    }
}

/// Events per second. Neither factor passes 2^64: counts are far below 2^54.
fn rate(count: u64, found: &Found<'_, '_>) -> f64 {
    let span = found.head.saturating_sub(found.start).max(1);
    let events = u128::from(count) * 1000;
    ratio(&Wide::from(events), &Wide::from(u128::from(span.unsigned_abs())))
}

/// 10^scale of the input.
pub(crate) fn unit(input: DataType) -> u128 {
    match input {
        DataType::Decimal(scale) => 10_u128.pow(scale.into()),
        _ => 1,
    }
}

/// An exact number of the type of an input as a value of `wanted`, which is that type or f64.
///
/// # Errors
/// [`Overflow`] when it does not fit.
pub(crate) fn exact(
    wanted: DataType,
    input: DataType,
    number: i128,
) -> Result<ValueRef<'static>, Overflow> {
    if wanted == DataType::F64 {
        return Ok(ValueRef::F64(signed_ratio(number, &Wide::from(unit(input)))));
    }
    let number = i64::try_from(number).map_err(|_| Overflow)?;
    Ok(match wanted {
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
    let denominator = Wide::from(u128::from(numbers.count)).times(&Wide::from(unit(output.input)));
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
    let unit = unit(output.input);
    let denominator = Wide::from(n * (n - less)).times(&Wide::from(unit * unit));
    round(&numerator, &denominator)
}

/// The value of an edge, one of an output's elements.
pub(crate) fn edge<'a>(output: &Output, edge: Edge<'a>) -> Option<ValueRef<'a>> {
    match edge.value {
        // A single i64 always fits.
        EdgeValue::Number(number) => exact(output.element, output.input, number.into()).ok(),
        EdgeValue::Packed(bytes) => ordered::value(bytes, output.input),
    }
}
