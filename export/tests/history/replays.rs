//! A replay of a history gives what the server served: events late, twice and taken back, rows put and deleted, entities forgotten.
#![expect(clippy::disallowed_methods, reason = "a user's files; they are no files of a database")]

use engine::replay::{ReplayPlan, ReplayTarget};
use engine::{Database, ReadOptions, ReadRequest, WriteOptions};
use export::replay::{
    ReplayFiles, ReplayOptions, ReplayOrder, ReplayReport, ReplayStep, ReplayWatcher, replay_files,
};
use stdx::clock::Clock;
use stdx::prng::Prng;
use storage::fs::SimFs;

use crate::harness::{LAZY, Place, Writer, apply};

pub(crate) const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[stream.payments]
event_time = "ts"
event_id = "id"
dedup = "1m"
retract = true
horizon = "1m"
history = true
fields = { id = "string", card = "string", amount = "decimal(2)", ts = "timestamp" }
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["1m", "10m"]
features = { n = "count(*)", total = "sum(amount)", latest = "last(amount)", least = "min(amount)" }
[group.profile]
entity = "card"
max_age = "5m"
history = true
features = { country = "string", score = "i64" }
[service.all]
features = ["spend:*", "profile:*"]
"#;
pub(crate) const CARDS: [&str; 3] = ["a", "b", "c"];

/// What a server served: card, as-of, and each feature's status and value.
pub(crate) type Served = Vec<(String, i64, Vec<(String, String)>)>;

pub(crate) fn read(database: &Database<SimFs>, now: i64, served: &mut Served) {
    let plan = database.plan_service("all").expect("defined");
    for card in CARDS {
        let keys: &[&[u8]] = &[card.as_bytes()];
        let options = ReadOptions { as_of: Some(now), ..ReadOptions::default() };
        let request = ReadRequest { keys, request_rows: &[], options };
        let vectors = database.read(&plan, &request).expect("read");
        let values = vectors.columns.iter().map(|column| {
            let (status, value) = column.get(0).expect("a row");
            (
                status.to_string(),
                value.map_or_else(String::new, |value| value.to_owned().to_string()),
            )
        });
        served.push((card.to_owned(), now, values.collect()));
    }
}

/// Something happens at a server.
fn act(writer: &mut Writer<'_>, random: &mut Prng, now: i64) {
    let number = random.below(60);
    let card = CARDS[usize::try_from(random.below(3)).expect("small")];
    // The time of an event is told by its id, so that it can be found again; some are late, some too late.
    let time = (now - i64::try_from(number * number * 40).expect("small")).to_string();
    let (id, amount) = (format!("{number}"), format!("{}.{:02}", number, number % 100));
    match random.below(10) {
        0..=4 => {
            writer.push("payments", &[&[&id, card, &amount, &time]], now);
        }
        5 => {
            let known = writer.expected.iter().filter(|line| line.contains(" push "));
            let known: Vec<_> = known.cloned().collect();
            if known.is_empty() {
                return;
            }
            let back = random.below(known.len().min(8) as u64);
            let line = &known[known.len() - 1 - usize::try_from(back).expect("small")];
            let cells =
                line.split_once(" [").and_then(|(_, it)| it.rsplit_once("[")).expect("cells").1;
            let cells: Vec<_> = cells.trim_end_matches(']').split(' ').collect();
            writer.retract("payments", &[&[cells[0], cells[1], "-", cells[3]]]);
        }
        6 | 7 => writer.put("profile", &[(card, now - 5000, &["CH", &id])]),
        8 => writer.put("profile", &[(card, now - 1000, &["-", "null"])]),
        _ => {
            let group = if random.chance(0.5) { "spend" } else { "profile" };
            let (_, definitions) = writer.database.definitions();
            let (group, _) = definitions.group(group).expect("defined");
            let deleted =
                writer.database.delete(group, &[card.as_bytes()], &WriteOptions::default());
            deleted.expect("deleted").ticket.wait().expect("synced");
        }
    }
}

/// What a replay is given.
pub(crate) struct Given<'a> {
    pub(crate) definitions: &'a str,
    /// The history at the place.
    pub(crate) has_history: bool,
    /// Events of `payments`, as CSV.
    pub(crate) events: Option<&'a str>,
    /// Rows of `profile`, as CSV.
    pub(crate) rows: Option<&'a str>,
}

impl Given<'_> {
    pub(crate) const HISTORY: Self =
        Self { definitions: DEFINITIONS, has_history: true, events: None, rows: None };
}

/// Replays the cards and as-ofs of `served`; statuses and values of each.
pub(crate) fn replay(
    place: &Place,
    served: &Served,
    options: &ReplayOptions,
    given: &Given<'_>,
) -> (ReplayReport, Vec<Vec<(String, String)>>) {
    replay_beside(place, served, options, given, &|_| {})
}

