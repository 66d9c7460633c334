//! What an entity costs: a cold one its packed events, a hot one no more than its tiles.

use aggregate::{EntityWindows, PreparedEvent};
use model::value::ValueRef;

use crate::workload::Case;

/// Bytes after `events` events of one number, one every `gap_ms`.
fn bytes_after(events: i64, gap_ms: i64) -> usize {
    let features = ["count(*)", "sum(d)", "min(d)", "max(d)"].map(str::to_owned);
    bytes_of(
        &Case::new("\"5m\", \"1h\", \"24h\", \"7d\"", "", "1m", None, &features),
        events,
        gap_ms,
    )
}

fn bytes_of(case: &Case, events: i64, gap_ms: i64) -> usize {
    let plan = case.plan();
    let place = case
        .stream
        .fields
        .iter()
        .position(|field| field.name.as_str() == "d")
        .expect("it is there");
    let mut fields = vec![None; case.stream.fields.len()];
    let (mut entity, mut prepared) = (EntityWindows::default(), PreparedEvent::default());
    for event in 0..events {
        let now = 1_700_000_000_000 + event * gap_ms;
        fields[place] = Some(ValueRef::Decimal(event * 7919 % 100_000, 2));
        plan.prepare(&fields, now, b"", &mut prepared).expect("no expression fails");
        entity.update(&plan, &prepared, now);
    }
    entity.bytes()
}

#[test]
fn a_cold_entity_costs_about_nine_bytes_an_event() {
    assert!(bytes_after(1, 60_000) <= 24);
    let ten = bytes_after(10, 3_600_000);
    assert!(ten <= 120, "{ten} bytes for 10 events");
}

/// A cold entity has no tiles, whatever is asked of it: its events and their ids, once for all aggregates.
#[test]
fn a_cold_entity_pays_for_its_events_not_for_its_aggregates() {
    let features = ["last_n(d, 9)", "top_k(d, 3)", "approx_quantile(d, 0.5)", "ema(d, '1h')"];
    let features = [&features[..], &["sum(d) by d", "stddev(d)", "lag(d, 3)"]].concat();
    let features: Vec<_> = features.into_iter().map(str::to_owned).collect();
    let case = Case::new("\"1h\", \"7d\"", "", "1m", None, &features);
    let ten = bytes_of(&case, 10, 3_600_000);
    assert!(ten <= 300, "{ten} bytes for 10 events");
}

#[test]
fn a_hot_entity_is_bounded_by_its_tiles() {
    // 240 tiles of 15s and 168 of 1h, and as much again in events to be folded.
    let hot = bytes_after(200_000, 1_000);
    assert!(hot <= 16_000, "{hot} bytes");
}

#[test]
fn expired_events_do_not_pile_up() {
    let slow = bytes_after(2_000, 86_400_000);
    assert!(slow <= 300, "{slow} bytes for an event a day");
}
