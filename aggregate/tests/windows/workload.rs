//! Random definitions and events, from a seed.

use aggregate::{EntityWindows, PreparedEvent, ReadAt, ReadScratch, WindowPlan, ingest};
use model::{
    definition::{Definitions, GroupKind, Stream, WindowGroup},
    packed_row::Cell,
    value::{DataType, Value, ValueRef},
};
use stdx::prng::Prng;

use crate::oracle::{Answer, Id, Oracle};

/// The seed of a test: `default`, or what LARDER_SEED says. Failures name it.
pub(crate) fn seed(default: u64) -> u64 {
    std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(default)
}

pub(crate) fn index(random: &mut Prng, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).expect("below a usize")
}

pub(crate) fn choose<'a, T>(random: &mut Prng, items: &'a [T]) -> &'a T {
    &items[index(random, items.len())]
}

/// Aggregates over the fields of every test stream: `i` i64, `d` decimal(2), `f` f64, `b` bool, `s` string, `t` timestamp,
/// `y` bytes.
const AGGREGATES: [&str; 24] = [
    "count(*)",
    "count(s)",
    "count(i)",
    "sum(i)",
    "sum(d)",
    "sum(f)",
    "sum(d * 3)",
    "avg(d)",
    "avg(f)",
    "min(i)",
    "max(f)",
    "min(d)",
    "max(t)",
    "variance(d)",
    "variance_pop(f)",
    "stddev(f)",
    "stddev_pop(i)",
    "first(s)",
    "last(d)",
    "last(b)",
    "first(f)",
    "last(y)",
    "approx_distinct(s)",
    "approx_distinct(i)",
];
const FILTERS: [&str; 6] =
    ["i > 3", "s = 'b'", "b", "d < 0", "f is not null and i < 5", "not b or s <> 'a'"];
const WINDOWS: [(&str, &str, &str); 7] = [
    ("\"5m\", \"1h\"", "", "1m"),
    ("\"5m\", \"1h\", \"24h\", \"7d\"", "", "60s"),
    ("\"1s\", \"10s\", \"61s\"", "", "3s"),
    ("\"7s\", \"20s\", \"59s\"", "\"3s\", \"3s\", \"6s\"", "10s"),
    ("\"90s\", \"1h\"", "\"90s\", \"15m\"", "10m"),
    ("\"1s\", \"2500ms\"", "\"100ms\", \"100ms\"", "50ms"),
    ("\"2s\", \"24h\", \"30d\"", "\"1s\", \"1s\", \"6h\"", "1h"),
];

/// A definition and what is needed to feed it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) text: String,
    pub(crate) stream: Stream,
    pub(crate) group: WindowGroup,
}

impl Case {
    pub(crate) fn new(
        windows: &str,
        hops: &str,
        horizon: &str,
        id: Option<&str>,
        features: &[String],
    ) -> Self {
        let id = id.map_or(String::new(), |id| format!("event_id = {id:?}\n"));
        let hops = if hops.is_empty() { String::new() } else { format!("hops = [{hops}]\n") };
        let mut text = format!(
            "[entity.e]\nkey = \"string\"\n[stream.s]\nevent_time = \"ts\"\n{id}horizon = {horizon:?}\n[stream.s.fields]\n\
             ts = \"timestamp\"\nk = \"string\"\nid = \"string\"\nnid = \"i64\"\ni = \"i64\"\nd = \"decimal(2)\"\n\
             f = \"f64\"\nb = \"bool\"\ns = \"string\"\nt = \"timestamp\"\ny = \"bytes\"\n\
             [group.g]\nentity = \"e\"\nstream = \"s\"\nkey = \"k\"\nwindows = [{windows}]\n{hops}[group.g.features]\n"
        );
        for (index, feature) in features.iter().enumerate() {
            text.push_str(&format!("a{index} = {feature:?}\n"));
        }
        let definitions = Definitions::parse("case.toml", &text, &Definitions::default());
        let mut definitions = definitions.unwrap_or_else(|error| panic!("{error}\n{text}"));
        let GroupKind::Windows(group) = definitions.groups.remove(0).kind else {
            panic!("a window group was defined")
        };
        Self { text, stream: definitions.streams.remove(0), group }
    }