/// As [`replay`], with somebody who does something beside it.
pub(crate) fn replay_beside(
    place: &Place,
    served: &Served,
    options: &ReplayOptions,
    given: &Given<'_>,
    step: &(dyn Fn(ReplayStep) + Sync),
) -> (ReplayReport, Vec<Vec<(String, String)>>) {
    let path = |name: &str| place.directory.path().join(name);
    let lines = served.iter().map(|(card, as_of, _)| format!("{card},{as_of}\n"));
    std::fs::write(path("spine.csv"), format!("card,as_of\n{}", lines.collect::<String>()))
        .expect("written");
    let file = |name: &str, text: &str| {
        let path = path(&format!("{name}.csv"));
        std::fs::write(&path, text).expect("written");
        (name.to_owned(), path)
    };
    let events = given.events.map(|text| file("payments", text));
    let events = events.map(|(name, path)| (Some(name), path));
    let history = given.has_history.then(|| (None, place.root()));
    let files = ReplayFiles {
        events: history.into_iter().chain(events).collect(),
        rows: given.rows.map(|text| file("profile", text)).into_iter().collect(),
        maps: Default::default(),
        spine: path("spine.csv"),
        as_of_column: "as_of".to_owned(),
        arrival_column: "arrival".to_owned(),
        service: Some("all".to_owned()),
        with_statuses: true,
        out: path("out.csv"),
    };
    let plan = ReplayPlan::new("test.toml", given.definitions, ReplayTarget::Service("all"))
        .expect("valid");
    let watcher = ReplayWatcher { step, rejected: &mut |it| panic!("{}", it.reason) };
    let report = replay_files(&plan, &files, options.clone(), watcher).expect("replayed");
    let text = std::fs::read_to_string(path("out.csv")).expect("read");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let outputs: Vec<_> =
        plan.read_plan().outputs().iter().map(|(name, _)| name.to_string()).collect();
    let column = |name: &str| header.iter().position(|it| *it == name).expect("a column");
    let rows = lines.map(|line| {
        let cell = |name: &str| line[column(name)].to_owned();
        outputs.iter().map(|name| (cell(&format!("{name}__status")), cell(name))).collect()
    });
    (report, rows.collect())
}

#[test]
fn replayed_in_order_of_arrival_a_history_gives_what_was_served() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("LARDER_SEED={seed}");
    let mut random = Prng::stream(seed, "history");
    let place = Place::new();
    let database = place.open();
    apply(&database, DEFINITIONS);
    let mut follower = place.follow(&database, LAZY);
    let mut writer = Writer::new(&place, &database, 1);
    let mut served = Served::new();
    for _ in 0..400 {
        place.clock.advance_ms(u32::try_from(random.below(3000)).expect("small") + 2);
        for _ in 0..=random.below(3) {
            let now = place.clock.wall_ms();
            act(&mut writer, &mut random, now);
        }
        place.clock.advance_ms(1);
        if random.chance(0.5) {
            read(&database, place.clock.wall_ms(), &mut served);
        }
    }
    place.clock.advance_ms(1);
    read(&database, place.clock.wall_ms(), &mut served);
    place.catch_up(&database, &mut follower);
    let arrival = ReplayOptions { order: ReplayOrder::Arrival, ..ReplayOptions::default() };
    let (report, replayed) = replay(&place, &served, &arrival, &Given::HISTORY);
    assert_eq!(report.rows, served.len() as u64);
    let mut differences = 0;
    for ((card, as_of, expected), found) in served.iter().zip(&replayed) {
        if expected != found {
            differences += 1;
            println!("{card} at {as_of}:\n  served   {expected:?}\n  replayed {found:?}");
        }
    }
    assert_eq!(differences, 0, "of {} vectors", served.len());
    let retracted = writer.expected.iter().filter(|line| line.contains(" retract ")).count();
    assert!(retracted > 10 && served.len() > 400, "{retracted} {}", served.len());
    // Rows of a file stand beside the history's events.
    let last: Served = served.split_off(served.len() - 3);
    let put = last[0].1 - 1000;
    let rows = format!("card,event_time,arrival,country,score\na,{put},{put},XX,7\n");
    let beside = Given { rows: Some(&rows), ..Given::HISTORY };
    let (_, beside) = replay(&place, &last, &arrival, &beside);
    for ((card, _, expected), found) in last.iter().zip(&beside) {
        let (windows, profile) = found.split_at(8);
        assert_eq!(windows, &expected[..8]);
        let profile: Vec<_> = profile.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(profile, if card == "a" { ["XX", "7"] } else { ["", ""] });
    }
    // In order of events what was taken back never was.
    let (_, by_time) = replay(&place, &last, &ReplayOptions::default(), &Given::HISTORY);
    for ((_, _, expected), found) in last.iter().zip(&by_time) {
        let columns = 0..8;
        let counts = |values: &[(String, String)]| {
            columns.clone().map(|it| values[it].1.clone()).collect::<Vec<_>>()
        };
        assert_eq!(counts(expected), counts(found));
    }
}
