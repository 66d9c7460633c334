//! Finalize: from the partial of a window to its value, rounded at most once, from the exact rational.

use model::{
    definition::AggregateFunction,
    value::{DataType, ValueRef},
};

use crate::{
    Overflow, Word,
    partial::{Edge, EdgeValue, Edges, Numbers},
    plan::{Output, ordered},
    summary::SummaryState,
    wide::{Wide, ratio, ratio_u128, root_of_ratio, root_of_ratio_u128},
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
#[inline]
pub(crate) fn finalize<'t>(
    output: &Output,
    found: &Found<'_, 't>,
    text: &'t mut String,
) -> Result<Option<ValueRef<'t>>, Overflow> {
    use AggregateFunction as F;
    let (numbers, count) = (found.numbers, found.numbers.count);
    let is_zero_of_none = matches!(output.function, F::Count | F::Sum) && output.by.is_none();
    if count == 0 && !is_zero_of_none {
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
#[inline]
pub(crate) fn of_numbers(
    output: &Output,
    numbers: &Numbers,
) -> Result<Option<ValueRef<'static>>, Overflow> {
    use AggregateFunction as F;
    let count = numbers.count;
    let deviation = |less: u64, is_root: bool| {
        let deviation = || ValueRef::F64(deviation(output, numbers, less, is_root));
        Ok((count > less).then(deviation))
    };
    let exact = |number| exact(output.element, output.input, number).map(Some);
    match output.function {
        F::Count => Ok(Some(ValueRef::I64(i64::try_from(count).unwrap_or(i64::MAX)))),
        F::Sum => exact(numbers.sum),
        F::Min if count > 0 => exact(numbers.min.into()),
        F::Max if count > 0 => exact(numbers.max.into()),
        F::Avg => Ok((count > 0).then(|| ValueRef::F64(average(output, numbers)))),
        F::Variance => deviation(1, false),
        F::VariancePop => deviation(0, false),
        F::Stddev => deviation(1, true),
        F::StddevPop => deviation(0, true),
        _ => Ok(None),
    }
}

/// How a value of eight bytes is made of the numbers of one cell, decided once for each column of a selection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Recipe {
    /// The count.
    Count,
    /// One of the numbers.
    Exact(Source, Form),
    /// By [`finalize`].
    Finalized,
}

/// Which of the numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    Sum,
    Min,
    Max,
}

/// How an exact number of the type of an input becomes a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// As it is.
    Whole,
    /// As the nearest f64 to its quotient by this.
    Quotient(u64),
}

impl Recipe {
    /// `None` where values are not of eight bytes.
    pub(crate) fn of(output: &Output) -> Option<Self> {
        use AggregateFunction as F;
        use DataType as T;
        if !matches!(output.element, T::I64 | T::F64 | T::Timestamp | T::Decimal(_)) {
            return None;
        }
        let form = Form::of(output.element, output.input);
        Some(match output.function {
            F::Count => Self::Count,
            F::Sum => Self::Exact(Source::Sum, form),
            F::Min => Self::Exact(Source::Min, form),
            F::Max => Self::Exact(Source::Max, form),
            _ => Self::Finalized,
        })
    }

    /// The value, as [`finalize`] gives it; `None` where only that does.
    #[inline]
    pub(crate) fn word(self, numbers: &Numbers) -> Option<Word> {
        let word = match self {
            Self::Count => Ok(i64::try_from(numbers.count).unwrap_or(i64::MAX).to_le_bytes()),
            Self::Exact(Source::Sum, form) => form.word(numbers.sum),
            Self::Exact(..) if numbers.count == 0 => return Some(Ok(None)),
            Self::Exact(Source::Min, form) => form.word(numbers.min.into()),
            Self::Exact(Source::Max, form) => form.word(numbers.max.into()),
            Self::Finalized => return None,
        };
        Some(word.map(Some))
    }
}

impl Form {
    /// Of `wanted`, which is the type of the input or f64.
    #[inline]
    fn of(wanted: DataType, input: DataType) -> Self {
        if wanted != DataType::F64 {
            return Self::Whole;
        }
        Self::Quotient(u64::try_from(unit(input)).unwrap_or(u64::MAX))
    }

    #[inline]
    fn word(self, number: i128) -> Result<[u8; 8], Overflow> {
        match self {
            Self::Whole => i64::try_from(number).map(i64::to_le_bytes).map_err(|_| Overflow),
            Self::Quotient(unit) => Ok(signed_ratio(number, unit.into()).to_le_bytes()),
        }
    }
}

/// Events per second. Neither factor passes 2^64: counts are far below 2^54.
fn rate(count: u64, found: &Found<'_, '_>) -> f64 {
    let span = found.head.saturating_sub(found.start).max(1);
    let events = u128::from(count) * 1000;
    ratio_u128(events, span.unsigned_abs().into())
}

