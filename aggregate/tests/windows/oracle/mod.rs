//! The brute-force model: every value is recomputed from the sorted list of all events that count, with big integers and no
//! cleverness.
//!
//! It shares with the code under test only the evaluation of expressions, the hash of distinct values and how a single
//! value is shown.
//!
//! ```text
//! value     what integers and one rounding give
//! sketch    what is approximate: distinct counts, quantiles, frequencies, decayed means
//! json      values made of several
//! rational  the rounding
//! ```

mod json;
mod rational;
mod sketch;
mod value;

use aggregate::{Overflow, expr};
use model::{
    definition::{Aggregate, AggregateFunction, Stream, Window, WindowGroup},
    value::{Value, ValueRef},
};

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

/// Sorts as values of one type do: numbers and bools by the first part, strings and bytes by the second.
pub(crate) type Key = (i64, Vec<u8>);

pub(crate) type Answer = Result<Option<Value>, Overflow>;

/// What a feature takes of an event that counts for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    /// True where the aggregate has none.
    value: Value,
    key: Key,
    by: Option<(Value, Key)>,
}

/// An accepted event, with the input of each feature that it counts for.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) time: i64,
    pub(crate) id: Id,
    inputs: Vec<Option<Input>>,
}

/// An event that counts for one feature.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'a> {
    time: i64,
    id: &'a Id,
    input: &'a Input,
}

/// A window at one time of reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// The first time that is inside; `i64::MIN` for `all`.
    start: i64,
    /// The first time that is after it.
    head: i64,
    hop_ms: i64,
    is_lifetime: bool,
}

/// All accepted events of one entity, in the order of their times.
#[derive(Debug, Clone)]
pub(crate) struct Oracle {
    group: WindowGroup,
    horizon_ms: i64,
    pub(crate) events: Vec<Seen>,
}

impl Oracle {
    pub(crate) fn new(stream: &Stream, group: &WindowGroup) -> Self {
        Self { group: group.clone(), horizon_ms: stream.horizon_ms, events: Vec::new() }
    }

    pub(crate) fn accept(&mut self, fields: &[Option<ValueRef<'_>>], time: i64, id: Id) {
        let features = &self.group.features;
        let inputs = features.iter().map(|feature| input(&feature.aggregate, fields)).collect();
        let place = self.events.partition_point(|known| known.time < time);
        self.events.insert(place, Seen { time, id, inputs });
    }

    /// Whether no window can see an event of `time` at the floor or later.
    pub(crate) fn is_late(&self, time: i64, now: i64) -> bool {
        self.group.windows.iter().all(|window| time < span(window, now - self.horizon_ms).start)
    }

    pub(crate) fn start(&self, column: usize, x: i64) -> i64 {
        span(&self.group.windows[self.group.columns[column].window], x).start
    }

    /// What `column` must be at `x`.
    pub(crate) fn value(&self, column: usize, x: i64) -> Expected {
        use AggregateFunction as F;
        let column = &self.group.columns[column];
        let span = span(&self.group.windows[column.window], x);
        let place = |time| self.events.partition_point(|event| event.time < time);
        let inside = &self.events[place(span.start)..place(span.head)];
        let counted = inside.iter().filter_map(|event| {
            let input = event.inputs[column.feature].as_ref()?;
            Some(Counted { time: event.time, id: &event.id, input })
        });
        let mut seen: Vec<Counted<'_>> = counted.collect();
        seen.sort_by(|a, b| (a.time, a.id, &a.input.key).cmp(&(b.time, b.id, &b.input.key)));
        let seen = seen.as_slice();
        let aggregate = &self.group.features[column.feature].aggregate;
        let some = |value: Value| Expected::Exact(Ok(Some(value)));
        match aggregate.function {
            F::ApproxDistinct { precision } => sketch::distinct(seen, precision),
            function if seen.is_empty() && aggregate.by.is_none() => {
                Expected::Exact(value::plain(function, aggregate.output, seen, &span))
            }
            _ if seen.is_empty() => Expected::Exact(Ok(None)),
            F::LastN { n } => some(json::newest(seen, n.into(), aggregate.element)),
            F::ApproxQuantile { q_ppb } => {
                Expected::Exact(Ok(sketch::quantile(seen, q_ppb).map(Value::F64)))
            }
            F::TopK { k } => sketch::top(seen, k),
            F::Ema { half_life_ms } => sketch::ema(seen, half_life_ms, span.head),
            _ if aggregate.by.is_some() => some(json::members(aggregate, seen, &span)),
            function => Expected::Exact(value::plain(function, aggregate.output, seen, &span)),
        }
    }
}

/// `None` when the event does not count.
fn input(aggregate: &Aggregate, fields: &[Option<ValueRef<'_>>]) -> Option<Input> {
    let evaluate = |expr| {
        let found = expr::evaluate(expr, fields).expect("no expression of the tests fails");
        found.map(ValueRef::to_owned)
    };
    if let Some(filter) = &aggregate.filter
        && evaluate(filter) != Some(Value::Bool(true))
    {
        return None;
    }
    let value = aggregate.input.as_ref().map_or(Some(Value::Bool(true)), evaluate)?;
    let by = match &aggregate.by {
        None => None,
        Some(by) => Some(evaluate(by)?),
    };
    let by = by.map(|by| (by.clone(), key(&by)));
    Some(Input { key: key(&value), value, by })
}

/// The rule of windows.
fn span(window: &Window, x: i64) -> Span {
    let (length, offset, hop_ms) = (window.length_ms, window.offset_ms, window.hop_ms);
    let edge = |time: i64| time.div_euclid(hop_ms) * hop_ms;
    let is_lifetime = window.label == "all";
    Span {
        start: if is_lifetime { i64::MIN } else { edge(x - offset - length) },
        head: if offset == 0 { x } else { edge(x - offset) },
        hop_ms,
        is_lifetime,
    }
}

fn key(value: &Value) -> Key {
    match value {
        Value::Bool(value) => (i64::from(*value), Vec::new()),
        Value::String(text) => (0, text.as_bytes().to_vec()),
        Value::Bytes(bytes) => (0, bytes.to_vec()),
        other => (value::unscaled(other).0, Vec::new()),
    }
}

/// What a value must be.
#[derive(Debug)]
pub(crate) enum Expected {
    /// This, to the bit.
    Exact(Answer),
    /// A float that is so close.
    Near { value: f64, error: f64 },
    /// A whole number that is so close.
    Count { value: f64, error: f64 },
    /// Frequencies that are estimated.
    Top(sketch::Top),
}

impl Expected {
    /// What is wrong with `answer`.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), String> {
        let is_right = match (self, answer) {
            (Self::Exact(Ok(Some(Value::F64(value)))), Ok(Some(Value::F64(answer)))) => {
                value.to_bits() == answer.to_bits()
            }
            (Self::Exact(expected), answer) => expected == answer,
            (Self::Near { value, error }, Ok(Some(Value::F64(answer)))) => {
                (answer - value).abs() <= *error
            }
            (Self::Count { value, error }, Ok(Some(Value::I64(answer)))) => {
                (*answer as f64 - value).abs() <= *error
            }
            (Self::Top(top), Ok(Some(Value::String(answer)))) => {
                return top.check(answer).map_err(|why| format!("{answer}: {why}"));
            }
            _ => false,
        };
        if is_right { Ok(()) } else { Err(format!("{answer:?}, not {self:?}")) }
    }
}
