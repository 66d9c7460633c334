//! Calls of functions: their names, how they are written, and the types they take and give.

use sqlparser::ast;

use super::{
    DatePart, Expr, Function, Node,
    compile::{Compiler, at, unify, unsupported},
    operator,
    parse::{SUPPORTED, shown},
    typed::{Typed, is_number, scale_of},
};
use crate::{
    Error,
    expr::BinaryOperator,
    limits::DECIMAL_SCALE_MAX,
    nearest,
    value::{DataType, Value},
};

/// Every function: its name, how a call is written, what it is. Some names stand for what is no [`Function`].
const FUNCTIONS: [(&str, &str, Named); 21] = [
    ("coalesce", "coalesce(x, …)", Named::Coalesce),
    ("nullif", "nullif(x, y)", Named::NullIf),
    ("abs", "abs(x)", Named::Abs),
    ("least", "least(x, …)", Named::Least),
    ("greatest", "greatest(x, …)", Named::Greatest),
    ("mod", "mod(x, y)", Named::Modulo),
    ("ln", "ln(x)", Named::Float(Function::Ln)),
    ("exp", "exp(x)", Named::Float(Function::Exp)),
    ("sqrt", "sqrt(x)", Named::Float(Function::Sqrt)),
    ("power", "power(x, y)", Named::Power),
    ("round", "round(x) or round(x, n)", Named::Round),
    ("floor", "floor(x)", Named::Whole(Function::Floor)),
    ("ceil", "ceil(x)", Named::Whole(Function::Ceil)),
    ("ceiling", "ceiling(x)", Named::Whole(Function::Ceil)),
    ("sign", "sign(x)", Named::Sign),
    ("date_part", "date_part('hour', t)", Named::DatePart),
    ("date_trunc", "date_trunc('hour', t)", Named::DateTrunc),
    ("length", "length(x)", Named::Length),
    ("starts_with", "starts_with(x, prefix)", Named::StartsWith),
    ("haversine", "haversine(lat1, lon1, lat2, lon2)", Named::Haversine),
    ("extract", "extract(hour from t)", Named::Extract),
];

/// What people try, and what to write instead.
const ADVICE: [(&str, &str); 5] = [
    ("lower", "it would make a new string; compare with ilike, which takes A to Z as a to z"),
    ("upper", "it would make a new string; compare with ilike, which takes A to Z as a to z"),
    ("log", "write ln(x), or ln(x) / ln(10)"),
    ("pow", "write power(x, y)"),
    ("now", "a value must not depend on when it is computed; send the time as a request value"),
];

/// What a name means.
#[derive(Debug, Clone, Copy)]
enum Named {
    Coalesce,
    NullIf,
    Abs,
    Least,
    Greatest,
    Modulo,
    /// f64 to f64.
    Float(Function),
    Power,
    Round,
    /// A number to a whole one.
    Whole(Function),
    Sign,
    DatePart,
    DateTrunc,
    Length,
    StartsWith,
    Haversine,
    /// Has a syntax of its own and comes here only when written otherwise.
    Extract,
}