    pub(crate) fn random(random: &mut Prng) -> Self {
        let (windows, hops, horizon) = choose(random, &WINDOWS);
        let count = random.between(1, 12);
        let features: Vec<_> = (0..count)
            .map(|_| {
                let aggregate = choose(random, &AGGREGATES);
                if random.chance(0.3) {
                    format!("{aggregate} filter (where {})", choose(random, &FILTERS))
                } else {
                    (*aggregate).to_owned()
                }
            })
            .collect();
        let id = choose(random, &[None, Some("id"), Some("nid")]);
        Self::new(windows, hops, horizon, *id, &features)
    }

    pub(crate) fn plan(&self) -> WindowPlan {
        WindowPlan::new(&self.stream, &self.group)
    }

    /// The longest window and the horizon, in ms: how far back times matter.
    pub(crate) fn reach_ms(&self) -> i64 {
        self.group.windows.iter().map(|window| window.length_ms).max().expect("one")
            + self.stream.horizon_ms
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
    /// An event at `time`; few distinct values, many nulls, now and then an extreme, ids that repeat.
    pub(crate) fn random(random: &mut Prng, case: &Case, time: i64) -> Self {
        let few = random.below(4) == 0;
        let fields: Vec<_> = case
            .stream
            .fields
            .iter()
            .map(|field| {
                let is_id = ["ts", "id", "nid"].contains(&field.name.as_str());
                if !is_id && random.chance(0.15) {
                    return None;
                }
                let small = random.between(-10, if few { 10 } else { 10_000 });
                Some(match field.data_type {
                    DataType::Timestamp if field.name.as_str() == "ts" => Value::Timestamp(time),
                    DataType::Timestamp => Value::Timestamp(small),
                    DataType::I64 if random.chance(0.01) => {
                        Value::I64(*choose(random, &[i64::MIN, i64::MAX, i64::MAX / 2]))
                    }
                    DataType::I64 => Value::I64(small),
                    DataType::Decimal(scale) if random.chance(0.01) => {
                        Value::Decimal(1_000_000_000_000_000, scale)
                    }
                    DataType::Decimal(scale) => Value::Decimal(small, scale),
                    DataType::F64 => Value::F64(random.unit() * 1000.0 - 300.0),
                    DataType::Bool => Value::Bool(random.chance(0.5)),
                    DataType::Bytes => Value::Bytes(vec![7; index(random, 4)].into()),
                    _ => Value::String(format!("{}", choose(random, &['a', 'b', 'c', 'd'])).into()),
                })
            })
            .collect();
        let id = match case.stream.event_id.and_then(|field| fields[field].clone()) {
            Some(Value::I64(number)) => Id::Number(number),
            Some(Value::String(text)) => Id::Text(text.into()),
            _ => Id::Hash(
                (u128::from(random.next_u64()) << 64 | u128::from(random.next_u64())).to_le_bytes(),
            ),
        };
        Self { time, id, fields }
    }

    /// Hands the exact fields to `take`.
    pub(crate) fn exact<T>(
        &self,
        stream: &Stream,
        take: impl FnOnce(&[Option<ValueRef<'_>>]) -> T,
    ) -> T {
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
            plan.prepare(fields, self.time, &self.id.bytes(), &mut prepared)
                .expect("no expression fails");
        });
        prepared
    }

    pub(crate) fn tell(&self, case: &Case, oracle: &mut Oracle) {
        self.exact(&case.stream, |fields| oracle.accept(fields, self.time, self.id.clone()));
    }
}

/// All columns of an entity.
pub(crate) fn read(
    entity: &EntityWindows,
    plan: &WindowPlan,
    at: ReadAt,
    scratch: &mut ReadScratch,
) -> Vec<Answer> {
    let columns: Vec<_> = (0..plan.column_count()).collect();
    let selection = plan.select(&columns);
    let mut answers = vec![Ok(None); columns.len()];
    entity.read(plan, &selection, at, scratch, &mut |position, value| {
        answers[position] = value.map(|value| value.map(ValueRef::to_owned));
    });
    answers
}

/// Equal to the bit.
pub(crate) fn is_same(a: &Answer, b: &Answer) -> bool {
    match (a, b) {
        (Ok(Some(Value::F64(a))), Ok(Some(Value::F64(b)))) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}
