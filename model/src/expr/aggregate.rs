//! Aggregates of window groups: `function(input, constants…) filter (where condition) by expression`.

use sqlparser::ast;

use super::{
    Expr, Scope,
    compile::{Compiler, at, boolean},
    constants,
    parse::{parse_by, shown},
    typed::{Typed, is_number},
};
use crate::{
    Error,
    definition::{Aggregate, AggregateFunction, Field},
    limits::FLOAT_FIELD_SCALE,
    nearest,
    value::DataType,
};

const SIGNATURES: [(&str, &str); 22] = AggregateFunction::SIGNATURES;

/// True for the name of an aggregate.
pub(super) fn is_named(name: &str) -> bool {
    SIGNATURES.iter().any(|(known, _)| *known == name)
}

fn allowed() -> String {
    let names = nearest::list(SIGNATURES.iter().map(|(name, _)| *name));
    format!(
        "a feature of a window group is one aggregate, optionally with filter (where …) and by …: count(*) or f(x) with f \
         one of {names}"
    )
}

impl Aggregate {
    /// Compiles `text`, whose names are the fields of a stream.
    ///
    /// # Errors
    /// [`Error::Expression`] with line and column within the text, the offending piece, and what is supported.
    pub fn compile(text: &str, fields: &[Field]) -> Result<Self, Error> {
        let (tree, by) = parse_by(text)?;
        let scope = Scope::of_stream(fields);
        let compiler = Compiler { scope: &scope };
        let refused = |message: String| at(&tree, message);
        let call = called(&tree).map_err(refused)?;
        let name = call.name.to_string().to_lowercase();
        let arguments = arguments(call).map_err(refused)?;
        let (first, constants) = match arguments.split_first() {
            Some((first, constants)) => (Some(first), constants),
            None => (None, arguments.as_slice()),
        };
        let input = match first {
            None => None,
            Some(first) => stored(compiler.compile(first, 1)?).map_err(refused)?,
        };
        let mut values = Vec::with_capacity(constants.len());
        for constant in constants {
            values.push(compiler.compile(constant, 1)?);
        }
        let given = input.as_ref().map(|input| input.expr.data_type);
        let function = constants::function(&name, given, values).map_err(refused)?;
        let filter = match &call.filter {
            Some(condition) => Some(boolean(condition, compiler.compile(condition, 1)?)?.expr),
            None => None,
        };
        let element = element(function, input.as_ref()).map_err(refused)?;
        let is_text =
            matches!(function, AggregateFunction::LastN { .. } | AggregateFunction::TopK { .. });
        let output = if is_text || by.is_some() { DataType::String } else { element };
        let by = match &by {
            None => None,
            Some(by) => {
                let key = compiler.compile(by, 1)?;
                Some(group_key(function, key).map_err(|message| at(by, message))?)
            }
        };
        Ok(Self { function, input: input.map(|input| input.expr), filter, by, element, output })
    }
}

/// The one call that an aggregate is.
fn called(tree: &ast::Expr) -> Result<&ast::Function, String> {
    let mut call = tree;
    while let ast::Expr::Nested(inner) = call {
        call = inner;
    }
    let ast::Expr::Function(call) = call else {
        return Err(format!("{} is no aggregate; {}", shown(&tree.to_string()), allowed()));
    };
    let name = call.name.to_string().to_lowercase();
    if !is_named(&name) {
        let hint = nearest::hint(&name, SIGNATURES.iter().map(|(name, _)| *name));
        return Err(format!("{name} is no aggregate{hint}; {}", allowed()));
    }
    Ok(call)
}

/// The arguments; none for `*`, which only `count` takes.
fn arguments(call: &ast::Function) -> Result<Vec<&ast::Expr>, String> {
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
    let signature = SIGNATURES.iter().find(|(known, _)| *known == name);
    let signature = signature.map_or("", |(_, signature)| *signature);
    if let [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)] = list.args.as_slice() {
        return if name == "count" {
            Ok(Vec::new())
        } else {
            Err(format!("{name} does not take *; it is written {name}{signature}"))
        };
    }
    let argument = |argument| match argument {
        &ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(ref expr)) => Some(expr),
        _ => None,
    };
    let found: Option<Vec<_>> = list.args.iter().map(argument).collect();
    let wanted = match signature {
        "(*) or (x)" | "(x)" => 1..=1,
        "()" => 0..=0,
        "(x) or (x, precision)" => 1..=2,
        "(x, target, slack)" => 3..=3,
        _ => 2..=2,
    };
    match found {
        Some(found) if wanted.contains(&found.len()) => Ok(found),
        _ => {
            let count = list.args.len();
            Err(format!("{name} got {count} arguments; it is written {name}{signature}"))
        }
    }
}

/// The type of one value.
fn element(function: AggregateFunction, input: Option<&Kept>) -> Result<DataType, String> {
    use AggregateFunction as F;
    let Some(input) = input else {
        return Ok(if function == F::Rate { DataType::F64 } else { DataType::I64 });
    };
    let given = input.expr.data_type;
    let like_input = if input.is_float { DataType::F64 } else { given };
    let needs = |allowed: &str| Err(format!("{function} needs {allowed}, got a {given}"));
    match function {
        F::Count | F::ApproxDistinct { .. } | F::TimeSinceLast => Ok(DataType::I64),
        F::Avg
        | F::Variance
        | F::VariancePop
        | F::Stddev
        | F::StddevPop
        | F::Rate
        | F::ApproxQuantile { .. }
        | F::Ema { .. } => {
            if is_number(given) {
                Ok(DataType::F64)
            } else {
                needs("a number")
            }
        }
        F::Sum | F::Cusum { .. } if is_number(given) => Ok(like_input),
        F::Sum | F::Cusum { .. } => needs("a number"),
        F::Min | F::Max if is_number(given) || given == DataType::Timestamp => Ok(like_input),
        F::Min | F::Max => needs("a number or timestamp"),
        F::First | F::Last | F::Lag { .. } | F::LastN { .. } => Ok(like_input),
        F::TopK { .. } => Ok(given),
    }
}

/// The expression of `by`, whose values are told apart.
fn group_key(function: AggregateFunction, key: Typed) -> Result<Expr, String> {
    use AggregateFunction as F;
    if !matches!(function, F::Count | F::Sum | F::Avg | F::Min | F::Max) {
        return Err(format!(
            "{function} cannot be taken by values; count, sum, avg, min and max can"
        ));
    }
    if key.is_untyped_null {
        return Err("by null has no type".to_owned());
    }
    Ok(kept(key).expr)
}

/// An input as window state keeps it.
struct Kept {
    expr: Expr,
    /// True when a float field led to it: results are f64.
    is_float: bool,
}

fn stored(input: Typed) -> Result<Option<Kept>, String> {
    if input.is_untyped_null {
        return Err("an aggregate of null has no type".to_owned());
    }
    Ok(Some(kept(input)))
}

/// No floats, and what a float field led to at that field's scale.
fn kept(input: Typed) -> Kept {
    let scaled = DataType::Decimal(FLOAT_FIELD_SCALE);
    let is_float = input.is_float || input.data_type() == DataType::F64;
    let expr = match input.data_type() {
        DataType::F64 => input.cast(scaled).expr,
        DataType::Decimal(scale) if is_float && scale > FLOAT_FIELD_SCALE => {
            input.cast(scaled).expr
        }
        _ => input.expr,
    };
    Kept { expr, is_float }
}
