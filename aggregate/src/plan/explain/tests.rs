//! Every figure a second time: from real entities, from every phase of a read, from every ms of a day.

use model::{
    definition::{Definitions, GroupKind},
    value::ValueRef,
};
use stdx::prng::Prng;

use super::*;
use crate::{
    EntityWindows, PreparedEvent, ReadAt, ReadScratch,
    distinct::{state::DistinctState, token},
    entity::MERGED,
};

struct Case {
    stream: Stream,
    group: WindowGroup,
    plan: WindowPlan,
}

fn case(windows: &str, features: &[&str]) -> Case {
    let mut text = format!(
        "[entity.e]\nkey = \"string\"\n[stream.x]\nevent_time = \"ts\"\n[stream.x.fields]\nts = \"timestamp\"\n\
         i = \"i64\"\nd = \"decimal(2)\"\ns = \"string\"\nb = \"bool\"\n[group.g]\nentity = \"e\"\n\
         stream = \"x\"\nkey = \"s\"\nwindows = [{windows}]\n[group.g.features]\n"
    );
    for (index, feature) in features.iter().enumerate() {
        text.push_str(&format!("f{index} = {feature:?}\n"));
    }
    let definitions = Definitions::parse("test.toml", &text, &Definitions::default());
    let mut definitions = definitions.unwrap_or_else(|error| panic!("{error}\n{text}"));
    let stream = definitions.streams.remove(0);
    let GroupKind::Windows(group) = definitions.groups.remove(0).kind else { panic!("of windows") };
    let plan = WindowPlan::new(&stream, &group);
    Case { stream, group, plan }
}

impl Case {
    fn explain(&self, load: &Load) -> Explanation {
        self.plan.explain(&self.stream, &self.group, load)
    }

    /// An event as `load` describes it.
    fn prepare(&self, load: &Load, random: &mut Prng, time: i64, event: &mut PreparedEvent) {
        let number = random.between(0, i64::try_from(load.number_max).expect("small"));
        let text = format!("value-{:06}", random.below(load.values));
        let fields = [
            Some(ValueRef::Timestamp(time)),
            Some(ValueRef::I64(number)),
            Some(ValueRef::Decimal(random.between(0, 100 * number.max(1_000)), 2)),
            Some(ValueRef::String(&text)),
            Some(ValueRef::Bool(random.chance(load.filter_share))),
        ];
        let id = random.next_u64().to_le_bytes().repeat(2);
        self.plan.prepare(&fields, time, &id, event).expect("no expression fails");
    }

    /// Mean and most bytes of an entity with so many events in the span, over its second span; 0 when it has none by then.
    fn measure(&self, load: &Load, span_ms: i64, events: u64, seed: u64) -> (f64, usize) {
        const SAMPLES: i64 = 64;
        let mut random = Prng::new(seed);
        let gap_ms = span_ms as f64 / events as f64;
        let (mut entity, mut event) = (EntityWindows::default(), PreparedEvent::default());
        let (mut bytes, mut most) = (Vec::new(), 0);
        let start = 1_700_000_000_000_i64;
        let mut at = 0.0;
        for sample in 0..2 * SAMPLES {
            let until = (sample + 1) as f64 * span_ms as f64 / SAMPLES as f64;
            while at < until {
                if at > 0.0 {
                    let time = start + i64::try_from(load::whole(at)).expect("small");
                    self.prepare(load, &mut random, time, &mut event);
                    entity.update(&self.plan, &event, time);
                    most = most.max(entity.bytes());
                }
                at -= gap_ms * (1.0 - random.unit()).ln();
            }
            if sample >= SAMPLES {
                bytes.push(entity.bytes() as f64);
            }
        }
        (bytes.iter().sum::<f64>() / bytes.len() as f64, most)
    }

