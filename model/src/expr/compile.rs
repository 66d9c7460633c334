//! Syntax tree to typed plan: names to inputs, operands to common types.

use sqlparser::ast::{self, Spanned};

use super::{
    BinaryOperator, Expr, Node, Scope,
    call::number,
    literal, operator,
    parse::{SUPPORTED, parse, refuse, shown, too_deep},
    typed::{Typed, common_of},
};
use crate::{
    Error,
    limits::{EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX},
    value::DataType,
};

impl Expr {
    /// Compiles `text`, whose names are those of `scope`.
    ///
    /// # Errors
    /// [`Error::Expression`] with line and column within the text, the offending piece, and what is supported.
    pub fn compile(text: &str, scope: &Scope) -> Result<Self, Error> {
        let tree = parse(text)?;
        let typed = Compiler { scope }.compile(&tree, 0)?;
        if typed.is_untyped_null {
            let message = "null alone has no type; write cast(null as …)".to_owned();
            return Err(at(&tree, message));
        }
        Ok(typed.expr)
    }
}

/// An error at the position of `node`.
pub(super) fn at(node: &ast::Expr, message: String) -> Error {
    refuse(node.span().start, message)
}

/// An error that shows `node`, which is outside the supported set.
pub(super) fn unsupported(node: &ast::Expr) -> Error {
    at(node, format!("{} is not supported; {SUPPORTED}", shown(&node.to_string())))
}

/// Compiles the nodes of one expression.
pub(super) struct Compiler<'a> {
    pub(super) scope: &'a Scope,
}

impl Compiler<'_> {
    /// Compiles `node`, which has `depth` nodes above it.
    pub(super) fn compile(&self, node: &ast::Expr, depth: usize) -> Result<Typed, Error> {
        if depth > EXPRESSION_DEPTH_MAX {
            return Err(at(node, too_deep()));
        }
        let depth = depth + 1;
        let typed = match node {
            ast::Expr::Nested(inner) => self.compile(inner, depth),
            ast::Expr::Identifier(name) => self.input(node, &spelled(name)),
            ast::Expr::CompoundIdentifier(parts) => {
                self.input(node, &parts.iter().map(spelled).collect::<Vec<_>>().join("."))
            }
            ast::Expr::Value(value) => {
                literal::value(&value.value, false).map_err(|message| at(node, message))
            }
            ast::Expr::TypedString(typed) => {
                literal::typed(typed).map_err(|message| at(node, message))
            }
            ast::Expr::UnaryOp { op, expr } => self.unary(node, *op, expr, depth),
            ast::Expr::BinaryOp { left, op, right } => {
                let operator = operator::of(op).ok_or_else(|| unsupported(node))?;
                let (left, right) = (self.compile(left, depth)?, self.compile(right, depth)?);
                operator::apply(operator, left, right).map_err(|message| at(node, message))
            }
            ast::Expr::IsNull(inner) => self.is_null(inner, true, depth),
            ast::Expr::IsNotNull(inner) => self.is_null(inner, false, depth),
            ast::Expr::Between { expr, negated, low, high } => {
                self.between(node, [expr, low, high], depth).map(|typed| negate_if(*negated, typed))
            }
            ast::Expr::InList { expr, list, negated } => {
                self.in_list(node, expr, list, depth).map(|typed| negate_if(*negated, typed))
            }
            ast::Expr::Case { operand, conditions, else_result, .. } => {
                self.case(node, operand.as_deref(), conditions, else_result.as_deref(), depth)
            }
            ast::Expr::Cast { kind: ast::CastKind::Cast, expr, data_type, format: None } => {
                let inner = self.compile(expr, depth)?;
                literal::cast(inner, data_type).map_err(|message| at(node, message))
            }
            ast::Expr::Like { negated, any: false, expr, pattern, escape_char: None } => self
                .like(node, [expr, pattern], false, depth)
                .map(|typed| negate_if(*negated, typed)),
            ast::Expr::ILike { negated, any: false, expr, pattern, escape_char: None } => self
                .like(node, [expr, pattern], true, depth)
                .map(|typed| negate_if(*negated, typed)),
            ast::Expr::Floor { expr, field } | ast::Expr::Ceil { expr, field } => {
                self.whole(node, expr, field, depth)
            }
            ast::Expr::Extract { field, expr, .. } => self.extract(node, field, expr, depth),
            ast::Expr::Function(function) => self.function(node, function, depth),
            _ => Err(unsupported(node)),
        }?;
        Ok(typed)
    }

    pub(super) fn input(&self, node: &ast::Expr, name: &str) -> Result<Typed, Error> {
        let (index, input) = self.scope.resolve(name).map_err(|message| at(node, message))?;
        Ok(Typed::new(Node::Input(index), input.data_type, input.is_float_field))
    }

    fn unary(
        &self,
        node: &ast::Expr,
        operator: ast::UnaryOperator,
        operand: &ast::Expr,
        depth: usize,
    ) -> Result<Typed, Error> {
        // -9223372036854775808 is a number, though 9223372036854775808 is none.
        if let (ast::UnaryOperator::Minus, ast::Expr::Value(value)) = (operator, operand)
            && matches!(value.value, ast::Value::Number(..))
        {
            return literal::value(&value.value, true).map_err(|message| at(node, message));
        }
        let inner = self.compile(operand, depth)?;
        match operator {
            ast::UnaryOperator::Plus => number("+", inner).map_err(|message| at(node, message)),
            ast::UnaryOperator::Minus => {
                let inner = number("-", inner).map_err(|message| at(node, message))?;
                let (data_type, is_float) = (inner.data_type(), inner.is_float);
                Ok(Typed::new(Node::Negate(inner.boxed()), data_type, is_float))
            }
            ast::UnaryOperator::Not => {
                Ok(Typed::new(Node::Not(boolean(operand, inner)?.boxed()), DataType::Bool, false))
            }
            _ => Err(unsupported(node)),
        }
    }

    fn is_null(&self, inner: &ast::Expr, expected: bool, depth: usize) -> Result<Typed, Error> {
        let inner = self.compile(inner, depth)?;
        Ok(Typed::new(Node::IsNull(inner.boxed(), expected), DataType::Bool, false))
    }

    fn between(
        &self,
        node: &ast::Expr,
        [value, low, high]: [&ast::Expr; 3],
        depth: usize,
    ) -> Result<Typed, Error> {
        let value = self.compile(value, depth)?;
        check_size(node, &value.expr, 2)?;
        let compare = |operator, bound: &ast::Expr| {
            let bound_typed = self.compile(bound, depth)?;
            operator::apply(operator, value.clone(), bound_typed)
                .map_err(|message| at(bound, message))
        };
        let above = compare(BinaryOperator::GreaterOrEqual, low)?;
        let below = compare(BinaryOperator::LessOrEqual, high)?;
        operator::apply(BinaryOperator::And, above, below).map_err(|message| at(node, message))
    }

    fn in_list(
        &self,
        node: &ast::Expr,
        value: &ast::Expr,
        list: &[ast::Expr],
        depth: usize,
    ) -> Result<Typed, Error> {
        let mut operands = vec![self.compile(value, depth)?];
        for item in list {
            operands.push(self.compile(item, depth)?);
        }
        let (_, operands) = unify(node, operands)?;
        let mut operands = operands.into_iter().map(|operand| operand.expr);
        let value = operands.next().ok_or_else(|| unsupported(node))?;
        Ok(Typed::new(Node::In(Box::new(value), operands.collect()), DataType::Bool, false))
    }

    fn case(
        &self,
        node: &ast::Expr,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        depth: usize,
    ) -> Result<Typed, Error> {
        let operand = operand.map(|operand| self.compile(operand, depth)).transpose()?;
        if let Some(operand) = &operand {
            check_size(node, &operand.expr, conditions.len())?;
        }
        let (mut tests, mut results) = (Vec::new(), Vec::new());
        for arm in conditions {
            let test = self.compile(&arm.condition, depth)?;
            let test = match &operand {
                Some(operand) => operator::apply(BinaryOperator::Equal, operand.clone(), test)
                    .map_err(|message| at(&arm.condition, message))?,
                None => boolean(&arm.condition, test)?,
            };
            tests.push(test.expr);
            results.push(self.compile(&arm.result, depth)?);
        }
        if let Some(otherwise) = otherwise {
            results.push(self.compile(otherwise, depth)?);
        }
        let is_float = results.iter().any(|result| result.is_float);
        let (data_type, mut results) = unify(node, results)?;
        let otherwise = otherwise.and_then(|_| results.pop()).map(Typed::boxed);
        let arms = tests.into_iter().zip(results.into_iter().map(|result| result.expr)).collect();
        Ok(Typed::new(Node::Case(arms, otherwise), data_type, is_float))
    }
}

