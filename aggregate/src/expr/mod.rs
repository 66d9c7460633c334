//! Evaluation of typed expressions: filters and inputs of aggregates, derived features of services.
//!
//! Exact numbers are computed in 128 bits and must fit into 64 at the end; floats must stay finite. The same inputs give
//! the same bits, everywhere: only IEEE operations that are correctly rounded are used, in functions too. Nothing is
//! allocated.
//!
//! Here is the tree; `call` evaluates functions, which stand in `math`, `date`, `text` and `geo`, and `domain` says what
//! they refuse. `scalar` is a value between two operations, `number` the exact arithmetic behind it.

mod call;
mod date;
mod domain;
mod geo;
mod math;
mod number;
mod scalar;
mod text;

use std::cmp::Ordering;

use model::{
    expr::{BinaryOperator, Expr, Node},
    value::{DataType, ValueRef},
};

pub use domain::DomainError;
pub use number::decimal_from_f64;
use scalar::Scalar;

/// Why an expression has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// An exact number beyond 64 bits at the end, or beyond 128 on the way.
    #[error("the result does not fit into {data_type}")]
    Overflow {
        /// The type of the operation's result.
        data_type: DataType,
    },
    /// `x / 0` or `x % 0`.
    #[error("division by zero; write x / nullif(y, 0) to get null instead")]
    DivisionByZero,
    /// A float that is infinite or not a number.
    #[error("a float is infinite or not a number")]
    NotFinite,
    /// A function that has no value for its argument.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// An input of another type than the expression was compiled for.
    #[error("input {index} is not a {expected}")]
    Input {
        /// Its index.
        index: usize,
        /// Its type in the expression.
        expected: DataType,
    },
    /// A plan that no compiler makes.
    #[error("the expression's plan is inconsistent")]
    Plan,
}

/// The value of `expr` for `inputs`, of type `expr.data_type`; `None` is null, for inputs too.
///
/// # Errors
/// [`EvalError`]: the value is an error then, never a guess.
pub fn evaluate<'a>(
    expr: &'a Expr,
    inputs: &[Option<ValueRef<'a>>],
) -> Result<Option<ValueRef<'a>>, EvalError> {
    match value(expr, inputs)? {
        Some(scalar) => scalar.write(expr.data_type).map(Some),
        None => Ok(None),
    }
}

type Nullable<'a> = Result<Option<Scalar<'a>>, EvalError>;
type Inputs<'i, 'a> = &'i [Option<ValueRef<'a>>];

fn value<'a>(expr: &'a Expr, inputs: Inputs<'_, 'a>) -> Nullable<'a> {
    match &expr.node {
        Node::Input(index) => input(*index, expr.data_type, inputs),
        Node::Literal(None) => Ok(None),
        Node::Literal(Some(literal)) => {
            Scalar::read(literal.borrow(), expr.data_type).map(Some).ok_or(EvalError::Plan)
        }
        Node::Cast(inner) => match value(inner, inputs)? {
            Some(scalar) => scalar.cast(inner.data_type, expr.data_type).map(Some),
            None => Ok(None),
        },
        Node::Negate(inner) => match value(inner, inputs)? {
            Some(Scalar::Float(number)) => Ok(Some(Scalar::Float(-number))),
            other => exact(expr, other, i128::checked_neg),
        },
        Node::Abs(inner) => match value(inner, inputs)? {
            Some(Scalar::Float(number)) => Ok(Some(Scalar::Float(number.abs()))),
            other => exact(expr, other, i128::checked_abs),
        },
        Node::Not(inner) => Ok(truth(inner, inputs)?.map(|truth| Scalar::Bool(!truth))),
        Node::IsNull(inner, expected) => {
            Ok(Some(Scalar::Bool(value(inner, inputs)?.is_none() == *expected)))
        }
        Node::Binary(operator, left, right) => binary(expr, *operator, left, right, inputs),
        Node::In(inner, list) => is_in(inner, list, inputs),
        Node::Case(arms, otherwise) => {
            for (condition, result) in arms {
                if truth(condition, inputs)? == Some(true) {
                    return value(result, inputs);
                }
            }
            otherwise.as_ref().map_or(Ok(None), |otherwise| value(otherwise, inputs))
        }
        Node::Coalesce(list) => {
            for candidate in list {
                if let Some(found) = value(candidate, inputs)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        Node::NullIf(left, right) => {
            let Some(left) = value(left, inputs)? else { return Ok(None) };
            let Some(right) = value(right, inputs)? else { return Ok(Some(left)) };
            Ok((left.compare(right)? != Ordering::Equal).then_some(left))
        }
        Node::Least(list) => extreme(list, Ordering::Less, inputs),
        Node::Greatest(list) => extreme(list, Ordering::Greater, inputs),
        Node::Call(function, arguments) => call::call(expr, *function, arguments, inputs),
    }
}

fn input<'a>(index: usize, expected: DataType, inputs: Inputs<'_, 'a>) -> Nullable<'a> {
    match inputs.get(index) {
        None => Err(EvalError::Input { index, expected }),
        Some(None) => Ok(None),
        Some(Some(given)) => match Scalar::read(*given, expected) {
            Some(Scalar::Float(number)) if !number.is_finite() => Err(EvalError::NotFinite),
            Some(scalar) => Ok(Some(scalar)),
            None => Err(EvalError::Input { index, expected }),
        },
    }
}

/// Applies `operation` to an exact number; null stays null.
fn exact<'a>(
    expr: &Expr,
    scalar: Option<Scalar<'a>>,
    operation: impl Fn(i128) -> Option<i128>,
) -> Nullable<'a> {
    match scalar {
        None => Ok(None),
        Some(Scalar::Exact(number)) => {
            let overflow = EvalError::Overflow { data_type: expr.data_type };
            operation(number).map(|number| Some(Scalar::Exact(number))).ok_or(overflow)
        }
        Some(_) => Err(EvalError::Plan),
    }
}

