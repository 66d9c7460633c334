//! Events are taken back: from every window group that holds them, exactly once, across crashes; or refused with the reason.

use std::sync::Arc;

use engine::{
    Config, Database, Error, ProducerId, PushRequest, ReadOptions, RejectKind, RetractRequest,
    SyncPolicy, WriteOptions, Written,
};
use model::time::format_timestamp;
use stdx::{clock::ManualClock, prng::Prng};
use storage::fs::SimFs;

use crate::harness::{START, get, pack};

const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[entity.shop]
key = "string"
[stream.sales]
event_time = "at"
event_id = "sale"
dedup = "1h"
retract = true
[stream.sales.fields]
sale = "string"
user = "string"
shop = "string"
price = "decimal(2)"
at = "timestamp"
[stream.visits]
event_time = "at"
event_id = "visit"
[stream.visits.fields]
visit = "i64"
user = "string"
at = "timestamp"
[stream.history]
event_time = "at"
event_id = "number"
retract = true
clock = "event"
[stream.history.fields]
number = "i64"
user = "string"
at = "timestamp"
[group.buying]
entity = "user"
stream = "sales"
key = "user"
windows = ["5m", "1d"]
[group.buying.features]
sales = "count(*)"
spent = "sum(price)"
dearest = "max(price)"
dear = "count(*) filter (where price > 100)"
[group.selling]
entity = "shop"
stream = "sales"
key = "shop"
windows = ["1h"]
[group.selling.features]
sales = "count(*)"
[group.visiting]
entity = "user"
stream = "visits"
key = "user"
windows = ["1h"]
[group.visiting.features]
visits = "count(*)"
[group.past]
entity = "user"
stream = "history"
key = "user"
windows = ["1h"]
[group.past.features]
events = "count(*)"
"#;

struct Place {
    fs: SimFs,
    clock: Arc<ManualClock>,
}

impl Place {
    fn new() -> Self {
        Self { fs: SimFs::new(), clock: Arc::new(ManualClock::at(START)) }
    }

    fn open(&self) -> Database<SimFs> {
        let config = Config {
            sync: SyncPolicy::Always,
            seed: 5,
            segment_bytes: 1 << 16,
            ..Config::default()
        };
        Database::open(self.fs.clone(), &config, self.clock.clone()).expect("opens")
    }

    fn start(&self) -> Database<SimFs> {
        let database = self.open();
        let applied = database.apply("test.toml", DEFINITIONS, false).expect("valid definitions");
        applied.ticket.expect("something was applied").wait().expect("synced");
        database
    }

    /// The database after a power cut.
    fn crash(&self, database: Database<SimFs>, seed: u64) -> Database<SimFs> {
        database.abandon();
        drop(database);
        self.fs.crash(&mut Prng::new(seed));
        self.open()
    }
}

fn by(sequence: u64) -> WriteOptions {
    WriteOptions { producer: ProducerId(77), sequence, sync: None }
}

fn packed(
    database: &Database<SimFs>,
    stream: &str,
    rows: &[&[&str]],
) -> (usize, usize, Vec<Vec<u8>>) {
    let (_, definitions) = database.definitions();
    let (index, definition) = definitions.stream(stream).expect("defined");
    let rows = rows.iter().map(|cells| pack(&definition.fields, cells)).collect();
    (index, definition.fields.len(), rows)
}

fn push(database: &Database<SimFs>, stream: &str, events: &[&[&str]]) -> Written {
    let (stream, fields, rows) = packed(database, stream, events);
    let request = PushRequest { stream, fields, events: rows.iter().map(Vec::as_slice).collect() };
    let written = database.push(&request, &WriteOptions::default()).expect("the push is taken");
    written.ticket.wait().expect("synced");
    written
}

fn retract(
    database: &Database<SimFs>,
    stream: &str,
    events: &[&[&str]],
    options: &WriteOptions,
) -> Written {
    let (stream, fields, rows) = packed(database, stream, events);
    let request =
        RetractRequest { stream, fields, events: rows.iter().map(Vec::as_slice).collect() };
    let written = database.retract(&request, options).expect("the retraction is taken");
    written.ticket.wait().expect("synced");
    written
}

/// Retracted, late, rejected.
fn counts(written: &Written) -> (u32, u32, u32) {
    (written.outcome.applied, written.outcome.late, written.outcome.rejected)
}

const ANN: &[&str] = &["buying:sales_5m", "buying:spent_1d", "buying:dearest_1d"];