/// Names are lower case; SQL does not mind how they are written, unless quoted.
fn spelled(name: &ast::Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// `typed` as a condition.
pub(super) fn boolean(node: &ast::Expr, typed: Typed) -> Result<Typed, Error> {
    if typed.is_untyped_null || typed.data_type() == DataType::Bool {
        return Ok(typed.cast(DataType::Bool));
    }
    let piece = shown(&node.to_string());
    Err(at(node, format!("{piece} is a {}; a condition is a bool", typed.data_type())))
}

fn negate_if(negated: bool, typed: Typed) -> Typed {
    if negated { Typed::new(Node::Not(typed.boxed()), DataType::Bool, false) } else { typed }
}

/// All operands as their common type; i64 when every one is null.
pub(super) fn unify(
    node: &ast::Expr,
    operands: Vec<Typed>,
) -> Result<(DataType, Vec<Typed>), Error> {
    let data_type = common_of(&operands).map_err(|(a, b)| {
        let piece = shown(&node.to_string());
        at(node, format!("{piece} mixes {a} and {b}, which have no common type"))
    })?;
    let data_type = data_type.unwrap_or(DataType::I64);
    Ok((data_type, operands.into_iter().map(|operand| operand.cast(data_type)).collect()))
}

/// Refuses to repeat `expr` when copies of copies would grow beyond all bounds.
fn check_size(node: &ast::Expr, expr: &Expr, copies: usize) -> Result<(), Error> {
    if expr.size().saturating_mul(copies) <= EXPRESSION_NODES_MAX {
        return Ok(());
    }
    let message = format!(
        "{} repeats its operand until there are more than {EXPRESSION_NODES_MAX} nodes; make it simpler",
        shown(&node.to_string())
    );
    Err(at(node, message))
}
