//! Aggregates of window groups: `function(input) filter (where condition)`.

use sqlparser::ast;

use super::{
    Expr, Scope,
    compile::{Compiler, at, boolean},
    parse::{parse, shown},
    typed::{Typed, is_number},
};
use crate::{
    Error,
    definition::{Aggregate, AggregateFunction, Field},
    limits::FLOAT_FIELD_SCALE,
    nearest,
    value::DataType,
};

/// The aggregate called `name` in SQL.
pub(super) fn named(name: &str) -> Option<AggregateFunction> {
    AggregateFunction::ALL.into_iter().find(|function| function.as_str() == name)
}

fn allowed() -> String {
    let names = nearest::list(AggregateFunction::ALL.map(AggregateFunction::as_str));
    format!(
        "a feature of a window group is one aggregate, optionally with filter (where …): count(*) or f(x) with f one of \
         {names}"
    )
}

impl Aggregate {
    /// Compiles `text`, whose names are the fields of a stream.
    ///
    /// # Errors
    /// [`Error::Expression`] with line and column within the text, the offending piece, and what is supported.
    pub fn compile(text: &str, fields: &[Field]) -> Result<Self, Error> {
        let tree = parse(text)?;
        let scope = Scope::of_stream(fields);
        let compiler = Compiler { scope: &scope };
        let refused = |message: String| at(&tree, message);
        let mut call = &tree;
        while let ast::Expr::Nested(inner) = call {
            call = inner;
        }
        let ast::Expr::Function(parsed) = call else {
            return Err(refused(format!(
                "{} is no aggregate; {}",
                shown(&tree.to_string()),
                allowed()
            )));
        };
        let name = parsed.name.to_string().to_lowercase();
        let function = named(&name).ok_or_else(|| {
            let hint = nearest::hint(&name, AggregateFunction::ALL.map(AggregateFunction::as_str));
            refused(format!("{name} is no aggregate{hint}; {}", allowed()))
        })?;
        let argument = argument(parsed).map_err(refused)?;
        let input = match argument {
            None if function == AggregateFunction::Count => None,
            None => return Err(refused(format!("{name} needs something to aggregate: {name}(x)"))),
            Some(argument) => Some(compiler.compile(argument, 1)?),
        };
        let filter = match &parsed.filter {
            Some(condition) => Some(boolean(condition, compiler.compile(condition, 1)?)?.expr),
            None => None,
        };
        let output = match &input {
            None => DataType::I64,
            Some(input) => output(function, input).map_err(refused)?,
        };
        Ok(Self { function, input: input.map(stored), filter, output })
    }
}

/// The argument; `None` for `*`.
fn argument(call: &ast::Function) -> Result<Option<&ast::Expr>, String> {
    let name = call.name.to_string().to_lowercase();
    let unadorned = call.over.is_none()
        && call.within_group.is_empty()
        && call.null_treatment.is_none()
        && matches!(call.parameters, ast::FunctionArguments::None);
    let ast::FunctionArguments::List(list) = &call.args else { return Err(allowed()) };
    if list.duplicate_treatment.is_some() {
        return Err(format!(
            "{name}(distinct …) is not supported; use approx_distinct(x), exact while few"
        ));
    }
    if !unadorned || !list.clauses.is_empty() {
        return Err(format!("{} is not supported; {}", shown(&call.to_string()), allowed()));
    }
    match list.args.as_slice() {
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument))] => Ok(Some(argument)),
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)] => Ok(None),
        arguments => Err(format!("{name} takes one argument, got {}", arguments.len())),
    }
}

/// The type of the result.
fn output(function: AggregateFunction, input: &Typed) -> Result<DataType, String> {
    use AggregateFunction as F;
    let given = input.data_type();
    if input.is_untyped_null {
        return Err(format!("{function}(null) has no type"));
    }
    let needs = |allowed: &str| Err(format!("{function} needs {allowed}, got a {given}"));
    let like_input = if input.is_float { DataType::F64 } else { given };
    match function {
        F::Count | F::ApproxDistinct => Ok(DataType::I64),
        F::Avg | F::Variance | F::VariancePop | F::Stddev | F::StddevPop if is_number(given) => {
            Ok(DataType::F64)
        }
        F::Sum if is_number(given) => Ok(like_input),
        F::Sum | F::Avg | F::Variance | F::VariancePop | F::Stddev | F::StddevPop => {
            needs("a number")
        }
        F::Min | F::Max if is_number(given) || given == DataType::Timestamp => Ok(like_input),
        F::Min | F::Max => needs("a number or timestamp"),
        F::First | F::Last => Ok(like_input),
    }
}

/// The input as window state keeps it: no floats, and what a float field led to at that field's scale.
fn stored(input: Typed) -> Expr {
    let kept = DataType::Decimal(FLOAT_FIELD_SCALE);
    match input.data_type() {
        DataType::F64 => input.cast(kept).expr,
        DataType::Decimal(scale) if input.is_float && scale > FLOAT_FIELD_SCALE => {
            input.cast(kept).expr
        }
        _ => input.expr,
    }
}