    /// Requires expectations within a quarter of what entities take, and none to take more than the worst.
    fn check(&self, load: &Load) {
        let explained = self.explain(load);
        let mut wrong = Vec::new();
        for cost in &explained.entities {
            // Few events of one entity tell little: several entities do.
            let entities = if cost.events < 100 { 40 } else { 1 };
            let measured: Vec<_> = (0..entities)
                .map(|seed| self.measure(load, explained.span_ms, cost.events, seed + 1))
                .filter(|(mean, _)| *mean > 0.0)
                .collect();
            let mean = measured.iter().map(|(mean, _)| mean).sum::<f64>() / measured.len() as f64;
            let most = measured.iter().map(|(_, most)| *most).max().expect("some") as u64;
            let ratio = cost.expected as f64 / mean;
            println!("{cost:?}: measured {mean:.0}, most {most}, ratio {ratio:.2}");
            if !(0.8..1.25).contains(&ratio) || most > cost.worst {
                wrong.push(format!("{cost:?}: measured {mean:.0}, most {most}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

fn loads(events: &[u64]) -> Load {
    Load { events: events.to_vec(), ..Load::default() }
}

#[test]
fn entities_of_numbers_take_what_is_expected() {
    let features =
        ["count(*)", "sum(d)", "stddev(d)", "max(d)", "min(i)", "count(*) filter (where b)"];
    case("\"5m\", \"1h\", \"24h\", \"7d\"", &features)
        .check(&loads(&[1, 10, 100, 1_000, 10_000, 100_000]));
    case("\"1h\", \"30d\"", &features[..2]).check(&loads(&[1, 10, 100, 1_000, 10_000, 100_000]));
}

#[test]
fn entities_with_edges_and_ids_take_what_is_expected() {
    let features = ["count(*)", "last(s)", "first(i) filter (where b)", "time_since_last()"];
    case("\"1h\", \"24h\"", &features).check(&loads(&[1, 10, 100, 1_000, 10_000]));
}

#[test]
fn young_events_are_counted_in() {
    // 60 s of horizon: 2,000 of 120,000 events an hour are young.
    case("\"5m\", \"1h\"", &["count(*)", "sum(d)"]).check(&loads(&[120_000]));
}

#[test]
fn entities_with_summaries_take_what_is_expected() {
    for feature in [
        "approx_distinct(s)",
        "last_n(i, 5)",
        "approx_quantile(d, 0.5)",
        "top_k(s, 5)",
        "sum(d) by s",
        "ema(d, '6h')",
    ] {
        case("\"1h\", \"24h\"", &["count(*)", feature]).check(&loads(&[10, 100, 1_000, 10_000]));
    }
}

/// A state of its own: `events` draws of `values` values, evenly over twice `tiles`.
fn distinct_bytes(precision: u8, values: u64, events: u64, tiles: i64) -> f64 {
    let mut state = DistinctState::new(precision);
    let mut random = Prng::new(9);
    let (mut sum, mut samples) = (0.0, 0.0);
    for event in 0..2 * events {
        let tile = i64::try_from(event * tiles.unsigned_abs() / events).expect("small");
        let value = random.below(values);
        state.forget_before(tile - tiles);
        state.insert(tile, token::of_value(ValueRef::I64(i64::try_from(value).expect("small"))));
        if event > events && event % 7 == 0 {
            sum += state.bytes() as f64;
            samples += 1.0;
        }
    }
    sum / samples
}

#[test]
fn distinct_counts_take_what_is_expected() {
    for (precision, values, events, tiles) in [
        (12, 100, 10, 240),
        (12, 100, 1_000, 240),
        (12, 500, 10_000, 240),
        (12, 1_000_000, 10_000, 168),
        (12, 1_000_000, 100_000, 168),
        (12, 20_000, 100_000, 8_760),
        (10, 1_000_000, 100_000, 720),
        (14, 1_000_000, 100_000, 720),
    ] {
        let load = Load { values, ..Load::default() };
        let measured = distinct_bytes(precision, values, events, tiles);
        let expected = sketch::distinct(precision, &load, events as f64, tiles as f64);
        let worst = sketch::distinct_worst(precision, events as f64);
        println!(
            "{precision} {values} {events} {tiles}: expected {expected:.0}, measured {measured:.0}, worst {worst:.0}"
        );
        assert!(
            (0.75..1.33).contains(&(expected / measured)),
            "expected {expected}, measured {measured}"
        );
        assert!(measured <= worst, "worst {worst}, measured {measured}");
    }
}

#[test]
fn windows_cover_what_is_said() {
    let windows = ["\"5m\", \"1h\", \"24h\"", "\"90s\", \"7d offset 1d\", \"100s offset 7s\""];
    for windows in windows {
        let case = case(windows, &["count(*)"]);
        let explained = case.explain(&Load::default());
        for (index, window) in explained.windows.iter().enumerate() {
            let span = case.plan.window(index).expect("it is there");
            let length = window.length_ms.expect("it slides");
            let (mut over, mut under, mut shift) = (0, 0, 0);
            // Ends lie within a day and a ms as they lie anywhere.
            for x in (0..2 * DAY_MS).step_by(997).chain(0..120_000) {
                let (start, head) = (span.start(x), span.head(x));
                over = over.max(head - start - length);
                under = under.max(length - (head - start));
                shift = shift.max(x - window.offset_ms - head);
            }
            let said = (window.over_ms_max, window.under_ms_max, window.shift_ms_max);
            let hop = window.hop_ms.expect("it slides");
            // Steps of 997 ms come within 1 s of the farthest of an hour.
            let near = |said: i64, seen: i64| seen <= said && said - seen < hop.min(1_000);
            let is_met = near(said.0, over) && near(said.1, under) && near(said.2, shift);
            assert!(is_met, "{}: {said:?}, seen {:?}", window.label, (over, under, shift));
        }
    }
}

#[test]
fn a_month_of_hours_merges_at_most_130_tiles() {
    let explained = case("\"5m\", \"24h\", \"30d\"", &["count(*)"]).explain(&Load::default());
    let month = &explained.windows[2];
    assert!(month.tiles_merged_max <= 15 + 721_u64.div_ceil(16) + 15, "{month:?}");
    assert_eq!(month.hop_ms, Some(DAY_MS / 24));
    assert!(explained.read.tiles_merged_max <= 130, "{explained:?}");
}

#[test]
fn reads_merge_as_many_tiles_as_is_said() {
    let load = Load::default();
    for windows in [
        "\"1h\", \"24h\", \"30d\"",
        "\"5m\", \"1h\", \"24h\", \"7d\"",
        "\"1h\", \"24h\", \"7d offset 1d\"",
        "\"24h\", \"all\"",
    ] {
        let case = case(windows, &["count(*)", "max(d)"]);
        let explained = case.explain(&load);
        let columns: Vec<_> = (0..case.plan.column_count()).collect();
        let of_windows = (0..explained.windows.len()).map(|window| {
            let of_window = |column: &usize| case.group.columns[*column].window == window;
            let columns: Vec<_> = columns.iter().copied().filter(of_window).collect();
            (columns, explained.windows[window].tiles_merged_max)
        });
        let mut reads: Vec<_> = of_windows.collect();
        reads.push((columns.clone(), explained.read.tiles_merged_max));
        let mut seen = vec![0; reads.len()];
        let mut random = Prng::new(3);
        let (mut entity, mut event) = (EntityWindows::default(), PreparedEvent::default());
        let mut scratch = ReadScratch::default();
        // An event in every tile; reads over the last 20 hours, which every block of hours begins in.
        let step_ms = 10_000 + 5;
        let start = 1_700_000_000_000;
        let end = start + explained.span_ms + 2 * DAY_MS;
        for now in (start..end).step_by(step_ms) {
            case.prepare(&load, &mut random, now, &mut event);
            entity.update(&case.plan, &event, now);
            if now < end - DAY_MS * 5 / 6 || random.below(4) > 0 {
                continue;
            }
            for ((columns, _), seen) in reads.iter().zip(&mut seen) {
                let selection = case.plan.select(columns);
                MERGED.with(|merged| merged.set(0));
                let at = ReadAt::Exact { x: now - random.between(0, 60_000) };
                entity.read(&case.plan, &selection, at, &mut scratch, &mut |_, _| {});
                *seen = MERGED.with(std::cell::Cell::get).max(*seen);
            }
        }
        for ((columns, said), seen) in reads.iter().zip(&seen) {
            let seen = *seen as u64;
            println!("{windows}: columns {columns:?}: {seen} seen, {said} said");
            assert!(seen <= *said, "{windows}, columns {columns:?}: {seen} seen, {said} said");
            assert!(
                (seen + 1) * 5 >= *said * 3,
                "{windows}, columns {columns:?}: {seen} seen, {said} said"
            );
        }
    }
}

#[test]
fn the_largest_loads_are_explained() {
    for features in [&["count(*)", "sum(d)"][..], &["approx_distinct(s)"]] {
        let explained = case("\"5m\", \"7d\"", features).explain(&loads(&[u64::MAX]));
        assert!(explained.entities.iter().all(|entity| entity.is_tiled), "{explained:?}");
    }
}
