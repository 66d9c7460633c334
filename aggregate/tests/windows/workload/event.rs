//! Random events: few or many different values, nulls, extremes, ids that repeat.

use aggregate::{PreparedEvent, WindowPlan, ingest};
use model::{
    definition::{Field, Stream},
    packed_row::Cell,
    value::{DataType, Value, ValueRef},
};
use stdx::prng::Prng;

use super::{Case, choose};
use crate::oracle::{Id, Oracle};

/// How many different values there are, and how often the first of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) values: i64,
    pub(crate) first: f64,
}

impl Spread {
    /// Always the same.
    pub(crate) const ONE: Self = Self { values: 1, first: 0.0 };

    pub(crate) fn random(random: &mut Prng) -> Self {
        let values = *choose(random, &[1, 5, 20, 100, 10_000]);
        Self { values, first: *choose(random, &[0.0, 0.0, 0.4]) }
    }

    fn draw(self, random: &mut Prng) -> i64 {
        if random.chance(self.first) { 0 } else { random.between(0, self.values - 1) }
    }
}

/// An event as a client sends it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) time: i64,
    pub(crate) id: Id,
    pub(crate) fields: Vec<Option<Value>>,
}

impl Event {
    /// An event at `time` with few or many different values.
    pub(crate) fn random(random: &mut Prng, case: &Case, time: i64) -> Self {
        let spread = Spread::random(random);
        Self::spread(random, case, time, spread)
    }

    pub(crate) fn spread(random: &mut Prng, case: &Case, time: i64, spread: Spread) -> Self {
        let fields: Vec<_> = case
            .stream
            .fields
            .iter()
            .map(|field| match field.name.as_str() {
                "ts" => Some(Value::Timestamp(time)),
                // Few, so that some are there twice at one time.
                "id" => Some(text(random.between(0, 9))),
                "nid" => Some(Value::I64(random.between(-4, 4))),
                _ if random.chance(0.12) => None,
                _ if random.chance(0.005) => Some(extreme(random, field)),
                _ => Some(value_of(field.data_type, spread.draw(random))),
            })
            .collect();
        let hash = [random.next_u64(), random.next_u64()];
        // Without an id of the client's, a few are the same all the same.
        let hash = if random.chance(0.1) { [7, hash[1] % 2] } else { hash };
        Self::new(case, time, fields, hash)
    }

    /// An event whose id is that of its fields or, when the stream declares none, `hash`.
    pub(crate) fn new(case: &Case, time: i64, fields: Vec<Option<Value>>, hash: [u64; 2]) -> Self {
        let id = match case.stream.event_id.and_then(|field| fields[field].clone()) {
            Some(Value::I64(number)) => Id::Number(number),
            Some(Value::String(text)) => Id::Text(text.into()),
            _ => Id::Hash((u128::from(hash[0]) << 64 | u128::from(hash[1])).to_le_bytes()),
        };
        Self { time, id, fields }
    }

    /// Hands the exact fields to `take`.
    fn exact<T>(&self, stream: &Stream, take: impl FnOnce(&[Option<ValueRef<'_>>]) -> T) -> T {
        let cell = |value: &'_ Option<Value>| value.clone();
        let owned: Vec<_> = self.fields.iter().map(cell).collect();
        let cells: Vec<_> = owned
            .iter()
            .map(|value| value.as_ref().map_or(Cell::Null, |value| Cell::Value(value.borrow())))
            .collect();
        let mut fields = Vec::new();
        ingest::exact_fields(stream, &cells, &mut fields)
            .expect("no value of the tests is refused");
        take(&fields)
    }

    pub(crate) fn prepare(&self, case: &Case, plan: &WindowPlan) -> PreparedEvent {
        let mut prepared = PreparedEvent::default();
        self.exact(&case.stream, |fields| {
            let id = self.id.bytes();
            plan.prepare(fields, self.time, &id, &mut prepared).expect("no expression fails");
            // The way that pushes take where there is one.
            let mut direct = PreparedEvent::default();
            let is_direct =
                plan.direct().is_some_and(|plan| plan.prepare(fields, self.time, &id, &mut direct));
            if is_direct {
                let shown = |event: &PreparedEvent| format!("{:?}", event.stored());
                assert_eq!(shown(&direct), shown(&prepared), "{}", case.text);
            }
        });
        prepared
    }

    pub(crate) fn tell(&self, case: &Case, oracle: &mut Oracle) {
        self.exact(&case.stream, |fields| oracle.accept(fields, self.time, self.id.clone()));
    }
}

/// The `number`-th value of a type: different numbers are different values, but for bools.
pub(crate) fn value_of(data_type: DataType, number: i64) -> Value {
    match data_type {
        DataType::Bool => Value::Bool(number % 2 == 0),
        DataType::I64 => Value::I64(number - 10),
        DataType::Decimal(scale) => Value::Decimal(37 * number - 100, scale),
        // The seventh places are rounded away; half of the small ones are negative.
        DataType::F64 => Value::F64(number as f64 * 0.123_456_78 - 1.5),
        DataType::Timestamp => Value::Timestamp((number - 3) * 86_399_999),
        DataType::Bytes => Value::Bytes(number.to_le_bytes()[..2].into()),
        _ => text(number),
    }
}

/// Among the first are all that is written in a special way in JSON.
fn text(number: i64) -> Value {
    let special = ["a", "b", "", "\"c\\", "\t\n\r\u{1}\u{1f}", "d/é😀", " "];
    let special = usize::try_from(number).ok().and_then(|place| special.get(place));
    let text = special.map_or_else(|| format!("v{number}"), |text| (*text).to_owned());
    Value::String(text.into())
}

fn extreme(random: &mut Prng, field: &Field) -> Value {
    let far = *choose(random, &[i64::MIN, i64::MAX, i64::MAX / 2, 1 << 53]);
    match field.data_type {
        DataType::I64 => Value::I64(far),
        DataType::Decimal(scale) => {
            Value::Decimal(*choose(random, &[1_000_000_000_000_000, -5]), scale)
        }
        DataType::F64 => Value::F64(*choose(random, &[9_223_372_036_854.0, -9e12, 1e-7, -0.0])),
        DataType::Timestamp => Value::Timestamp(*choose(random, &[-(1 << 48), 1 << 48])),
        DataType::Bytes => Value::Bytes(Vec::new().into()),
        other => value_of(other, 9_999),
    }
}