impl Compiler<'_> {
    /// `name(argument, …)`
    pub(super) fn function(
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
        let found = FUNCTIONS.into_iter().find(|(known, _, _)| *known == name);
        let (_, written, named) = found.ok_or_else(|| unknown(node, &name))?;
        let mut operands = Vec::new();
        for argument in &list.args {
            let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument)) = argument else {
                return Err(unsupported(node));
            };
            operands.push(self.compile(argument, depth)?);
        }
        let count = operands.len();
        let call = Call { node, name: &name, named };
        call.typed(operands).map_err(|refusal| match refusal {
            Refusal::Count => {
                let piece = shown(&node.to_string());
                let plural = if count == 1 { "" } else { "s" };
                at(node, format!("{piece} has {count} argument{plural}; write {written}"))
            }
            Refusal::Message(message) => at(node, message),
            Refusal::Placed(error) => error,
        })
    }

    /// `floor(x)`, `ceil(x)`: the parser knows these by name.
    pub(super) fn whole(
        &self,
        node: &ast::Expr,
        inner: &ast::Expr,
        kind: &ast::CeilFloorKind,
        depth: usize,
    ) -> Result<Typed, Error> {
        let (name, function) = match node {
            ast::Expr::Floor { .. } => ("floor", Function::Floor),
            _ => ("ceil", Function::Ceil),
        };
        if !matches!(kind, ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime)) {
            let piece = shown(&node.to_string());
            let message = format!(
                "{piece} is not supported; write {name}(x), round(x, n) or date_trunc('hour', t)"
            );
            return Err(at(node, message));
        }
        let inner = self.compile(inner, depth)?;
        whole(function, name, inner).map_err(|message| at(node, message))
    }

    /// `extract(field from time)`
    pub(super) fn extract(
        &self,
        node: &ast::Expr,
        field: &ast::DateTimeField,
        time: &ast::Expr,
        depth: usize,
    ) -> Result<Typed, Error> {
        let part = part(field.to_string().trim_matches('\''), |_| true);
        let time = self.compile(time, depth)?;
        part.and_then(|part| extract("extract", part, time)).map_err(|message| at(node, message))
    }

    /// `text like pattern`
    pub(super) fn like(
        &self,
        node: &ast::Expr,
        [text, pattern]: [&ast::Expr; 2],
        ignores_case: bool,
        depth: usize,
    ) -> Result<Typed, Error> {
        let name = if ignores_case { "ilike" } else { "like" };
        let text = string(name, self.compile(text, depth)?).map_err(|message| at(node, message))?;
        let compiled = string(name, self.compile(pattern, depth)?);
        let compiled = compiled.map_err(|message| at(pattern, message))?;
        if let Node::Literal(Some(Value::String(constant))) = &compiled.expr.node
            && Function::ends_in_escape(constant)
        {
            let message = format!("the pattern of {name} ends in its escape \\; write \\\\");
            return Err(at(pattern, message));
        }
        Ok(call(Function::Like { ignores_case }, vec![text, compiled], DataType::Bool, false))
    }
}

/// Why a call is refused.
enum Refusal {
    /// Not as many arguments as the function takes.
    Count,
    /// At the call.
    Message(String),
    /// Somewhere of its own.
    Placed(Error),
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

/// A call whose name is known.
struct Call<'a> {
    node: &'a ast::Expr,
    name: &'a str,
    named: Named,
}

