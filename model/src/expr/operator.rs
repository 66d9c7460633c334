//! Operators of two operands: the types they take and give.

use sqlparser::ast;

use super::{
    BinaryOperator, Node,
    typed::{Typed, common, is_number, scale_of},
};
use crate::{limits::DECIMAL_SCALE_MAX, value::DataType};

/// The operator of the syntax tree, if it is supported.
pub(super) fn of(operator: &ast::BinaryOperator) -> Option<BinaryOperator> {
    let found = match operator {
        ast::BinaryOperator::Plus => BinaryOperator::Add,
        ast::BinaryOperator::Minus => BinaryOperator::Subtract,
        ast::BinaryOperator::Multiply => BinaryOperator::Multiply,
        ast::BinaryOperator::Divide => BinaryOperator::Divide,
        ast::BinaryOperator::Modulo => BinaryOperator::Modulo,
        ast::BinaryOperator::Eq => BinaryOperator::Equal,
        ast::BinaryOperator::NotEq => BinaryOperator::NotEqual,
        ast::BinaryOperator::Lt => BinaryOperator::Less,
        ast::BinaryOperator::LtEq => BinaryOperator::LessOrEqual,
        ast::BinaryOperator::Gt => BinaryOperator::Greater,
        ast::BinaryOperator::GtEq => BinaryOperator::GreaterOrEqual,
        ast::BinaryOperator::And => BinaryOperator::And,
        ast::BinaryOperator::Or => BinaryOperator::Or,
        _ => return None,
    };
    Some(found)
}

impl BinaryOperator {
    /// The operator in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::And => "and",
            Self::Or => "or",
        }
    }
}

/// `left operator right`, typed.
///
/// ```text
/// + -     the common type: i64, decimal of the larger scale, f64 if either is      /   f64
///         timestamp - timestamp = i64 ms, timestamp ± i64 ms = timestamp
/// *       scales add; f64 if either is                                            %   exact numbers, the larger scale
/// = < …   the common type, exact unless either is f64                     and or  bool
/// ```
///
/// # Errors
/// A message that names the types.
pub(super) fn apply(operator: BinaryOperator, left: Typed, right: Typed) -> Result<Typed, String> {
    match operator {
        BinaryOperator::And | BinaryOperator::Or => logic(operator, left, right),
        BinaryOperator::Equal
        | BinaryOperator::NotEqual
        | BinaryOperator::Less
        | BinaryOperator::LessOrEqual
        | BinaryOperator::Greater
        | BinaryOperator::GreaterOrEqual => compare(operator, left, right),
        BinaryOperator::Add
        | BinaryOperator::Subtract
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo => arithmetic(operator, left, right),
    }
}

fn logic(operator: BinaryOperator, left: Typed, right: Typed) -> Result<Typed, String> {
    for side in [&left, &right] {
        if !side.is_untyped_null && side.data_type() != DataType::Bool {
            return Err(format!(
                "{} needs conditions, got a {}",
                operator.as_str(),
                side.data_type()
            ));
        }
    }
    let (left, right) = (left.cast(DataType::Bool), right.cast(DataType::Bool));
    Ok(Typed::new(Node::Binary(operator, left.boxed(), right.boxed()), DataType::Bool, false))
}

fn compare(operator: BinaryOperator, left: Typed, right: Typed) -> Result<Typed, String> {
    let (left, right) = meet(left, right);
    let (a, b) = (left.data_type(), right.data_type());
    let shared = common(a, b).ok_or_else(|| {
        let hint = if a == DataType::Timestamp || b == DataType::Timestamp {
            "; a time is written timestamp '2024-01-31T00:00:00Z'"
        } else {
            ""
        };
        format!("{} cannot compare {a} with {b}{hint}", operator.as_str())
    })?;
    let (left, right) = (left.cast(shared), right.cast(shared));
    Ok(Typed::new(Node::Binary(operator, left.boxed(), right.boxed()), DataType::Bool, false))
}

fn arithmetic(operator: BinaryOperator, left: Typed, right: Typed) -> Result<Typed, String> {
    if [&left, &right].map(Typed::data_type).contains(&DataType::Timestamp) {
        return times(operator, left, right);
    }
    let (left, right) = meet(left, right);
    let (a, b) = (left.data_type(), right.data_type());
    let sign = operator.as_str();
    if !is_number(a) || !is_number(b) {
        return Err(format!("{sign} needs numbers, got {a} and {b}"));
    }
    let is_float = left.is_float || right.is_float;
    let exact = scale_of(a).zip(scale_of(b));
    let (left, right, result) = match (operator, exact) {
        (BinaryOperator::Modulo, None) => {
            return Err(format!(
                "% needs exact numbers, got {a} and {b}; cast to bigint or decimal(p, s)"
            ));
        }
        (BinaryOperator::Divide, _) | (_, None) => {
            (left.cast(DataType::F64), right.cast(DataType::F64), DataType::F64)
        }
        (BinaryOperator::Multiply, Some((0, 0))) if a == b => (left, right, a),
        (BinaryOperator::Multiply, Some((a, b))) => {
            let scale = a + b;
            if scale > DECIMAL_SCALE_MAX {
                return Err(format!(
                    "* gives {scale} decimal places, at most {DECIMAL_SCALE_MAX} are kept; cast an operand to \
                     decimal(18, s) with fewer places, or to double"
                ));
            }
            (left, right, DataType::Decimal(scale))
        }
        _ => {
            let shared = common(a, b).unwrap_or(DataType::F64);
            (left.cast(shared), right.cast(shared), shared)
        }
    };
    Ok(Typed::new(Node::Binary(operator, left.boxed(), right.boxed()), result, is_float))
}

/// Two times, or a time and i64 ms, for which an untyped null stands too.
fn times(operator: BinaryOperator, left: Typed, right: Typed) -> Result<Typed, String> {
    use BinaryOperator::{Add, Subtract};
    use DataType::{I64, Timestamp};
    let result = match (operator, left.data_type(), right.data_type()) {
        (Subtract, Timestamp, Timestamp) => I64,
        (Add, I64, Timestamp) | (Add | Subtract, Timestamp, I64) => Timestamp,
        (_, a, b) => {
            return Err(format!(
                "{} does not take {a} and {b}; a timestamp minus a timestamp is i64 ms, a timestamp plus or minus i64 ms \
                 a timestamp",
                operator.as_str()
            ));
        }
    };
    Ok(Typed::new(Node::Binary(operator, left.boxed(), right.boxed()), result, false))
}

/// An untyped null takes the type of the other side.
fn meet(left: Typed, right: Typed) -> (Typed, Typed) {
    match (left.is_untyped_null, right.is_untyped_null) {
        (true, false) => {
            let data_type = right.data_type();
            (left.cast(data_type), right)
        }
        (false, true) => {
            let data_type = left.data_type();
            (left, right.cast(data_type))
        }
        (true, true) => (left.cast(DataType::I64), right.cast(DataType::I64)),
        (false, false) => (left, right),
    }
}