fn ann(database: &Database<SimFs>) -> Vec<String> {
    get(database, ANN, "ann", ReadOptions::default())
}

#[test]
fn an_event_leaves_every_group_and_its_id_may_be_used_again() {
    let place = Place::new();
    let database = place.start();
    let at = format_timestamp(START);
    let nobody = WriteOptions::default();
    push(
        &database,
        "sales",
        &[&["a", "ann", "kiosk", "1.25", &at], &["b", "ann", "kiosk", "9", &at]],
    );
    assert_eq!(ann(&database), ["PARTIAL 2", "PARTIAL 10.25", "PARTIAL 9.00"]);
    // Only id, time and keys count: the price may be left out.
    let written = retract(&database, "sales", &[&["b", "ann", "kiosk", "-", &at]], &nobody);
    assert_eq!(counts(&written), (1, 0, 0), "{:?}", written.rejects);
    assert_eq!(ann(&database), ["PARTIAL 1", "PARTIAL 1.25", "PARTIAL 1.25"]);
    let kiosk = || get(&database, &["selling:sales_1h"], "kiosk", ReadOptions::default());
    assert_eq!(kiosk(), ["PARTIAL 1"]);
    let corrected = push(&database, "sales", &[&["b", "ann", "kiosk", "7", &at]]);
    assert_eq!(corrected.outcome.applied, 1, "{:?}", corrected.rejects);
    assert_eq!(ann(&database), ["PARTIAL 2", "PARTIAL 8.25", "PARTIAL 7.00"]);
    assert_eq!(kiosk(), ["PARTIAL 2"]);
}

#[test]
fn every_retraction_gets_its_verdict() {
    let place = Place::new();
    let database = place.start();
    let at = |offset: i64| format_timestamp(START + offset);
    let (old, young) = (at(-60_001), at(-60_000));
    push(
        &database,
        "sales",
        &[&["a", "ann", "kiosk", "1", &old], &["b", "ann", "kiosk", "2", &young]],
    );
    let rows: &[&[&str]] = &[
        &["a", "ann", "kiosk", "-", &old],
        &["b", "ann", "kiosk", "-", &young],
        &["b", "ann", "kiosk", "-", &young],
        &["c", "ann", "kiosk", "-", &young],
        &["b", "ann", "kiosk", "-", &at(0)],
        &["null", "ann", "kiosk", "-", &young],
        &["b", "null", "-", "-", &young],
        &["b", "ann", "kiosk", "-", "null"],
    ];
    let written = retract(&database, "sales", rows, &WriteOptions::default());
    assert_eq!(counts(&written), (1, 1, 6), "{:?}", written.rejects);
    for (index, kind, part) in [
        (0, RejectKind::Late, "only events within `horizon` (1m) can be retracted"),
        (2, RejectKind::Rejected, "no event of this id and time"),
        (3, RejectKind::Rejected, "no event of this id and time"),
        (4, RejectKind::Rejected, "no event of this id and time"),
        (5, RejectKind::Rejected, "sale: expected the event id, got null"),
        (6, RejectKind::Rejected, "the key field of at least one window group"),
        (7, RejectKind::Rejected, "at: expected the event time, got null"),
    ] {
        let reject = written.rejects.iter().find(|reject| reject.index == index).expect("refused");
        assert!(reject.kind == kind && reject.reason.contains(part), "{index}: {reject:?}");
    }
    assert_eq!(ann(&database)[1..], ["PARTIAL 1.00", "PARTIAL 1.00"], "what is too old stays");
}

#[test]
fn a_stream_that_does_not_declare_it_takes_no_retraction() {
    let place = Place::new();
    let database = place.start();
    let at = format_timestamp(START);
    push(&database, "visits", &[&["1", "ann", &at]]);
    let (stream, fields, rows) = packed(&database, "visits", &[&["1", "ann", &at]]);
    let request =
        RetractRequest { stream, fields, events: rows.iter().map(Vec::as_slice).collect() };
    let error = database.retract(&request, &by(1)).expect_err("not declared");
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    assert!(error.to_string().contains("does not declare retract = true"), "{error}");
    assert_eq!(
        get(&database, &["visiting:visits_1h"], "ann", ReadOptions::default()),
        ["PARTIAL 1"]
    );
}

