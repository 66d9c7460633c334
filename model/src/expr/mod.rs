//! Typed plans of SQL expressions: the tree that `aggregate::expr` evaluates. Parsing and typing happen once, when
//! definitions are applied.
//!
//! Numbers are exact where they can be: i64 and decimals are computed as integers (i128 between operations), only
//! division and what is already a float is f64. Nulls follow SQL: an operation on null is null, `and`/`or` are three-valued.

mod aggregate;
mod call;
mod compile;
mod constants;
mod function;
mod literal;
mod operator;
mod parse;
mod scope;
mod typed;

pub use function::{DatePart, Function};
pub(crate) use parse::shown;
pub use scope::Scope;

use crate::value::{DataType, Value};

/// A typed expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it computes.
    pub node: Node,
    /// The type of its result: Bool, I64, Decimal, F64, String, Bytes or Timestamp.
    pub data_type: DataType,
}

impl Expr {
    /// Indexes of the inputs it uses, ascending, each once.
    #[must_use]
    pub fn inputs(&self) -> Vec<usize> {
        let mut found = std::collections::BTreeSet::new();
        self.visit(&mut |expr| {
            if let Node::Input(index) = expr.node {
                found.insert(index);
            }
        });
        found.into_iter().collect()
    }

    /// Number of nodes.
    #[must_use]
    pub fn size(&self) -> usize {
        let mut count = 0;
        self.visit(&mut |_| count += 1);
        count
    }

    /// Calls `see` for this node and all below it.
    fn visit(&self, see: &mut impl FnMut(&Self)) {
        see(self);
        match &self.node {
            Node::Input(_) | Node::Literal(_) => {}
            Node::Cast(a) | Node::Negate(a) | Node::Not(a) | Node::IsNull(a, _) | Node::Abs(a) => {
                a.visit(see);
            }
            Node::Binary(_, a, b) | Node::NullIf(a, b) => {
                a.visit(see);
                b.visit(see);
            }
            Node::In(a, list) => {
                a.visit(see);
                list.iter().for_each(|item| item.visit(see));
            }
            Node::Coalesce(list)
            | Node::Least(list)
            | Node::Greatest(list)
            | Node::Call(_, list) => {
                list.iter().for_each(|item| item.visit(see));
            }
            Node::Case(arms, otherwise) => {
                for (condition, result) in arms {
                    condition.visit(see);
                    result.visit(see);
                }
                otherwise.iter().for_each(|otherwise| otherwise.visit(see));
            }
        }
    }
}

/// One operation. Operands already have the types the operation needs: the compiler inserts [`Node::Cast`].
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// The input of this index; an f32 is widened where the expression's type is f64.
    Input(usize),
    /// A constant; `None` is null.
    Literal(Option<Value>),
    /// Number to number, or timestamp to i64. Fewer places and f64 to exact round half to even.
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
    /// A function of as many arguments as it takes; null when one of them is.
    Call(Function, Vec<Expr>),
}

/// Operators of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `+`; a timestamp and i64 ms give a timestamp.
    Add,
    /// `-`; of two timestamps i64 ms.
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
