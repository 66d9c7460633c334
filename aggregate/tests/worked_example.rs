//! The worked example of docs/semantics.md, "Correctness": six payments of a card, read at 12:07:08.250.

use aggregate::{EntityWindows, PreparedEvent, ReadAt, ReadScratch, WindowPlan};
use model::{
    definition::{Definitions, GroupKind},
    time::{HOUR_MS, MINUTE_MS, SECOND_MS},
    value::ValueRef,
};

/// Each aggregate with its value over 5m as the page gives it.
const EXPECTED: [(&str, &str); 22] = [
    ("count(*)", "4"),
    ("sum(amount)", "100.00"),
    ("avg(amount)", "25"),
    ("min(amount)", "10.00"),
    ("max(amount)", "40.00"),
    ("variance(amount)", "166.66666666666666"),
    ("stddev(amount)", "12.909944487358056"),
    ("variance_pop(amount)", "125"),
    ("first(country)", "CH"),
    ("last(amount)", "40.00"),
    ("lag(amount, 1)", "20.00"),
    ("last_n(amount, 2)", "[40.00,20.00]"),
    ("time_since_last()", "0"),
    ("rate()", "0.012976438032642229"),
    ("approx_distinct(country)", "3"),
    ("approx_quantile(amount, 0.5)", "20.18689221231008"),
    ("top_k(country, 2)", r#"{"exact":true,"top":[["CH",2],["DE",1]]}"#),
    ("ema(amount, '1m')", "35.42577282577575"),
    ("cusum(amount, 25, 0)", "15.00"),
    ("cusum_low(amount, 25, 0)", "0.00"),
    ("sum(amount) by country", r#"{"CH":30.00,"DE":30.00,"FR":40.00}"#),
    ("count(*) filter (where country = 'CH')", "2"),
];

#[test]
fn the_page_gives_the_values_that_are_served() {
    let mut text = "[entity.e]\nkey = \"string\"\n[stream.s]\nevent_time = \"ts\"\n[stream.s.fields]\nts = \"timestamp\"\n\
                    card = \"string\"\namount = \"decimal(2)\"\ncountry = \"string\"\n[group.g]\nentity = \"e\"\nstream = \"s\"\n\
                    key = \"card\"\nwindows = [\"5m\"]\nhops = [\"15s\"]\n[group.g.features]\n"
        .to_owned();
    for (index, (aggregate, _)) in EXPECTED.iter().enumerate() {
        text.push_str(&format!("a{index} = \"{aggregate}\"\n"));
    }
    let definitions =
        Definitions::parse("page.toml", &text, &Definitions::default()).expect("valid");
    let GroupKind::Windows(group) = &definitions.groups[0].kind else { panic!("of windows") };
    let plan = WindowPlan::new(&definitions.streams[0], group);
    let at = |minute: i64, ms: i64| 12 * HOUR_MS + minute * MINUTE_MS + ms;
    let payments = [
        (at(1, 59_999), 9900, "US"),
        (at(2, 0), 1000, "CH"),
        (at(3, 10 * SECOND_MS), 3000, "DE"),
        (at(5, 0), 2000, "CH"),
        (at(7, 8_250), 4000, "FR"),
        (at(7, 8_251), 7700, "US"),
    ];
    let (mut entity, mut event) = (EntityWindows::default(), PreparedEvent::default());
    for (time, amount, country) in payments {
        let fields = [
            Some(ValueRef::Timestamp(time)),
            Some(ValueRef::String("c1")),
            Some(ValueRef::Decimal(amount, 2)),
            Some(ValueRef::String(country)),
        ];
        plan.prepare(&fields, time, b"id", &mut event).expect("no expression fails");
        entity.update(&plan, &event, at(7, 9_000));
    }
    let columns: Vec<_> = (0..plan.column_count()).collect();
    let mut found = vec![String::new(); columns.len()];
    let read_at = ReadAt::Exact { x: at(7, 8_251) };
    let selection = plan.select(&columns);
    entity.read(&plan, &selection, read_at, &mut ReadScratch::default(), &mut |column, value| {
        let value = value.expect("nothing overflows").expect("there are events");
        found[column] = value.to_owned().to_string();
    });
    for ((aggregate, expected), found) in EXPECTED.iter().zip(found) {
        assert_eq!(found, *expected, "{aggregate}");
    }
}