#[test]
fn a_retried_retraction_is_applied_once_across_a_crash() {
    let place = Place::new();
    let database = place.start();
    let at = format_timestamp(START);
    let sale: &[&str] = &["a", "ann", "kiosk", "3", &at];
    let unknown: &[&str] = &["z", "ann", "kiosk", "3", &at];
    push(&database, "sales", &[sale]);
    let first = retract(&database, "sales", &[sale, unknown], &by(1));
    assert_eq!((first.repeated, counts(&first)), (false, (1, 0, 1)));
    // The same event again, corrected: a retry of the retraction must not take this one.
    push(&database, "sales", &[&["a", "ann", "kiosk", "4", &at]]);
    let again = retract(&database, "sales", &[sale, unknown], &by(1));
    assert_eq!((again.repeated, again.outcome), (true, first.outcome));
    let live = database.digest().expect("readable");
    let database = place.crash(database, 3);
    assert_eq!(database.digest().expect("readable"), live);
    let again = retract(&database, "sales", &[sale, unknown], &by(1));
    assert_eq!((again.repeated, again.outcome), (true, first.outcome));
    assert_eq!(ann(&database), ["PARTIAL 1", "PARTIAL 4.00", "PARTIAL 4.00"]);
    let duplicate = push(&database, "sales", &[&["a", "ann", "kiosk", "5", &at]]);
    assert_eq!(duplicate.outcome.duplicate, 1, "the corrected event's id is remembered");
}

#[test]
fn the_id_of_a_retracted_event_is_free_after_a_crash_too() {
    let place = Place::new();
    let database = place.start();
    let at = format_timestamp(START);
    let sale: &[&str] = &["a", "ann", "kiosk", "3", &at];
    push(&database, "sales", &[sale]);
    retract(&database, "sales", &[sale], &by(1));
    let database = place.crash(database, 4);
    assert_eq!(push(&database, "sales", &[sale]).outcome.applied, 1);
}

#[test]
fn an_event_is_taken_out_of_the_groups_that_know_it() {
    let place = Place::new();
    let database = place.start();
    let at = format_timestamp(START);
    // In `selling` it counts; its user is null, so `buying` has never seen it.
    let sale: &[&str] = &["a", "null", "kiosk", "3", &at];
    push(&database, "sales", &[sale]);
    assert_eq!(counts(&retract(&database, "sales", &[sale], &by(1))), (1, 0, 0));
}

#[test]
fn a_clock_that_is_set_back_opens_no_past() {
    let place = Place::new();
    let database = place.start();
    let at = format_timestamp(START);
    push(&database, "sales", &[&["a", "ann", "kiosk", "3", &at]]);
    place.clock.set_wall_ms(START + 3_600_000);
    push(&database, "sales", &[&["b", "ann", "kiosk", "3", &format_timestamp(START + 3_600_000)]]);
    place.clock.set_wall_ms(START);
    let row: &[&str] = &["a", "ann", "kiosk", "-", &at];
    assert_eq!(counts(&retract(&database, "sales", &[row], &by(1))), (0, 1, 0));
    let database = place.crash(database, 6);
    assert_eq!(counts(&retract(&database, "sales", &[row], &by(2))), (0, 1, 0));
}

#[test]
fn on_the_event_clock_the_floor_follows_the_events() {
    let place = Place::new();
    let database = place.start();
    let at = |minute: i64| format_timestamp(minute * 60_000);
    assert_eq!(counts(&retract(&database, "history", &[&["1", "ann", &at(0)]], &by(1))), (0, 0, 1));
    push(&database, "history", &[&["1", "ann", &at(0)], &["2", "ann", &at(1)]]);
    assert_eq!(counts(&retract(&database, "history", &[&["1", "ann", &at(0)]], &by(2))), (1, 0, 0));
    push(&database, "history", &[&["3", "ann", &at(3)]]);
    assert_eq!(counts(&retract(&database, "history", &[&["2", "ann", &at(1)]], &by(3))), (0, 1, 0));
    assert_eq!(get(&database, &["past:events_1h"], "ann", ReadOptions::default()), ["PARTIAL 2"]);
}

/// Without `dedup` several events may have one time and id.
#[test]
fn events_of_one_time_and_id_go_together() {
    let place = Place::new();
    let database = place.start();
    let at = format_timestamp(0);
    let same: &[&str] = &["1", "ann", &at];
    push(&database, "history", &[same, same, &["2", "ann", &at]]);
    assert_eq!(counts(&retract(&database, "history", &[same, same], &by(1))), (1, 0, 1));
    assert_eq!(get(&database, &["past:events_1h"], "ann", ReadOptions::default()), ["PARTIAL 1"]);
}

