//! Random definitions: any aggregate, filter and `by`, over any kind of window.

use aggregate::WindowPlan;
use model::definition::{Definitions, GroupKind, Stream, WindowGroup};
use stdx::prng::Prng;

use super::{choose, every::EVERY};

/// Aggregates over the fields of every test stream: `i` i64, `d` decimal(2), `f` f64, `b` bool, `s` string, `t` timestamp,
/// `y` bytes.
const AGGREGATES: [&str; 42] = [
    "count(s)",
    "count(i)",
    "sum(i)",
    "sum(d)",
    "sum(d * 3)",
    "avg(d)",
    "avg(i)",
    "min(i)",
    "max(f)",
    "max(t)",
    "min(t)",
    "variance(i)",
    "stddev(f)",
    "stddev_pop(i)",
    "first(b)",
    "first(f)",
    "first(t)",
    "last(d)",
    "last(b)",
    "last(y)",
    "lag(s, 0)",
    "lag(f, 1)",
    "lag(y, 30)",
    "last_n(f, 3)",
    "last_n(t, 2)",
    "last_n(b, 256)",
    "last_n(y, 9)",
    "approx_distinct(s)",
    "approx_distinct(i, 14)",
    "approx_distinct(d, 10)",
    "approx_quantile(i, 0.5)",
    "approx_quantile(f, 0.999)",
    "approx_quantile(d, 0)",
    "approx_quantile(i, 1)",
    "top_k(i, 10)",
    "top_k(f, 64)",
    "top_k(b, 1)",
    "ema(f, '3s')",
    "ema(i, '1d')",
    "cusum(i, 0, 0)",
    "cusum(f, 200, 12.5)",
    "cusum_high(d, -3.25, 1)",
];
/// Those that can be taken by the values of something.
const GROUPED: [&str; 8] =
    ["count(*)", "count(i)", "sum(i)", "sum(f)", "avg(d)", "min(d)", "max(f)", "max(t)"];
const BY: [&str; 8] = ["s", "b", "i", "i % 7", "d", "f", "t", "y"];
const FILTERS: [&str; 6] =
    ["i > 3", "s = 'b'", "b", "d < 0", "f is not null and i < 5", "not b or s <> 'a'"];

/// Windows, hops and horizon.
type Spans = (&'static str, &'static str, &'static str);

pub(crate) const WINDOWS: [Spans; 14] = [
    ("\"5m\", \"1h\"", "", "1m"),
    ("\"5m\", \"1h\", \"24h\", \"7d\"", "", "60s"),
    ("\"1s\", \"10s\", \"61s\"", "", "3s"),
    ("\"7s\", \"20s\", \"59s\"", "\"3s\", \"3s\", \"6s\"", "10s"),
    ("\"90s\", \"1h\"", "\"90s\", \"15m\"", "10m"),
    ("\"1s\", \"2500ms\"", "\"100ms\", \"100ms\"", "50ms"),
    ("\"2s\", \"24h\", \"30d\"", "\"1s\", \"1s\", \"6h\"", "1h"),
    ("\"all\"", "", "1m"),
    ("\"5m\", \"24h\", \"all\"", "", "1m"),
    ("\"5m\", \"5m offset 5m\", \"1h offset 7s\"", "", "1m"),
    ("\"24h\", \"24h offset 1d\", \"7d offset 7d\"", "", "2h"),
    ("\"10s\", \"10s offset 1ms\", \"5s offset 2m\", \"all\"", "", "5s"),
    ("\"1h offset 30m\"", "\"7m\"", "20m"),
    ("\"2s offset 3s\", \"20s\", \"60s offset 59s\"", "\"500ms\", \"2s\", \"2s\"", "700ms"),
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
        let spans = *choose(random, &WINDOWS);
        let count = random.between(1, 12);
        let features: Vec<_> = (0..count).map(|_| feature(random, spans)).collect();
        let id = *choose(random, &[None, Some("id"), Some("nid")]);
        Self::of(spans, id, &features)
    }

    pub(crate) fn of(
        (windows, hops, horizon): Spans,
        id: Option<&str>,
        features: &[String],
    ) -> Self {
        Self::new(windows, hops, horizon, id, features)
    }

    pub(crate) fn plan(&self) -> WindowPlan {
        WindowPlan::new(&self.stream, &self.group)
    }

    /// The longest reach of a window, and the horizon, in ms: how far back times matter.
    pub(crate) fn reach_ms(&self) -> i64 {
        let sliding = self.group.windows.iter().filter(|window| !window.is_lifetime());
        let reach = sliding.map(|window| window.length_ms + window.offset_ms).max();
        // Where everything matters: an hour, so that there are some events in each minute.
        reach.unwrap_or(3_600_000) + self.stream.horizon_ms
    }

    /// True for a column that is made of a count, a sum or an extreme, which most are.
    pub(crate) fn is_number(&self, column: usize) -> bool {
        let text = &self.group.features[self.group.columns[column].feature].text;
        let functions =
            ["count", "sum", "avg", "min", "max", "var", "stddev", "rate", "time_since"];
        !text.contains(" by ") && functions.iter().any(|function| text.starts_with(function))
    }

    /// True for a distinct count.
    pub(crate) fn is_distinct(&self, column: usize) -> bool {
        let text = &self.group.features[self.group.columns[column].feature].text;
        !text.contains(" by ") && text.starts_with("approx_distinct")
    }

    /// Of a column, for a message.
    pub(crate) fn describe(&self, column: usize) -> String {
        let column = &self.group.columns[column];
        format!("{} = {}", column.field.name, self.group.features[column.feature].text)
    }
}

/// Any feature that these windows allow.
pub(crate) fn feature(random: &mut Prng, spans: Spans) -> String {
    let filter = random.chance(0.3).then(|| *choose(random, &FILTERS));
    let by = random.chance(0.2).then(|| *choose(random, &BY));
    loop {
        let aggregate = match by {
            Some(_) => *choose(random, &GROUPED),
            None if random.chance(0.5) => *choose(random, &EVERY),
            None => *choose(random, &AGGREGATES),
        };
        if is_allowed(aggregate, spans) {
            return written(aggregate, filter, by);
        }
    }
}

fn written(aggregate: &str, filter: Option<&str>, by: Option<&str>) -> String {
    // Some bring their own `by`, which comes last.
    let (call, own) =
        aggregate.split_once(" by ").map_or((aggregate, None), |(c, by)| (c, Some(by)));
    let filter = filter.map_or(String::new(), |filter| format!(" filter (where {filter})"));
    let by = by.or(own).map_or(String::new(), |by| format!(" by {by}"));
    format!("{call}{filter}{by}")
}

/// Distinct counts end now; cumulative sums need tiles.
pub(crate) fn is_allowed(aggregate: &str, (windows, ..): Spans) -> bool {
    let is_distinct = aggregate.starts_with("approx_distinct");
    let is_cusum = aggregate.starts_with("cusum");
    !(is_distinct && windows.contains("offset") || is_cusum && windows.contains("all"))
}
