//! Pushed events: accepted, duplicate, late, rejected; seen at once, invisible ahead of time, exactly once across a crash.

use crate::harness::{Place, START, by, get, push};
use engine::{ReadOptions, ReadRequest, WriteOptions};
use model::time::format_timestamp;

const BUYING: &[&str] = &["buying:orders_5m", "buying:spent_1d"];

fn order<'a>(id: &'a str, at: &'a str) -> [&'a str; 4] {
    [id, "ann", "1.25", at]
}

#[test]
fn every_event_gets_its_verdict() {
    let place = Place::new();
    place.clock.set_wall_ms(START + 40 * 24 * 3_600_000);
    let database = place.start();
    let now = START + 40 * 24 * 3_600_000;
    let at = |offset: i64| format_timestamp(now + offset);
    let (now_text, soon, far, old) = (at(0), at(4_000), at(6_000), at(-2 * 24 * 3_600_000));
    let events: &[&[&str]] = &[
        &order("a", &now_text),
        &order("a", &now_text),
        &order("b", &soon),
        &order("c", &far),
        &order("d", &old),
        &["e", "ann", "null", "null"],
    ];
    let written = push(&database, "orders", events, &WriteOptions::default());
    let outcome = written.outcome;
    let counts = (outcome.applied, outcome.duplicate, outcome.late, outcome.rejected);
    assert_eq!(counts, (2, 1, 1, 2), "{:?}", written.rejects);
    let reasons: Vec<_> =
        written.rejects.iter().map(|reject| (reject.index, reject.reason.as_str())).collect();
    for (index, part) in
        [(1, "within the last 1h"), (3, "6s ahead"), (4, "oldest any window"), (5, "at")]
    {
        assert!(
            reasons.iter().any(|(i, why)| *i == index && why.contains(part)),
            "{index}: {reasons:?}"
        );
    }
    let read = |clock: i64| {
        place.clock.set_wall_ms(clock);
        get(&database, BUYING, "ann", ReadOptions::default())
    };
    assert_eq!(read(now), ["PARTIAL 1", "PARTIAL 1.25"], "an event ahead of now is not seen yet");
    assert_eq!(read(now + 4_000), ["PARTIAL 2", "PARTIAL 2.50"]);
    assert_eq!(
        read(now + 3_600_000),
        ["PRESENT 0", "PARTIAL 2.50"],
        "five minutes are observed by now"
    );
}

#[test]
fn a_retried_write_is_applied_once_across_a_crash() {
    let place = Place::new();
    let database = place.start();
    // The stream declares no id: only the sequence tells a retry from a second click.
    let at = format_timestamp(START);
    let clicks: &[&[&str]] = &[&["ann", &at], &["ann", &at]];
    let first = push(&database, "clicks", clicks, &by(1));
    assert_eq!((first.repeated, first.outcome.applied), (false, 2));
    let again = push(&database, "clicks", clicks, &by(1));
    assert_eq!((again.repeated, again.outcome), (true, first.outcome));
    database.abandon();
    drop(database);
    place.fs.crash(&mut stdx::prng::Prng::new(9));
    let database = place.open();
    let again = push(&database, "clicks", clicks, &by(1));
    assert_eq!((again.repeated, again.outcome), (true, first.outcome));
    assert_eq!(
        get(&database, &["clicking:clicks_1h"], "ann", ReadOptions::default()),
        ["PARTIAL 2"]
    );
    push(&database, "clicks", clicks, &by(2));
    assert_eq!(
        get(&database, &["clicking:clicks_1h"], "ann", ReadOptions::default()),
        ["PARTIAL 4"]
    );
}

#[test]
fn an_as_of_below_the_floor_is_refused_with_the_floor() {
    let place = Place::new();
    let database = place.start();
    push(&database, "clicks", &[&["ann", &format_timestamp(START)]], &WriteOptions::default());
    let plan = database.plan_features(&["clicking:*"]).expect("defined");
    let read = |as_of, snap| {
        let options = ReadOptions { as_of: Some(as_of), snap, ..ReadOptions::default() };
        database.read(&plan, &engine::ReadRequest { keys: &[b"ann"], request_rows: &[], options })
    };
    assert!(read(START - 60_000, false).is_ok());
    let error = read(START - 60_001, false).expect_err("too old");
    assert!(
        matches!(error, engine::Error::AsOfTooOld { floor, .. } if floor == START - 60_000),
        "{error}"
    );
    assert!(read(START - 60_001, true).expect("snapped").snapped);
}

#[test]
fn duplicates_are_known_after_a_crash_and_forgotten_after_their_span() {
    let place = Place::new();
    let database = place.start();
    let at = format_timestamp(START);
    push(&database, "orders", &[&order("a", &at)], &WriteOptions::default());
    database.abandon();
    drop(database);
    place.fs.crash(&mut stdx::prng::Prng::new(1));
    let database = place.open();
    let again = push(&database, "orders", &[&order("a", &at)], &WriteOptions::default());
    assert_eq!((again.outcome.applied, again.outcome.duplicate), (0, 1));
    place.clock.advance_ms(3_600_000);
    let later = push(&database, "orders", &[&order("a", &at)], &WriteOptions::default());
    assert_eq!((later.outcome.applied, later.outcome.duplicate), (1, 0));
}

/// The machine's clock is set back by more than the horizon after events were folded: now stays where it was, so that no read
/// below the floor passes for exact, and what comes meanwhile is judged by the same floor.
#[test]
fn a_clock_set_back_does_not_take_now_back() {
    let place = Place::new();
    let database = place.start();
    push(&database, "orders", &[&["o1", "ada", "1.00", &format_timestamp(START)]], &by(1));
    place.clock.set_wall_ms(START + 600_000);
    let at = format_timestamp(START + 600_000);
    push(&database, "orders", &[&["o2", "ada", "2.00", &at]], &by(2));
    while !database.sweep(100).is_round_over {}
    place.clock.set_wall_ms(START + 300_000);
    let now = get(&database, &["buying:orders_1d"], "ada", ReadOptions::default());
    assert_eq!(now, ["PARTIAL 2"]);
    let plan = database.plan_features(&["buying:orders_1d"]).expect("defined");
    let options = ReadOptions { as_of: Some(START + 400_000), ..ReadOptions::default() };
    let request = ReadRequest { keys: &[b"ada"], request_rows: &[], options };
    let refused = database.read(&plan, &request).expect_err("it is below the floor");
    assert!(refused.to_string().contains("the oldest this group answers exactly"), "{refused}");
}