/// A condition: true, false or null.
fn truth<'a>(expr: &'a Expr, inputs: Inputs<'_, 'a>) -> Result<Option<bool>, EvalError> {
    match value(expr, inputs)? {
        None => Ok(None),
        Some(Scalar::Bool(truth)) => Ok(Some(truth)),
        Some(_) => Err(EvalError::Plan),
    }
}

fn binary<'a>(
    expr: &Expr,
    operator: BinaryOperator,
    left: &'a Expr,
    right: &'a Expr,
    inputs: Inputs<'_, 'a>,
) -> Nullable<'a> {
    // `false and x` is false and `true or x` is true, whatever x is: it is not evaluated.
    let decisive = match operator {
        BinaryOperator::And => Some(false),
        BinaryOperator::Or => Some(true),
        _ => None,
    };
    if let Some(decisive) = decisive {
        let left = truth(left, inputs)?;
        if left == Some(decisive) {
            return Ok(Some(Scalar::Bool(decisive)));
        }
        let right = truth(right, inputs)?;
        let both = if right == Some(decisive) { right } else { left.and(right) };
        return Ok(both.map(Scalar::Bool));
    }
    let (left, right) = (value(left, inputs)?, value(right, inputs)?);
    let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
    let scalar = match operator {
        BinaryOperator::Equal => Scalar::Bool(left.compare(right)?.is_eq()),
        BinaryOperator::NotEqual => Scalar::Bool(left.compare(right)?.is_ne()),
        BinaryOperator::Less => Scalar::Bool(left.compare(right)?.is_lt()),
        BinaryOperator::LessOrEqual => Scalar::Bool(left.compare(right)?.is_le()),
        BinaryOperator::Greater => Scalar::Bool(left.compare(right)?.is_gt()),
        BinaryOperator::GreaterOrEqual => Scalar::Bool(left.compare(right)?.is_ge()),
        _ => arithmetic(expr, operator, left, right)?,
    };
    Ok(Some(scalar))
}

fn arithmetic<'a>(
    expr: &Expr,
    operator: BinaryOperator,
    left: Scalar<'a>,
    right: Scalar<'a>,
) -> Result<Scalar<'a>, EvalError> {
    match (left, right) {
        (Scalar::Exact(left), Scalar::Exact(right)) => {
            let result = match operator {
                BinaryOperator::Add => left.checked_add(right),
                BinaryOperator::Subtract => left.checked_sub(right),
                BinaryOperator::Multiply => left.checked_mul(right),
                BinaryOperator::Modulo if right == 0 => return Err(EvalError::DivisionByZero),
                BinaryOperator::Modulo => left.checked_rem(right),
                _ => return Err(EvalError::Plan),
            };
            result.map(Scalar::Exact).ok_or(EvalError::Overflow { data_type: expr.data_type })
        }
        (Scalar::Float(left), Scalar::Float(right)) => {
            let result = match operator {
                BinaryOperator::Add => left + right,
                BinaryOperator::Subtract => left - right,
                BinaryOperator::Multiply => left * right,
                BinaryOperator::Divide if right == 0.0 => return Err(EvalError::DivisionByZero),
                BinaryOperator::Divide => left / right,
                _ => return Err(EvalError::Plan),
            };
            if result.is_finite() { Ok(Scalar::Float(result)) } else { Err(EvalError::NotFinite) }
        }
        (Scalar::Time(left), Scalar::Time(right)) if operator == BinaryOperator::Subtract => {
            Ok(Scalar::Exact(i128::from(left) - i128::from(right)))
        }
        (Scalar::Time(time), Scalar::Exact(ms)) | (Scalar::Exact(ms), Scalar::Time(time)) => {
            let moved = match operator {
                BinaryOperator::Add => i128::from(time).checked_add(ms),
                BinaryOperator::Subtract => i128::from(time).checked_sub(ms),
                _ => return Err(EvalError::Plan),
            };
            let moved = moved.and_then(|moved| i64::try_from(moved).ok());
            moved.map(Scalar::Time).ok_or(EvalError::Overflow { data_type: expr.data_type })
        }
        _ => Err(EvalError::Plan),
    }
}

