//! Types of expressions: what operands have in common, and the casts that make it so.

use super::{Expr, Node};
use crate::{
    limits::DECIMAL_SCALE_MAX,
    value::{DataType, Value, decimal_to_f64},
};

/// An expression under construction.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    /// The expression; the type of an untyped null is a placeholder.
    pub(super) expr: Expr,
    /// True when a float field of a stream is involved: exact inside, f64 as a result.
    pub(super) is_float: bool,
    /// True for `null`, which takes the type of whatever it meets.
    pub(super) is_untyped_null: bool,
}

impl Typed {
    pub(super) fn new(node: Node, data_type: DataType, is_float: bool) -> Self {
        Self { expr: Expr { node, data_type }, is_float, is_untyped_null: false }
    }

    pub(super) fn literal(value: Value) -> Self {
        let data_type = value.data_type();
        Self::new(Node::Literal(Some(value)), data_type, false)
    }

    pub(super) fn null() -> Self {
        let null = Self::new(Node::Literal(None), DataType::I64, false);
        Self { is_untyped_null: true, ..null }
    }

    pub(super) fn data_type(&self) -> DataType {
        self.expr.data_type
    }

    pub(super) fn boxed(self) -> Box<Expr> {
        Box::new(self.expr)
    }

    /// The expression as `target`; the caller knows that the cast exists. Constants are cast here and now.
    pub(super) fn cast(mut self, target: DataType) -> Self {
        if self.is_untyped_null {
            self.expr.data_type = target;
            self.is_untyped_null = false;
            return self;
        }
        if self.data_type() == target {
            return self;
        }
        let folded = match &self.expr.node {
            Node::Literal(Some(value)) => fold(value, target),
            Node::Literal(None) => Some(None),
            _ => None,
        };
        let node = match folded {
            Some(constant) => Node::Literal(constant),
            None => Node::Cast(Box::new(self.expr)),
        };
        Self::new(node, target, self.is_float)
    }
}

/// A numeric constant as `target`, when that is exact or the one rounding to f64.
fn fold(value: &Value, target: DataType) -> Option<Option<Value>> {
    let (unscaled, scale) = match *value {
        Value::I64(value) => (value, 0),
        Value::Decimal(value, scale) => (value, scale),
        _ => return None,
    };
    match target {
        DataType::F64 => Some(Some(Value::F64(decimal_to_f64(unscaled, scale)))),
        DataType::Decimal(wanted) => {
            let factor = 10_i64.checked_pow(u32::from(wanted.checked_sub(scale)?))?;
            Some(Some(Value::Decimal(unscaled.checked_mul(factor)?, wanted)))
        }
        _ => None,
    }
}

/// True for i64, decimals and f64.
pub(super) fn is_number(data_type: DataType) -> bool {
    matches!(data_type, DataType::I64 | DataType::Decimal(_) | DataType::F64)
}

/// Decimal places of an exact number, `None` for anything else.
pub(super) fn scale_of(data_type: DataType) -> Option<u8> {
    match data_type {
        DataType::I64 => Some(0),
        DataType::Decimal(scale) => Some(scale.min(DECIMAL_SCALE_MAX)),
        _ => None,
    }
}

/// The type that values of both types can have together, if there is one.
pub(super) fn common(a: DataType, b: DataType) -> Option<DataType> {
    if a == b {
        return Some(a);
    }
    if !is_number(a) || !is_number(b) {
        return None;
    }
    match scale_of(a).zip(scale_of(b)) {
        Some((a, b)) => Some(DataType::Decimal(a.max(b))),
        None => Some(DataType::F64),
    }
}

/// The common type of all operands that have one; `Ok(None)` when all are untyped nulls.
///
/// # Errors
/// The two types that have nothing in common.
pub(super) fn common_of(operands: &[Typed]) -> Result<Option<DataType>, (DataType, DataType)> {
    let mut found: Option<DataType> = None;
    for operand in operands.iter().filter(|operand| !operand.is_untyped_null) {
        let data_type = operand.data_type();
        found = match found {
            None => Some(data_type),
            Some(so_far) => Some(common(so_far, data_type).ok_or((so_far, data_type))?),
        };
    }
    Ok(found)
}
