//! Every aggregate there is. A new one does not compile until it has a place here.

use model::definition::{Aggregate, AggregateFunction, CusumSide, Field};

/// One text for each place that [`place`] gives, and then the same aggregates by the values of something.
pub(crate) const EVERY: [&str; 27] = [
    "count(*)",
    "sum(f)",
    "avg(f)",
    "min(f)",
    "max(d)",
    "variance(f)",
    "variance_pop(d)",
    "stddev(d)",
    "stddev_pop(f)",
    "first(s)",
    "last(f)",
    "lag(d, 2)",
    "last_n(s, 5)",
    "time_since_last()",
    "rate()",
    "approx_distinct(f)",
    "approx_quantile(d, 0.9)",
    "top_k(s, 4)",
    "ema(d, '10m')",
    "cusum(d, 10, 0.5)",
    "cusum_high(f, 1, 0)",
    "cusum_low(i, 20, 3)",
    "count(*) by s",
    "sum(d) by i",
    "avg(f) by b",
    "min(i) by t",
    "max(t) by y",
];

fn place(function: AggregateFunction) -> usize {
    use AggregateFunction as F;
    match function {
        F::Count => 0,
        F::Sum => 1,
        F::Avg => 2,
        F::Min => 3,
        F::Max => 4,
        F::Variance => 5,
        F::VariancePop => 6,
        F::Stddev => 7,
        F::StddevPop => 8,
        F::First => 9,
        F::Last => 10,
        F::Lag { .. } => 11,
        F::LastN { .. } => 12,
        F::TimeSinceLast => 13,
        F::Rate => 14,
        F::ApproxDistinct { .. } => 15,
        F::ApproxQuantile { .. } => 16,
        F::TopK { .. } => 17,
        F::Ema { .. } => 18,
        F::Cusum { side: CusumSide::Both, .. } => 19,
        F::Cusum { side: CusumSide::High, .. } => 20,
        F::Cusum { side: CusumSide::Low, .. } => 21,
    }
}

#[test]
fn every_aggregate_has_its_place() {
    let case = super::Case::new("\"1h\"", "", "1m", None, &["count(*)".to_owned()]);
    let fields: &[Field] = &case.stream.fields;
    for (at, text) in EVERY.iter().enumerate() {
        let aggregate = Aggregate::compile(text, fields).expect(text);
        assert!(place(aggregate.function) == at || aggregate.by.is_some(), "{text} is at {at}");
    }
    // The last arm of `place`, so that one after it is missed here.
    assert_eq!(AggregateFunction::SIGNATURES.len(), 22);
}
