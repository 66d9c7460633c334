//! Syntax tree to typed plan: names to inputs, operands to common types.

use sqlparser::ast::{self, Spanned};

use super::{
    BinaryOperator, Expr, Node, Scope, literal, operator,
    parse::{SUPPORTED, parse, refuse, shown, too_deep},
    typed::{Typed, common_of, is_number},
};
use crate::{
    Error,
    limits::{EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX},
    nearest,
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
fn unsupported(node: &ast::Expr) -> Error {
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
            ast::Expr::Function(function) => self.function(node, function, depth),
            _ => Err(unsupported(node)),
        }?;
        Ok(typed)
    }

    fn input(&self, node: &ast::Expr, name: &str) -> Result<Typed, Error> {
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
            ast::UnaryOperator::Plus => number(node, inner, "+"),
            ast::UnaryOperator::Minus => {
                let inner = number(node, inner, "-")?;
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

    fn function(
        &self,
        node: &ast::Expr,
        function: &ast::Function,
        depth: usize,
    ) -> Result<Typed, Error> {
        let name = function.name.to_string().to_lowercase();
        let list = match &function.args {
            // Words such as `user` are functions without parentheses in SQL; here they are names.
            ast::FunctionArguments::None => return self.input(node, &name),
            ast::FunctionArguments::List(list) if is_plain(function, list) => list,
            _ => return Err(unsupported(node)),
        };
        let called = FunctionName::of(&name).ok_or_else(|| {
            let aggregate = super::aggregate::is_named(&name);
            let why = if aggregate {
                "is an aggregate, which stands alone as a feature of a window group; compute with its columns in a \
                 derived feature"
                    .to_owned()
            } else {
                let hint = nearest::hint(&name, FunctionName::ALL.map(|(name, _)| name));
                format!("is not supported{hint}; {SUPPORTED}")
            };
            at(node, format!("{} {why}", shown(&node.to_string())))
        })?;
        let mut operands = Vec::new();
        for argument in &list.args {
            let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument)) = argument else {
                return Err(unsupported(node));
            };
            operands.push(self.compile(argument, depth)?);
        }
        call(node, called, operands)
    }
}

/// A call of a scalar function, its arguments brought to their common type.
fn call(node: &ast::Expr, name: FunctionName, operands: Vec<Typed>) -> Result<Typed, Error> {
    let is_float = operands.iter().any(|operand| operand.is_float);
    let count = operands.len();
    let (data_type, operands) = unify(node, operands)?;
    let wrong = |allowed: &str| {
        at(node, format!("{} has {count} arguments; {allowed}", shown(&node.to_string())))
    };
    let exprs: Vec<Expr> = operands.into_iter().map(|operand| operand.expr).collect();
    let node = match name {
        FunctionName::Abs => {
            let [inner] = <[Expr; 1]>::try_from(exprs).map_err(|_| wrong("abs needs one"))?;
            let inner = Typed { expr: inner, is_float, is_untyped_null: false };
            Node::Abs(number(node, inner, "abs")?.boxed())
        }
        FunctionName::NullIf => {
            let [a, b] = <[Expr; 2]>::try_from(exprs).map_err(|_| wrong("nullif needs two"))?;
            Node::NullIf(Box::new(a), Box::new(b))
        }
        _ if exprs.is_empty() => return Err(wrong("it needs at least one")),
        FunctionName::Coalesce => Node::Coalesce(exprs),
        FunctionName::Least => Node::Least(exprs),
        FunctionName::Greatest => Node::Greatest(exprs),
    };
    Ok(Typed::new(node, data_type, is_float))
}

/// `typed` as an operand of `what`.
fn number(node: &ast::Expr, typed: Typed, what: &str) -> Result<Typed, Error> {
    if typed.is_untyped_null {
        return Ok(typed.cast(DataType::I64));
    }
    if is_number(typed.data_type()) {
        return Ok(typed);
    }
    Err(at(node, format!("{what} needs a number, got a {}", typed.data_type())))
}

/// The scalar functions.
#[derive(Debug, Clone, Copy)]
enum FunctionName {
    Coalesce,
    NullIf,
    Abs,
    Least,
    Greatest,
}

impl FunctionName {
    const ALL: [(&'static str, Self); 5] = [
        ("coalesce", Self::Coalesce),
        ("nullif", Self::NullIf),
        ("abs", Self::Abs),
        ("least", Self::Least),
        ("greatest", Self::Greatest),
    ];

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, function)| function)
    }
}

/// True for `name(argument, …)` without any clause.
fn is_plain(function: &ast::Function, list: &ast::FunctionArgumentList) -> bool {
    function.filter.is_none()
        && function.over.is_none()
        && function.within_group.is_empty()
        && function.null_treatment.is_none()
        && matches!(function.parameters, ast::FunctionArguments::None)
        && list.duplicate_treatment.is_none()
        && list.clauses.is_empty()
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
fn unify(node: &ast::Expr, operands: Vec<Typed>) -> Result<(DataType, Vec<Typed>), Error> {
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
