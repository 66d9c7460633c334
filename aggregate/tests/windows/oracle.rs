//! The brute-force model: every value is recomputed from the list of all accepted events, naively, with big integers.
//!
//! It shares with the code under test only the evaluation of expressions. Quotients and roots are written out as decimal
//! digits, far more than an f64 holds, and rounded by the standard library's parser of floats.

use std::collections::BTreeSet;

use aggregate::{Overflow, expr};
use model::{
    definition::{AggregateFunction, Stream, WindowGroup},
    value::{DataType, Value, ValueRef},
};
use num_bigint::{BigInt, BigUint};

/// The id of an event, in the order that breaks ties.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Id {
    Number(i64),
    Text(String),
    Hash([u8; 16]),
}

impl Id {
    /// As the engine gives it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Number(number) => {
                let flipped = (number ^ i64::MIN).cast_unsigned();
                (0..8).map(|at| flipped.rotate_left(8 * (at + 1)).to_le_bytes()[0]).collect()
            }
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Hash(hash) => hash.to_vec(),
        }
    }
}

/// An accepted event: what each feature sees of it, `None` where its filter or a null keeps it out.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) time: i64,
    pub(crate) id: Id,
    inputs: Vec<Option<Value>>,
}

/// All accepted events of one entity.
#[derive(Debug, Clone)]
pub(crate) struct Oracle {
    group: WindowGroup,
    horizon_ms: i64,
    pub(crate) events: Vec<Seen>,
}

pub(crate) type Answer = Result<Option<Value>, Overflow>;

impl Oracle {
    pub(crate) fn new(stream: &Stream, group: &WindowGroup) -> Self {
        Self { group: group.clone(), horizon_ms: stream.horizon_ms, events: Vec::new() }
    }