/// 10^scale of the input.
#[inline]
pub(crate) fn unit(input: DataType) -> u128 {
    match input {
        DataType::Decimal(scale) => {
            let power = POWERS.get(usize::from(scale));
            power.map_or_else(|| 10_u128.pow(scale.into()), |power| u128::from(*power))
        }
        _ => 1,
    }
}

/// 10^0, 10^1, …: scales go to 18, and no product has to be made for each value.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut scale = 1;
    while scale < powers.len() {
        powers[scale] = powers[scale - 1] * 10;
        scale += 1;
    }
    powers
};

/// An exact number of the type of an input as a value of `wanted`, which is that type or f64.
///
/// # Errors
/// [`Overflow`] when it does not fit.
#[inline]
pub(crate) fn exact(
    wanted: DataType,
    input: DataType,
    number: i128,
) -> Result<ValueRef<'static>, Overflow> {
    if wanted == DataType::F64 {
        return Ok(ValueRef::F64(signed_ratio(number, unit(input))));
    }
    let number = i64::try_from(number).map_err(|_| Overflow)?;
    Ok(match wanted {
        DataType::Decimal(scale) => ValueRef::Decimal(number, scale),
        DataType::Timestamp => ValueRef::Timestamp(number),
        _ => ValueRef::I64(number),
    })
}

#[inline]
fn signed_ratio(numerator: i128, denominator: u128) -> f64 {
    let magnitude = ratio_u128(numerator.unsigned_abs(), denominator);
    if numerator < 0 { -magnitude } else { magnitude }
}

/// Below 2^64 · 10^18: it fits.
#[inline]
fn average(output: &Output, numbers: &Numbers) -> f64 {
    signed_ratio(numbers.sum, u128::from(numbers.count) * unit(output.input))
}

/// `(n·Σv² − (Σv)²) / (n·(n − less)·10^2s)`, correctly rounded: the quotient, or its root.
fn deviation(output: &Output, numbers: &Numbers, less: u64, is_root: bool) -> f64 {
    let unit = unit(output.input);
    let short = deviation_u64(numbers, less, unit);
    let (n, less) = (u128::from(numbers.count), u128::from(less));
    let parts = short.or_else(|| deviation_u128(numbers, n, (n - less, unit)));
    if let Some((numerator, denominator)) = parts {
        let round = if is_root { root_of_ratio_u128 } else { ratio_u128 };
        return round(numerator, denominator);
    }
    let sum = Wide::from(numbers.sum.unsigned_abs());
    let numerator = Wide::from(n).times(&numbers.squares.wide()).minus(&sum.times(&sum));
    let denominator = Wide::from(n * (n - less)).times(&Wide::from(unit * unit));
    let round = if is_root { root_of_ratio } else { ratio };
    round(&numerator, &denominator)
}

/// Numerator and denominator, when every factor fits into 64 bits: their products then need no check.
#[inline]
fn deviation_u64(numbers: &Numbers, less: u64, unit: u128) -> Option<(u128, u128)> {
    let squares = u64::try_from(numbers.squares.low).ok()?;
    let sum = u64::try_from(numbers.sum.unsigned_abs()).ok()?;
    let unit = u64::try_from(unit * unit).ok()?;
    let pairs = numbers.count.checked_mul(numbers.count - less)?;
    if numbers.squares.high != 0 {
        return None;
    }
    let square = u128::from(sum) * u128::from(sum);
    let numerator = (u128::from(numbers.count) * u128::from(squares)).checked_sub(square)?;
    Some((numerator, u128::from(pairs) * u128::from(unit)))
}

/// Numerator and denominator, when all of it fits into 128 bits, as it mostly does.
fn deviation_u128(numbers: &Numbers, n: u128, (rest, unit): (u128, u128)) -> Option<(u128, u128)> {
    let sum = numbers.sum.unsigned_abs();
    let squares = Some(numbers.squares.low).filter(|_| numbers.squares.high == 0)?;
    let numerator = n.checked_mul(squares)?.checked_sub(sum.checked_mul(sum)?)?;
    let denominator = (n * rest).checked_mul(unit.checked_mul(unit)?)?;
    Some((numerator, denominator))
}

/// The value of an edge, one of an output's elements.
pub(crate) fn edge<'a>(output: &Output, edge: Edge<'a>) -> Option<ValueRef<'a>> {
    match edge.value {
        // A single i64 always fits.
        EdgeValue::Number(number) => exact(output.element, output.input, number.into()).ok(),
        EdgeValue::Packed(bytes) => ordered::value(bytes, output.input),
    }
}
