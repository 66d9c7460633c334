//! Calls of functions: arguments first, null when one of them is, then the function itself.

use model::{
    expr::{Expr, Function},
    value::DataType,
};

use super::{
    EvalError, Inputs, Nullable, date, geo,
    math::{self, Rounding},
    scalar::{Scalar, scale_of},
    text, value,
};

/// The value of `function(arguments)`, whose type is `expr`'s.
pub(super) fn call<'a>(
    expr: &Expr,
    function: Function,
    arguments: &'a [Expr],
    inputs: Inputs<'_, 'a>,
) -> Nullable<'a> {
    let result = match function {
        Function::Power => {
            let Some([x, y]) = evaluated(arguments, inputs)? else { return Ok(None) };
            Scalar::Float(math::power(x.float()?, y.float()?)?)
        }
        Function::Like { ignores_case } => {
            let Some([text, pattern]) = evaluated(arguments, inputs)? else { return Ok(None) };
            Scalar::Bool(text::like(text.text()?, pattern.text()?, ignores_case)?)
        }
        Function::StartsWith => {
            let Some([text, prefix]) = evaluated(arguments, inputs)? else { return Ok(None) };
            Scalar::Bool(text.text()?.starts_with(prefix.text()?))
        }
        Function::Haversine => {
            let Some([a, b, c, d]) = evaluated(arguments, inputs)? else { return Ok(None) };
            Scalar::Float(geo::haversine([a.float()?, b.float()?, c.float()?, d.float()?])?)
        }
        _ => {
            let Some([x]) = evaluated(arguments, inputs)? else { return Ok(None) };
            let given = arguments.first().map_or(expr.data_type, |argument| argument.data_type);
            one(function, x, given, expr.data_type)?
        }
    };
    Ok(Some(result))
}

/// A function of one argument `x` of type `given`.
fn one<'a>(
    function: Function,
    x: Scalar<'a>,
    given: DataType,
    result: DataType,
) -> Result<Scalar<'a>, EvalError> {
    let overflow = EvalError::Overflow { data_type: result };
    let rounded = |number: i128, rounding| {
        let (from, to) = scale_of(given).zip(scale_of(result)).ok_or(EvalError::Plan)?;
        math::round(number, from, to, rounding).map(Scalar::Exact).ok_or(overflow)
    };
    match (function, x) {
        (Function::Ln, Scalar::Float(x)) => Ok(Scalar::Float(math::ln(x)?)),
        (Function::Exp, Scalar::Float(x)) => Ok(Scalar::Float(math::exp(x)?)),
        (Function::Sqrt, Scalar::Float(x)) => Ok(Scalar::Float(math::sqrt(x)?)),
        (Function::Round, Scalar::Float(x)) => Ok(Scalar::Float(x.round_ties_even())),
        (Function::Floor, Scalar::Float(x)) => Ok(Scalar::Float(x.floor())),
        (Function::Ceil, Scalar::Float(x)) => Ok(Scalar::Float(x.ceil())),
        (Function::Sign, Scalar::Float(x)) => Ok(Scalar::Exact(math::sign(x))),
        (Function::Round, Scalar::Exact(x)) => rounded(x, Rounding::HalfAwayFromZero),
        (Function::Floor, Scalar::Exact(x)) => rounded(x, Rounding::Down),
        (Function::Ceil, Scalar::Exact(x)) => rounded(x, Rounding::Up),
        (Function::Sign, Scalar::Exact(x)) => Ok(Scalar::Exact(x.signum())),
        (Function::Extract(part), Scalar::Time(time)) => {
            Ok(Scalar::Exact(date::extract(part, time).into()))
        }
        (Function::DateTrunc(part), Scalar::Time(time)) => {
            date::truncate(part, time).map(Scalar::Time).ok_or(overflow)
        }
        (Function::Length, Scalar::Text(text)) => counted(text.chars().count()),
        (Function::Length, Scalar::Bytes(bytes)) => counted(bytes.len()),
        _ => Err(EvalError::Plan),
    }
}

fn counted<'a>(count: usize) -> Result<Scalar<'a>, EvalError> {
    i128::try_from(count).map(Scalar::Exact).map_err(|_| EvalError::Plan)
}

/// All arguments, each evaluated; `None` when one is null.
fn evaluated<'a, const N: usize>(
    arguments: &'a [Expr],
    inputs: Inputs<'_, 'a>,
) -> Result<Option<[Scalar<'a>; N]>, EvalError> {
    let arguments: &[Expr; N] = arguments.try_into().map_err(|_| EvalError::Plan)?;
    let mut found = [Scalar::Bool(false); N];
    let mut is_null = false;
    for (argument, place) in arguments.iter().zip(&mut found) {
        match value(argument, inputs)? {
            Some(scalar) => *place = scalar,
            None => is_null = true,
        }
    }
    Ok((!is_null).then_some(found))
}
