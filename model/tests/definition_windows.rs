//! Windows and aggregates with constants: what is read, and what each refusal says.

use model::definition::{AggregateFunction as F, CusumSide, Definitions, GroupKind, WindowGroup};

fn group(windows: &str, feature: &str) -> Result<WindowGroup, String> {
    let text = format!(
        "[entity.e]\nkey = \"string\"\n[stream.x]\nevent_time = \"ts\"\n[stream.x.fields]\nts = \"timestamp\"\ni = \"i64\"\n\
         d = \"decimal(2)\"\nf = \"f64\"\ns = \"string\"\n[group.g]\nentity = \"e\"\nstream = \"x\"\nkey = \"s\"\n\
         windows = {windows}\n[group.g.features]\na = \"{feature}\"\n"
    );
    let definitions = Definitions::parse("f.toml", &text, &Definitions::default());
    let group = definitions.map_err(|error| error.to_string())?.groups.remove(0);
    let GroupKind::Windows(group) = group.kind else { panic!("of windows") };
    Ok(group)
}

#[test]
fn windows_have_names_lengths_offsets_and_hops() {
    let group = group("[\"all\", \"7d offset 7d\", \"7d\", \"5m\"]", "count(*)").expect("valid");
    let shown: Vec<_> = group
        .windows
        .iter()
        .map(|w| (w.label.as_str(), w.length_ms, w.offset_ms, w.hop_ms))
        .collect();
    let (day, hop) = (86_400_000, 6 * 3_600_000);
    let all = model::definition::Window::LIFETIME_MS;
    assert_eq!(
        shown,
        [
            ("5m", 300_000, 0, 15_000),
            ("7d", 7 * day, 0, hop),
            ("7d_offset_7d", 7 * day, 7 * day, hop),
            ("all", all, 0, all)
        ]
    );
    let names: Vec<_> = group.columns.iter().map(|column| column.field.name.as_str()).collect();
    assert_eq!(names, ["a_5m", "a_7d", "a_7d_offset_7d", "a_all"]);
}

#[test]
fn constants_are_read_exactly() {
    for (text, function, output) in [
        ("lag(d, 0)", F::Lag { n: 0 }, "decimal(2)"),
        ("last_n(s, 256)", F::LastN { n: 256 }, "string"),
        ("time_since_last()", F::TimeSinceLast, "i64"),
        ("rate() filter (where i > 0)", F::Rate, "f64"),
        ("approx_distinct(s)", F::ApproxDistinct { precision: 12 }, "i64"),
        ("approx_distinct(s, 14)", F::ApproxDistinct { precision: 14 }, "i64"),
        ("approx_quantile(d, 0.995)", F::ApproxQuantile { q_ppb: 995_000_000 }, "f64"),
        ("approx_quantile(d, 1)", F::ApproxQuantile { q_ppb: 1_000_000_000 }, "f64"),
        ("top_k(s, 3)", F::TopK { k: 3 }, "string"),
        ("ema(f, '30m')", F::Ema { half_life_ms: 1_800_000 }, "f64"),
        (
            "cusum(d, -1.5, 0)",
            F::Cusum { side: CusumSide::Both, target: -150, slack: 0 },
            "decimal(2)",
        ),
        (
            "cusum_low(f, 2, 0.25)",
            F::Cusum { side: CusumSide::Low, target: 2_000_000, slack: 250_000 },
            "f64",
        ),
        ("cusum_high(i, 2.0, 1)", F::Cusum { side: CusumSide::High, target: 2, slack: 1 }, "i64"),
    ] {
        let group = group("[\"1h\"]", text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let aggregate = &group.features[0].aggregate;
        assert_eq!(
            (aggregate.function, aggregate.output.to_string().as_str()),
            (function, output),
            "{text}"
        );
    }
}

#[test]
fn an_aggregate_is_taken_by_the_values_of_an_expression() {
    let group =
        group("[\"1h\"]", "sum(d) filter (where i > 0) by case when s = 'a' then 'a' else 'b' end");
    let aggregate = &group.expect("valid").features[0].aggregate;
    assert!(aggregate.by.is_some() && aggregate.filter.is_some());
    assert_eq!(aggregate.output.to_string(), "string");
}

#[test]
fn refusals_name_the_constant_and_what_is_allowed() {
    for (text, expected) in [
        ("lag(d)", "lag got 1 arguments; it is written lag(x, n)"),
        ("lag(d, 256)", "n of lag is a constant: a whole number from 0 to 255"),
        ("last_n(d, i)", "n of last_n is a constant: a whole number from 1 to 256"),
        ("time_since_last(d)", "time_since_last got 1 arguments; it is written time_since_last()"),
        ("rate(*)", "rate does not take *; it is written rate()"),
        (
            "approx_distinct(s, 9)",
            "precision of approx_distinct is a constant: a whole number from 10 to 16",
        ),
        ("approx_quantile(d, 1.5)", "q of approx_quantile is a constant: a number from 0 to 1"),
        ("approx_quantile(s, 0.5)", "approx_quantile needs a number, got a string"),
        ("top_k(s, 65)", "k of top_k is a constant: a whole number from 1 to 64"),
        ("ema(d, 30)", "half-life of ema is a constant: a quoted duration such as '30m'"),
        ("ema(d, '30 minutes')", "duration \"30 minutes\""),
        (
            "cusum(d, 1.005, 0)",
            "target of cusum is a constant: a number with at most the input's 2 decimal places",
        ),
        ("cusum(d, 1, -1)", "slack of cusum is 0 or more"),
        ("cusum(s, 1, 1)", "cusum needs a number"),
        ("stddev(d) by s", "stddev cannot be taken by values; count, sum, avg, min and max can"),
        ("count(*) by", "Expected: an expression"),
        ("count(*) by nothing_such", "1:13: nothing is called nothing_such"),
    ] {
        let message = group("[\"1h\"]", text).expect_err(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
    for (windows, feature, expected) in [
        ("[\"7d offset\"]", "count(*)", "one with an offset such as 7d offset 1d, or all"),
        ("[\"7d offset 1x\"]", "count(*)", "duration \"1x\""),
        ("[\"1h\", \"1h offset 1h\"]", "approx_distinct(s)", "put it into a group without offsets"),
        ("[\"1h\", \"all\"]", "cusum(d, 1, 0)", "put it into a group without all"),
        ("[\"1h offset 36500d\"]", "count(*)", "at most 1048574: give it a longer hop"),
    ] {
        let message = group(windows, feature).expect_err(windows);
        assert!(message.contains(expected), "{windows}: {message}");
    }
}
