//! Top values against brute force: no layout shows, exact counts are exact, estimates keep their promises.

use std::collections::{BTreeMap, BTreeSet};

use stdx::prng::Prng;

use super::*;
use crate::sketch::laws;

/// A value and the hash of the event.
type Event = (Vec<u8>, u64);

fn top_k<'a>(events: &'a [Event], parts: &'a [Vec<u8>]) -> TopK<'a> {
    let mut top_k = TopK::default();
    events.iter().for_each(|(key, hash)| top_k.update(key, *hash));
    parts.iter().for_each(|part| top_k.merge_bytes(part).expect("written"));
    top_k
}

fn write(events: &[Event], parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    top_k(events, parts).write(&mut out);
    out
}

/// Every one of `values` values at least once, small ones more often.
fn events(prng: &mut Prng, count: u64, values: u64) -> Vec<Event> {
    let draw = |prng: &mut Prng, index: u64| {
        let most = prng.below(values) + 1;
        let value = if index < values { index } else { prng.below(most) };
        (format!("value {value}").into_bytes(), prng.next_u64())
    };
    (0..count).map(|index| draw(prng, index)).collect()
}

fn truth(events: &[Event]) -> BTreeMap<&[u8], u64> {
    let mut counts = BTreeMap::new();
    events.iter().for_each(|(key, _)| *counts.entry(key.as_slice()).or_default() += 1);
    counts
}

#[test]
fn few_values_are_counted_exactly() {
    let seed = laws::seed();
    let mut prng = Prng::stream(seed, "few");
    for (count, values) in [(1, 1), (20, 5), (64, 64), (65, 64), (5_000, 1), (5_000, 64)] {
        let events = events(&mut prng, count, values);
        let items = greatest(truth(&events).into_iter().collect(), 10);
        let bytes = [write(&events, &[])];
        for top_k in [top_k(&events, &[]), top_k(&[], &bytes)] {
            let expected = Top { exact: true, error: 0, items: items.clone() };
            assert_eq!(top_k.top(10), expected, "LARDER_SEED={seed} {values} values");
        }
    }
}

#[test]
fn ties_go_to_the_smaller_value() {
    let events = ["b", "a", "c", "c"].map(|key| (key.into(), 0));
    let top_k = top_k(&events, &[]);
    assert_eq!(top_k.top(2).items, [(&b"c"[..], 2), (b"a", 1)]);
    assert_eq!(top_k.top(0).items, []);
    assert_eq!(top_k.top(9).items.len(), 3);
}

#[test]
fn the_65th_value_makes_it_an_estimate() {
    let mut prng = Prng::stream(laws::seed(), "65");
    for values in [64, 65, 512, 513] {
        let events = events(&mut prng, 2_000, values);
        let top_k = top_k(&events, &[]);
        let top = top_k.top(5);
        assert_eq!(top.exact, values == 64);
        // e · 2000 / 256 = 21.2
        assert_eq!(top.error, if top.exact { 0 } else { 22 });
    }
}

#[test]
fn any_order_and_grouping_gives_the_same_bytes() {
    let mut prng = Prng::stream(laws::seed(), "top k");
    for (count, values) in [
        (40, 10),
        (64, 64),
        (65, 65),
        (3_000, 64),
        (3_000, 65),
        (3_000, 512),
        (3_000, 513),
        (6_000, 3_000),
    ] {
        let events = events(&mut prng, count, values);
        laws::assert_order_free("top k", &events, 25, write);
    }
}

/// Equal hashes must not make it matter which event came first.
#[test]
fn any_order_of_events_of_one_hash_gives_the_same_bytes() {
    let mut prng = Prng::stream(laws::seed(), "one hash");
    let mut events = events(&mut prng, 1_000, 600);
    events.iter_mut().for_each(|(_, hash)| *hash %= 3);
    laws::assert_order_free("one hash", &events, 50, write);
    laws::assert_order_free("one hash", &events[..200], 50, write);
}

/// Tiles below and above each limit, merged in every direction, against one summary of all events.
#[test]
fn tiles_that_cross_the_limits_give_the_answer_of_the_whole() {
    let seed = laws::seed();
    let mut prng = Prng::stream(seed, "limits");
    let sizes = [0, 1, 64, 65, 511, 512, 513, 900];
    for first in sizes {
        for second in sizes {
            // Half of the values of the second are the first's as well.
            let of_first = events(&mut prng, first * 2, first);
            let mut of_second = events(&mut prng, second * 2, second);
            for (key, _) in of_second.iter_mut().step_by(2) {
                key.push(b'\'');
            }
            let all = [of_first.clone(), of_second.clone()].concat();
            let whole = top_k(&all, &[]);
            let tiles = [write(&of_first, &[]), write(&of_second, &[])];
            let turned = [tiles[1].clone(), tiles[0].clone()];
            for found in [
                top_k(&[], &tiles),
                top_k(&[], &turned),
                top_k(&of_first, &tiles[1..]),
                top_k(&of_second, &tiles[..1]),
            ] {
                assert_eq!(found.top(8), whole.top(8), "LARDER_SEED={seed} {first} and {second}");
            }
            let distinct = all.iter().map(|(key, _)| key).collect::<BTreeSet<_>>().len();
            assert_eq!(whole.top(1).exact, distinct <= EXACT_MAX);
            assert_eq!(whole.sketch.is_empty(), distinct <= SPILL);
        }
    }
}