/// `x in (…)`: null when x is null, or when nothing matches and the list has a null.
fn is_in<'a>(expr: &'a Expr, list: &'a [Expr], inputs: Inputs<'_, 'a>) -> Nullable<'a> {
    let Some(wanted) = value(expr, inputs)? else { return Ok(None) };
    let mut has_null = false;
    for candidate in list {
        match value(candidate, inputs)? {
            None => has_null = true,
            Some(candidate) if wanted.compare(candidate)?.is_eq() => {
                return Ok(Some(Scalar::Bool(true)));
            }
            Some(_) => {}
        }
    }
    Ok((!has_null).then_some(Scalar::Bool(false)))
}

/// The first of the values that are `side` of all others; nulls do not count.
fn extreme<'a>(list: &'a [Expr], side: Ordering, inputs: Inputs<'_, 'a>) -> Nullable<'a> {
    let mut best: Option<Scalar<'a>> = None;
    for candidate in list {
        let Some(candidate) = value(candidate, inputs)? else { continue };
        best = match best {
            Some(best) if candidate.compare(best)? != side => Some(best),
            _ => Some(candidate),
        };
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use model::{
        expr::Scope,
        value::{DataType, Value},
    };

    use super::*;

    /// a = 7, b = 2.50, c = 0.5 (f64), d = "de", n = null (i64), z = 0, t = 1000 ms, f = true, s = 1.5 (f32)
    fn result(text: &str) -> String {
        let values = [
            ("a", DataType::I64, Some(Value::I64(7))),
            ("b", DataType::Decimal(2), Some(Value::Decimal(250, 2))),
            ("c", DataType::F64, Some(Value::F64(0.5))),
            ("d", DataType::String, Some(Value::String("de".into()))),
            ("n", DataType::I64, None),
            ("z", DataType::I64, Some(Value::I64(0))),
            ("t", DataType::Timestamp, Some(Value::Timestamp(1000))),
            ("f", DataType::Bool, Some(Value::Bool(true))),
            ("s", DataType::F32, Some(Value::F32(1.5))),
            ("big", DataType::I64, Some(Value::I64(i64::MAX))),
        ];
        let mut scope = Scope::new();
        for (name, data_type, _) in &values {
            scope.declare(&[name], *data_type);
        }
        let expr = Expr::compile(text, &scope).expect(text);
        let inputs: Vec<_> =
            values.iter().map(|(_, _, value)| value.as_ref().map(Value::borrow)).collect();
        match evaluate(&expr, &inputs) {
            Ok(None) => "null".to_owned(),
            Ok(Some(value)) => {
                assert_eq!(value.data_type(), expr.data_type, "{text}");
                format!("{} {}", expr.data_type, value.to_owned())
            }
            Err(error) => error.to_string(),
        }
    }

    fn check(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(result(text), *expected, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact() {
        check(&[
            ("0.1 + 0.2", "decimal(1) 0.3"),
            ("0.1 + 0.2 = 0.3", "bool true"),
            ("0.10 + 0.2", "decimal(2) 0.30"),
            ("b * b", "decimal(4) 6.2500"),
            ("b * a", "decimal(2) 17.50"),
            ("a + b", "decimal(2) 9.50"),
            ("a * 3 - 1", "i64 20"),
            ("-b", "decimal(2) -2.50"),
            ("abs(-b - 0.005)", "decimal(3) 2.505"),
            ("a % 4", "i64 3"),
            ("-a % 4", "i64 -3"),
            ("b % 1", "decimal(2) 0.50"),
            ("b > 2.499999999999999999", "bool true"),
            ("big - 0.5 < big", "bool true"),
        ]);
    }

    #[test]
    fn division_and_floats_give_f64() {
        check(&[
            ("a / 2", "f64 3.5"),
            ("b / 2", "f64 1.25"),
            ("1 / 3", "f64 0.3333333333333333"),
            ("c + a", "f64 7.5"),
            ("s * 2", "f64 3"),
            ("a + 1e1", "f64 17"),
            ("c < b", "bool true"),
            ("greatest(a, c)", "f64 7"),
        ]);
    }

    #[test]
    fn casts_round_half_to_even() {
        check(&[
            ("cast(b as bigint)", "i64 2"),
            ("cast(b + 1 as bigint)", "i64 4"),
            ("cast(c as decimal(18, 0))", "decimal(0) 0"),
            ("cast(c + 1 as bigint)", "i64 2"),
            ("cast(b as double)", "f64 2.5"),
            ("cast(a as decimal(18, 3))", "decimal(3) 7.000"),
            ("cast(t as bigint)", "i64 1000"),
            ("cast(0.125 as decimal(5, 2))", "decimal(2) 0.12"),
        ]);
    }

    #[test]
    fn nulls_follow_sql() {
        check(&[
            ("n + 1", "null"),
            ("n = n", "null"),
            ("n is null", "bool true"),
            ("a is not null", "bool true"),
            ("n = 1 and false", "bool false"),
            ("false and n = 1", "bool false"),
            ("n = 1 and true", "null"),
            ("n = 1 or true", "bool true"),
            ("n = 1 or false", "null"),
            ("not (n = 1)", "null"),
            ("a in (1, 7, n)", "bool true"),
            ("a in (1, n)", "null"),
            ("a not in (1, n)", "null"),
            ("a not in (1, 2)", "bool true"),
            ("n in (1)", "null"),
            ("null in (1)", "null"),
            ("a between 1 and n", "null"),
            ("a between 8 and n", "bool false"),
            ("coalesce(n, z, 5)", "i64 0"),
            ("coalesce(n, b)", "decimal(2) 2.50"),
            ("nullif(z, 0)", "null"),
            ("nullif(n, 0)", "null"),
            ("nullif(a, n)", "i64 7"),
            ("least(n, a, b)", "decimal(2) 2.50"),
            ("greatest(n, null)", "null"),
            ("case when n = 1 then 1 end", "null"),
            ("case n when null then 1 else 2 end", "i64 2"),
            ("cast(null as double)", "null"),
        ]);
    }

    #[test]
    fn conditions_choose() {
        check(&[
            ("case when a > 5 then 'high' else 'low' end", "string high"),
            ("case a when 7 then b else 0 end", "decimal(2) 2.50"),
            ("d = 'de' and f", "bool true"),
            ("d in ('fr', 'de')", "bool true"),
            ("a not between 1 and 7", "bool false"),
            ("t < timestamp '1970-01-01T00:00:02Z'", "bool true"),
            ("d < 'df' or not f", "bool true"),
        ]);
    }

    #[test]
    fn what_is_not_needed_is_not_evaluated() {
        check(&[
            ("z <> 0 and a / z > 1", "bool false"),
            ("case when z = 0 then 0 else a / z end", "f64 0"),
            ("coalesce(a, a % z)", "i64 7"),
            ("a / nullif(z, 0)", "null"),
        ]);
    }

    #[test]
    fn failures_are_errors_and_never_values() {
        check(&[
            ("a / z", "division by zero; write x / nullif(y, 0) to get null instead"),
            ("a % z", "division by zero; write x / nullif(y, 0) to get null instead"),
            ("big + 1", "the result does not fit into i64"),
            ("big + 1 - 1", "i64 9223372036854775807"),
            ("big * big * big", "the result does not fit into i64"),
            ("cast(1e30 as bigint)", "the result does not fit into i64"),
            ("cast(big as decimal(18, 2))", "the result does not fit into decimal(2)"),
            ("1e308 * 10", "a float is infinite or not a number"),
        ]);
    }

    #[test]
    fn inputs_of_another_type_are_refused() {
        let mut scope = Scope::new();
        scope.declare(&["x"], DataType::F64);
        let expr = Expr::compile("x + 1", &scope).expect("compiles");
        let run = |value| evaluate(&expr, &[Some(value)]).map(|_| ());
        assert_eq!(run(ValueRef::F64(f64::NAN)), Err(EvalError::NotFinite));
        let wrong = EvalError::Input { index: 0, expected: DataType::F64 };
        assert_eq!(run(ValueRef::I64(1)), Err(wrong));
        assert_eq!(evaluate(&expr, &[]).map(|_| ()), Err(wrong));
    }
}
