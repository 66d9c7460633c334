//! Typed plans of SQL expressions: the tree that `aggregate::expr` evaluates. Parsing and typing happen once, when
//! definitions are applied.
//!
//! Numbers are exact where they can be: i64 and decimals are computed as integers (i128 between operations), only
//! division and what is already a float is f64. Nulls follow SQL: an operation on null is null, `and`/`or` are three-valued.

use crate::value::{DataType, Value};

/// A typed expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it computes.
    pub node: Node,
    /// The type of its result: Bool, I64, Decimal, F64, String, Bytes or Timestamp.
    pub data_type: DataType,
}

/// One operation. Operands already have the types the operation needs: the compiler inserts [`Node::Cast`].
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// The input of this index.
    Input(usize),
    /// A constant; `None` is null.
    Literal(Option<Value>),
    /// Number to number: widening, or f64 from i64 and decimal.
    Cast(Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// `not x`
    Not(Box<Expr>),
    /// `x is null`, or `x is not null` when the flag is false.
    IsNull(Box<Expr>, bool),
    /// Two operands.
    Binary(BinaryOperator, Box<Expr>, Box<Expr>),
    /// `x in (a, b, …)`
    In(Box<Expr>, Vec<Expr>),
    /// `case when c then v … else e end`; without `else`, null.
    Case(Vec<(Expr, Expr)>, Option<Box<Expr>>),
    /// The first that is not null.
    Coalesce(Vec<Expr>),
    /// Null when both are equal, else the first.
    NullIf(Box<Expr>, Box<Expr>),
    /// `abs(x)`
    Abs(Box<Expr>),
    /// The smallest that is not null.
    Least(Vec<Expr>),
    /// The largest that is not null.
    Greatest(Vec<Expr>),
}

/// Operators of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`: f64; by zero is an error.
    Divide,
    /// `%`: i64 or decimals of one scale; by zero is an error.
    Modulo,
    /// `=`
    Equal,
    /// `<>`, `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// Three-valued `and`.
    And,
    /// Three-valued `or`.
    Or,
}