/// Values of a share p are missed with probability (1 − p)^64, and what is found is within the error.
#[test]
fn frequent_values_are_found_at_the_stated_rate() {
    const ROUNDS: u32 = 400;
    let seed = laws::seed();
    let mut prng = Prng::stream(seed, "frequent");
    let shares = [0.05, 0.10, 0.20];
    let mut missed = [0_u32; 3];
    let mut beyond = 0;
    for _ in 0..ROUNDS {
        let draw = |prng: &mut Prng| {
            let at = prng.unit();
            let key = match at {
                _ if at < 0.05 => "five".to_owned(),
                _ if at < 0.15 => "ten".to_owned(),
                _ if at < 0.35 => "twenty".to_owned(),
                _ => format!("{}", prng.below(5_000)),
            };
            (key.into_bytes(), prng.next_u64())
        };
        let events: Vec<Event> = (0..3_000).map(|_| draw(&mut prng)).collect();
        let counts = truth(&events);
        let top_k = top_k(&events, &[]);
        let top = top_k.top(64);
        assert!(!top.exact);
        for (missed, key) in missed.iter_mut().zip(["five", "ten", "twenty"]) {
            let item = top.items.iter().find(|(found, _)| *found == key.as_bytes());
            *missed += u32::from(item.is_none());
        }
        for (key, count) in &top.items {
            let truth = counts[key];
            assert!(*count >= truth, "LARDER_SEED={seed}");
            beyond += u32::from(*count > truth + top.error);
        }
    }
    for (missed, share) in missed.iter().zip(shares) {
        let expected = f64::from(ROUNDS) * (1.0_f64 - share).powi(64);
        // Four standard deviations of a rare event, and one.
        let most = expected + 4.0 * expected.sqrt() + 1.0;
        assert!(
            f64::from(*missed) <= most,
            "LARDER_SEED={seed} share {share}: {missed} of {ROUNDS}"
        );
    }
    assert!(f64::from(beyond) <= 0.018 * 64.0 * f64::from(ROUNDS), "LARDER_SEED={seed}: {beyond}");
}

#[test]
fn bytes_are_as_documented() {
    let events = [("b", 1), ("a", 2), ("b", 0)].map(|(key, hash)| (key.into(), hash));
    let a = [1, b'a', 1, 0, 0, 0, 4];
    let b = [1, b'b', 2, 0, 0, 0, 0, 0, 0, 0, 2];
    assert_eq!(write(&events, &[]), [&[0][..], &a, &b].concat());
    let mut prng = Prng::stream(laws::seed(), "small");
    let events = self::events(&mut prng, 1_000, 2);
    // Form; for both, length, value, count, number of priorities; priorities.
    assert_eq!(write(&events, &[]).len(), 1 + 2 * (8 + 2 + 1) + 64 * 4);
}

#[test]
fn of_no_events_there_is_no_byte() {
    let mut top_k = TopK::default();
    assert!(top_k.is_empty());
    for values in [3, 600] {
        (0..values).for_each(|value| top_k.update(format!("{value}").into_bytes(), value));
        assert!(!top_k.is_empty());
        top_k.clear();
        let mut out = Vec::new();
        top_k.write(&mut out);
        assert_eq!((top_k.is_empty(), top_k.top(3).exact, out), (true, true, Vec::new()));
    }
}

#[test]
fn no_bytes_do_harm() {
    let mut prng = Prng::stream(laws::seed(), "bytes of top k");
    let valid = [(0, 1), (1, 1), (20, 5), (90, 4), (700, 520)]
        .map(|(count, values)| write(&events(&mut prng, count, values), &[]));
    laws::assert_safe_from_bytes("top k", &valid, |bytes| {
        let mut top_k = TopK::default();
        top_k.merge_bytes(bytes)?;
        let _any = top_k.top(10);
        let mut out = Vec::new();
        top_k.write(&mut out);
        Some(out)
    });
    // A value twice, more priorities than events, and a sketch of few events are written by nothing.
    let once = [1, b'v', 1, 0, 0, 0, 0];
    assert!(TopK::default().merge_bytes(&[&[0][..], &once].concat()).is_some());
    assert_eq!(TopK::default().merge_bytes(&[&[0][..], &once, &once].concat()), None);
    assert_eq!(TopK::default().merge_bytes(&[&[1, 1, b'v', 1, 2][..], &[0; 8]].concat()), None);
    assert_eq!(TopK::default().merge_bytes(&[&[2][..], &[0; 64 * 5 + 1_024]].concat()), None);
}