#[test]
fn the_worked_example_of_the_semantics_page_holds() {
    let place = Place::new();
    let database = place.start();
    let noon = START + 12 * 3_600_000;
    let at = |second: i64| format_timestamp(noon + second * 1000);
    let shown = |second: i64| {
        place.clock.set_wall_ms(noon + second * 1000);
        let values = get(&database, &["buying:*"], "ann", ReadOptions::default());
        // Count, sum and max of the five minutes; each feature has two windows.
        [0, 2, 4].map(|at| values[at].replace("PRESENT ", "")).join(" ")
    };
    let sale = |id: &str, price: &str, second: i64| {
        [id.to_owned(), "ann".to_owned(), "kiosk".to_owned(), price.to_owned(), at(second)]
    };
    let push = |row: [String; 5]| push(&database, "sales", &[&row.each_ref().map(String::as_str)]);
    let retract = |row: [String; 5]| {
        let row = row.each_ref().map(String::as_str);
        counts(&retract(&database, "sales", &[&row], &WriteOptions::default()))
    };
    place.clock.set_wall_ms(noon + 5_000);
    push(sale("p1", "10", 4));
    assert_eq!(shown(6), "1 10.00 10.00");
    push(sale("p2", "900", 5));
    assert_eq!(shown(20), "2 910.00 900.00");
    assert_eq!(retract(sale("p2", "-", 5)), (1, 0, 0));
    assert_eq!(shown(21), "1 10.00 10.00");
    push(sale("p2", "90", 5));
    assert_eq!(shown(40), "2 100.00 90.00");
    push(sale("p3", "5", 1));
    assert_eq!(shown(90), "3 105.00 90.00");
    assert_eq!(retract(sale("p1", "-", 4)), (0, 1, 0));
    assert_eq!(shown(91), "3 105.00 90.00");
    let group = database.group_index("buying").expect("defined");
    database.delete(group, &[b"ann"], &WriteOptions::default()).expect("taken");
    assert_eq!(shown(92), "0 0.00 NULL");
    assert_eq!(push(sale("p1", "10", 4)).outcome.duplicate, 1, "a delete frees no id");
    assert_eq!(shown(92), "0 0.00 NULL");
}

/// Random pushes and retractions: what is served is what a database serves that was only pushed what is left, and a restart
/// changes nothing. `LARDER_SEED` replays one seed.
#[test]
fn what_is_left_is_served_as_if_nothing_else_had_come() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|text| text.parse().ok());
    for seed in seed.map_or(0..15, |seed: u64| seed..seed + 1) {
        let mut random = Prng::new(seed);
        let place = Place::new();
        let mut database = place.start();
        let mut left: Vec<[String; 5]> = Vec::new();
        for step in 0..300 {
            place.clock.advance_ms(u32::try_from(random.below(900)).expect("small"));
            let now = stdx::clock::Clock::wall_ms(&*place.clock);
            if random.chance(0.35) && !left.is_empty() {
                let at = usize::try_from(random.below(left.len() as u64)).expect("small");
                let row: Vec<_> = left[at].iter().map(String::as_str).collect();
                let written = retract(&database, "sales", &[&row], &WriteOptions::default());
                let is_young =
                    model::time::parse_timestamp(&left[at][4]).expect("a time") >= now - 60_000;
                assert_eq!(
                    counts(&written),
                    if is_young { (1, 0, 0) } else { (0, 1, 0) },
                    "seed {seed}"
                );
                if is_young {
                    left.remove(at);
                }
            } else {
                let time = format_timestamp(now - random.between(0, 70_000));
                let user = ["ann", "bob", "null"][usize::try_from(random.below(3)).expect("small")];
                let price = format!("{}.50", random.below(200));
                let row = [format!("s{step}"), user.to_owned(), "kiosk".to_owned(), price, time];
                push(&database, "sales", &[&row.each_ref().map(String::as_str)]);
                left.push(row);
            }
            if random.chance(0.02) {
                let live = database.digest().expect("readable");
                database = place.crash(database, seed);
                assert_eq!(database.digest().expect("readable"), live, "seed {seed}");
            }
        }
        let other = Place { fs: SimFs::new(), clock: Arc::clone(&place.clock) };
        place.clock.set_wall_ms(START);
        let untouched = other.start();
        place.clock.set_wall_ms(START + 300_000);
        for row in &left {
            push(&untouched, "sales", &[&row.each_ref().map(String::as_str)]);
        }
        let digests = [database, untouched].map(|database| database.digest().expect("readable"));
        assert_eq!(digests[0], digests[1], "LARDER_SEED={seed}");
    }
}