    pub(crate) fn accept(&mut self, fields: &[Option<ValueRef<'_>>], time: i64, id: Id) {
        let inputs = self.group.features.iter().map(|feature| {
            let aggregate = &feature.aggregate;
            let evaluate =
                |expr| expr::evaluate(expr, fields).expect("no expression of the tests fails");
            if let Some(filter) = &aggregate.filter {
                let Some(ValueRef::Bool(true)) = evaluate(filter) else { return None };
            }
            match &aggregate.input {
                None => Some(Value::Bool(true)),
                Some(input) => evaluate(input).map(ValueRef::to_owned),
            }
        });
        let inputs = inputs.collect();
        self.events.push(Seen { time, id, inputs });
    }

    /// Whether some window can still see an event of `time`, at the floor or later.
    pub(crate) fn is_late(&self, time: i64, now: i64) -> bool {
        (0..self.group.columns.len()).all(|column| time < self.start(column, now - self.horizon_ms))
    }

    pub(crate) fn start(&self, column: usize, x: i64) -> i64 {
        let window = &self.group.windows[self.group.columns[column].window];
        (x - window.length_ms).div_euclid(window.hop_ms) * window.hop_ms
    }

    /// The value of `column` at `x`.
    pub(crate) fn value(&self, column: usize, x: i64) -> Answer {
        let start = self.start(column, x);
        let feature = self.group.columns[column].feature;
        let inside = self.events.iter().filter(|event| start <= event.time && event.time < x);
        let seen: Vec<(&Seen, &Value)> =
            inside.filter_map(|event| Some((event, event.inputs[feature].as_ref()?))).collect();
        let aggregate = &self.group.features[feature].aggregate;
        value(aggregate.function, aggregate.output, &seen)
    }
}

fn value(function: AggregateFunction, output: DataType, seen: &[(&Seen, &Value)]) -> Answer {
    use AggregateFunction as F;
    let n = seen.len();
    let least = match function {
        F::Count | F::Sum | F::ApproxDistinct { .. } => 0,
        F::Variance | F::Stddev => 2,
        _ => 1,
    };
    if n < least {
        return Ok(None);
    }
    let order = |(event, value): &(&Seen, &Value)| (event.time, event.id.clone(), sortable(value));
    let edge = |found: Option<&(&Seen, &Value)>| found.map(|(_, value)| converted(value, output));
    match function {
        F::Count => return Ok(Some(Value::I64(i64::try_from(n).expect("few")))),
        F::ApproxDistinct { .. } => {
            let distinct: BTreeSet<String> = seen.iter().map(|(_, v)| format!("{v:?}")).collect();
            return Ok(Some(Value::I64(i64::try_from(distinct.len()).expect("few"))));
        }
        F::First => return Ok(edge(seen.iter().min_by_key(|event| order(event)))),
        F::Last => return Ok(edge(seen.iter().max_by_key(|event| order(event)))),
        _ => {}
    }
    let numbers: Vec<(i64, u8)> = seen.iter().map(|(_, value)| unscaled(value)).collect();
    let scale = numbers.first().map_or(0, |(_, scale)| *scale);
    let unit = BigInt::from(10).pow(scale.into());
    let sum: BigInt = numbers.iter().map(|(number, _)| BigInt::from(*number)).sum();
    let squares: BigInt = numbers.iter().map(|(number, _)| BigInt::from(*number).pow(2)).sum();
    let big_n = BigInt::from(n);
    let spread = &big_n * squares - &sum * &sum;
    let population = &big_n * &big_n * &unit * &unit;
    let sample = &big_n * (&big_n - 1) * &unit * &unit;
    let float = |value: f64| Ok(Some(Value::F64(value)));
    match function {
        F::Sum if output == DataType::F64 => float(quotient(&sum, &unit)),
        F::Sum => i64::try_from(&sum).map(|sum| Some(exact(sum, output))).map_err(|_| Overflow),
        F::Min => Ok(numbers.iter().min().map(|number| of_number(*number, output))),
        F::Max => Ok(numbers.iter().max().map(|number| of_number(*number, output))),
        F::Avg => float(quotient(&sum, &(big_n * unit))),
        F::Variance => float(quotient(&spread, &sample)),
        F::VariancePop => float(quotient(&spread, &population)),
        F::Stddev => float(root(&spread, &sample)),
        F::StddevPop => float(root(&spread, &population)),
        _ => unreachable!("answered above"),
    }
}

/// A value that sorts as ties of time and id do.
fn sortable(value: &Value) -> (i64, Vec<u8>) {
    match value {
        Value::Bool(value) => (i64::from(*value), Vec::new()),
        Value::String(text) => (0, text.as_bytes().to_vec()),
        Value::Bytes(bytes) => (0, bytes.to_vec()),
        other => (unscaled(other).0, Vec::new()),
    }
}

fn unscaled(value: &Value) -> (i64, u8) {
    match value {
        Value::I64(number) | Value::Timestamp(number) => (*number, 0),
        Value::Decimal(number, scale) => (*number, *scale),
        other => panic!("{other:?} is no exact number"),
    }
}

fn exact(number: i64, output: DataType) -> Value {
    match output {
        DataType::Decimal(scale) => Value::Decimal(number, scale),
        DataType::Timestamp => Value::Timestamp(number),
        _ => Value::I64(number),
    }
}

fn of_number((number, scale): (i64, u8), output: DataType) -> Value {
    if output == DataType::F64 {
        return Value::F64(quotient(&number.into(), &BigInt::from(10).pow(scale.into())));
    }
    exact(number, output)
}

fn converted(value: &Value, output: DataType) -> Value {
    if output == DataType::F64 { of_number(unscaled(value), output) } else { value.clone() }
}

/// Decimal places that quotients are written out to.
const PLACES: u32 = 150;

/// `numerator / denominator`, rounded by the parser of the standard library.
pub(crate) fn quotient(numerator: &BigInt, denominator: &BigInt) -> f64 {
    let sign = if *numerator < BigInt::ZERO { "-" } else { "" };
    let scaled = numerator.magnitude() * BigUint::from(10_u8).pow(PLACES);
    let digits = &scaled / denominator.magnitude();
    let is_exact = &digits * denominator.magnitude() == scaled;
    // One more digit stands for all that is cut off.
    let more = u8::from(!is_exact);
    if digits == BigUint::ZERO && is_exact {
        return 0.0;
    }
    format!("{sign}{digits}{more}e-{}", PLACES + 1).parse().expect("a number")
}

/// The square root of `numerator / denominator`, likewise.
pub(crate) fn root(numerator: &BigInt, denominator: &BigInt) -> f64 {
    let scaled = numerator.magnitude() * BigUint::from(10_u8).pow(2 * PLACES);
    let whole = &scaled / denominator.magnitude();
    let digits = whole.sqrt();
    let is_exact = &digits * &digits * denominator.magnitude() == scaled;
    if digits == BigUint::ZERO && is_exact {
        return 0.0;
    }
    format!("{digits}{}e-{}", u8::from(!is_exact), PLACES + 1).parse().expect("a number")
}
