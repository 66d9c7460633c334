//! Expressions from their text to their value: every function with its edges, the bits of floats, the error against
//! arithmetic of 256 bits, and random expressions against an evaluator that knows nothing of plans.

mod differential;
mod floats;
mod functions;
mod generate;
mod naive;
mod oracle;

use aggregate::expr::{EvalError, evaluate};
use model::{
    expr::{Expr, Scope},
    value::{DataType, Value, ValueRef},
};

/// The seed of a test: `default`, or what LARDER_SEED says. Failures name it.
fn seed(default: u64) -> u64 {
    std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(default)
}

/// An expression over named inputs of known types.
struct Compiled {
    expr: Expr,
}

impl Compiled {
    fn new(text: &str, names: &[(&str, DataType)]) -> Self {
        let mut scope = Scope::new();
        for (name, data_type) in names {
            scope.declare(&[name], *data_type);
        }
        let expr = Expr::compile(text, &scope).unwrap_or_else(|error| panic!("{text}: {error}"));
        Self { expr }
    }

    fn value(&self, inputs: &[Option<Value>]) -> Result<Option<Value>, EvalError> {
        let inputs: Vec<_> = inputs.iter().map(|value| value.as_ref().map(Value::borrow)).collect();
        let value = evaluate(&self.expr, &inputs)?;
        if let Some(value) = value {
            assert_eq!(value.data_type(), self.expr.data_type);
        }
        Ok(value.map(ValueRef::to_owned))
    }

    /// For expressions of floats alone.
    fn float(&self, inputs: &[f64]) -> Result<f64, EvalError> {
        let inputs: Vec<_> = inputs.iter().map(|input| Some(ValueRef::F64(*input))).collect();
        match evaluate(&self.expr, &inputs)? {
            Some(ValueRef::F64(value)) => Ok(value),
            other => panic!("{other:?} is no float"),
        }
    }
}