impl Call<'_> {
    fn typed(&self, operands: Vec<Typed>) -> Result<Typed, Refusal> {
        let name = self.name;
        match self.named {
            Named::Coalesce => self.any_number(operands, Node::Coalesce),
            Named::Least => self.any_number(operands, Node::Least),
            Named::Greatest => self.any_number(operands, Node::Greatest),
            Named::NullIf => self.null_if(operands),
            Named::Abs => {
                let [inner] = exactly(operands)?;
                let inner = number(name, inner)?;
                let (data_type, is_float) = (inner.data_type(), inner.is_float);
                Ok(Typed::new(Node::Abs(inner.boxed()), data_type, is_float))
            }
            Named::Modulo => {
                let [left, right] = exactly(operands)?;
                Ok(operator::apply(BinaryOperator::Modulo, left, right)?)
            }
            Named::Float(function) => Ok(floats(function, name, exactly::<1>(operands)?)?),
            Named::Power => Ok(floats(Function::Power, name, exactly::<2>(operands)?)?),
            Named::Haversine => Ok(floats(Function::Haversine, name, exactly::<4>(operands)?)?),
            Named::Round => round(operands),
            Named::Whole(function) => {
                let [inner] = exactly(operands)?;
                Ok(whole(function, name, inner)?)
            }
            Named::Sign => {
                let [inner] = exactly(operands)?;
                Ok(call(Function::Sign, vec![number(name, inner)?], DataType::I64, false))
            }
            Named::DatePart => {
                let [wanted, time] = exactly(operands)?;
                Ok(extract(name, constant_part(name, &wanted, |_| true)?, time)?)
            }
            Named::DateTrunc => {
                let [wanted, time] = exactly(operands)?;
                let part = constant_part(name, &wanted, DatePart::has_start)?;
                let time = timestamp(name, time)?;
                Ok(call(Function::DateTrunc(part), vec![time], DataType::Timestamp, false))
            }
            Named::Length => {
                let [inner] = exactly(operands)?;
                let inner = match inner.data_type() {
                    DataType::Bytes => inner,
                    _ => string(name, inner)?,
                };
                Ok(call(Function::Length, vec![inner], DataType::I64, false))
            }
            Named::StartsWith => {
                let [text, prefix] = exactly(operands)?;
                let operands = vec![string(name, text)?, string(name, prefix)?];
                Ok(call(Function::StartsWith, operands, DataType::Bool, false))
            }
            Named::Extract => Err(Refusal::Count),
        }
    }

    /// Arguments of one type, one at least.
    fn any_number(
        &self,
        operands: Vec<Typed>,
        make: impl Fn(Vec<Expr>) -> Node,
    ) -> Result<Typed, Refusal> {
        if operands.is_empty() {
            return Err(Refusal::Count);
        }
        let is_float = operands.iter().any(|operand| operand.is_float);
        let (data_type, operands) = unify(self.node, operands).map_err(Refusal::Placed)?;
        let exprs = operands.into_iter().map(|operand| operand.expr).collect();
        Ok(Typed::new(make(exprs), data_type, is_float))
    }

    fn null_if(&self, operands: Vec<Typed>) -> Result<Typed, Refusal> {
        let is_float = operands.iter().any(|operand| operand.is_float);
        let (data_type, operands) = unify(self.node, operands).map_err(Refusal::Placed)?;
        let [a, b] = exactly(operands)?;
        Ok(Typed::new(Node::NullIf(a.boxed(), b.boxed()), data_type, is_float))
    }
}

fn exactly<const N: usize>(operands: Vec<Typed>) -> Result<[Typed; N], Refusal> {
    operands.try_into().map_err(|_| Refusal::Count)
}

fn call(function: Function, operands: Vec<Typed>, data_type: DataType, is_float: bool) -> Typed {
    let operands = operands.into_iter().map(|operand| operand.expr).collect();
    Typed::new(Node::Call(function, operands), data_type, is_float)
}

/// Numbers to f64.
fn floats<const N: usize>(
    function: Function,
    name: &str,
    operands: [Typed; N],
) -> Result<Typed, String> {
    let mut floats = Vec::with_capacity(N);
    for operand in operands {
        floats.push(number(name, operand)?.cast(DataType::F64));
    }
    Ok(call(function, floats, DataType::F64, false))
}

/// `floor` and `ceil`: exact stays exact.
fn whole(function: Function, name: &str, inner: Typed) -> Result<Typed, String> {
    let inner = number(name, inner)?;
    let is_float = inner.is_float;
    match inner.data_type() {
        DataType::Decimal(_) => Ok(call(function, vec![inner], DataType::Decimal(0), is_float)),
        DataType::F64 => Ok(call(function, vec![inner], DataType::F64, is_float)),
        _ => Ok(inner),
    }
}

/// `round(x)` and `round(x, n)`.
fn round(mut operands: Vec<Typed>) -> Result<Typed, Refusal> {
    let places = match operands.len() {
        2 => operands.pop(),
        _ => None,
    };
    let [inner] = exactly(operands)?;
    let inner = number("round", inner)?;
    let (given, is_float) = (inner.data_type(), inner.is_float);
    let result = match places {
        None if given == DataType::I64 => return Ok(inner),
        None if given == DataType::F64 => DataType::F64,
        None => DataType::Decimal(0),
        Some(places) => {
            let places = places_of(&places)?;
            if scale_of(given).is_none() {
                let message = format!(
                    "round(x, n) needs an exact number, got a {given}, which has no decimal places; write \
                     round(cast(x as decimal(18, 6)), {places})"
                );
                return Err(Refusal::Message(message));
            }
            DataType::Decimal(places)
        }
    };
    Ok(call(Function::Round, vec![inner], result, is_float))
}

/// The second argument of `round`.
fn places_of(places: &Typed) -> Result<u8, String> {
    let constant = match places.expr.node {
        Node::Literal(Some(Value::I64(places))) => u8::try_from(places).ok(),
        _ => None,
    };
    constant.filter(|places| *places <= DECIMAL_SCALE_MAX).ok_or_else(|| {
        format!("round(x, n) needs a constant n from 0 to {DECIMAL_SCALE_MAX}, the decimal places")
    })
}

fn extract(name: &str, part: DatePart, time: Typed) -> Result<Typed, String> {
    Ok(call(Function::Extract(part), vec![timestamp(name, time)?], DataType::I64, false))
}

/// The part named by a constant string.
fn constant_part(
    name: &str,
    wanted: &Typed,
    is_allowed: impl Fn(DatePart) -> bool,
) -> Result<DatePart, String> {
    match &wanted.expr.node {
        Node::Literal(Some(Value::String(constant))) => part(constant, is_allowed),
        _ => Err(format!("{name} needs a constant part: {name}('hour', t)")),
    }
}

/// The part called `name` in any case.
fn part(name: &str, is_allowed: impl Fn(DatePart) -> bool) -> Result<DatePart, String> {
    let name = name.to_lowercase();
    let allowed = || DatePart::ALL.into_iter().filter(|part| is_allowed(*part));
    allowed().find(|part| part.as_str() == name).ok_or_else(|| {
        let hint = nearest::hint(&name, allowed().map(DatePart::as_str));
        let list = nearest::list(allowed().map(DatePart::as_str));
        format!("{} is no part of a time here{hint}; there are: {list}", shown(&name))
    })
}

/// `typed` as a number for `what`.
pub(super) fn number(what: &str, typed: Typed) -> Result<Typed, String> {
    if typed.is_untyped_null {
        return Ok(typed.cast(DataType::I64));
    }
    if is_number(typed.data_type()) {
        return Ok(typed);
    }
    Err(format!("{what} needs a number, got a {}", typed.data_type()))
}

fn string(what: &str, typed: Typed) -> Result<Typed, String> {
    if typed.is_untyped_null || typed.data_type() == DataType::String {
        return Ok(typed.cast(DataType::String));
    }
    Err(format!("{what} needs a string, got a {}", typed.data_type()))
}

fn timestamp(what: &str, typed: Typed) -> Result<Typed, String> {
    if typed.is_untyped_null || typed.data_type() == DataType::Timestamp {
        return Ok(typed.cast(DataType::Timestamp));
    }
    let hint = match typed.data_type() {
        DataType::I64 => "; i64 ms since 1970 become one by timestamp '1970-01-01' + x",
        _ => "",
    };
    Err(format!("{what} needs a timestamp, got a {}{hint}", typed.data_type()))
}

/// The refusal of a name that is no function.
fn unknown(node: &ast::Expr, name: &str) -> Error {
    let advice = ADVICE.iter().find(|(known, _)| *known == name);
    let why = if super::aggregate::is_named(name) {
        "is an aggregate, which stands alone as a feature of a window group; compute with its columns in a derived \
         feature"
            .to_owned()
    } else if let Some((_, advice)) = advice {
        format!("is not supported: {advice}; {SUPPORTED}")
    } else {
        let hint = nearest::hint(name, FUNCTIONS.map(|(name, _, _)| name));
        format!("is not supported{hint}; {SUPPORTED}")
    };
    at(node, format!("{} {why}", shown(&node.to_string())))
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
