//! Arrival order: a live database is pushed to, corrected and read; replaying what it accepted gives what it answered, with the
//! same verdicts, the same statuses and all bits of the values: of windows, rows and derived features.

use engine::{
    ProducerId, ReadOptions,
    replay::{EntityReplay, EventOrigin, ReplayMoment, ReplayPlan, ReplayTarget, ReplayVersion},
};
use model::{
    column::{Column, ColumnRef},
    definition::StreamClock,
    packed_row::{Cell, write_row},
    value::{Value, ValueRef},
};
use stdx::prng::Prng;

use crate::{
    history::{Happened, Live, START},
    workload::{Case, Event, Spread, choose, seed},
};

const VALUES_MIN: usize = 60_000;
const KEYS: [&str; 4] = ["a", "b", "c", "d"];
/// Beside the random window group.
const MORE: &str = "
[group.r]
entity = \"e\"
max_age = \"1h\"
[group.r.features]
country = \"string\"
limit = \"i64\"
[service.v]
features = [\"g:*\", \"r:country\", \"r:limit\"]
[service.v.request]
amount = \"i64\"
[service.v.derived]
twice = \"limit * 2\"
left = \"limit - request.amount\"
of_first = \"limit / request.amount\"
";

#[test]
fn a_replay_gives_what_a_live_database_answered() {
    let seed = seed(20_260_601);
    let (mut values, mut round) = (0, 0);
    while values < VALUES_MIN {
        values += one_history(seed, round);
        round += 1;
    }
    println!("{values} values of {round} histories, LARDER_SEED={seed}");
}

fn one_history(seed: u64, round: u64) -> usize {
    let mut random = Prng::stream(seed, &format!("arrival {round}"));
    let case = Case::random(&mut random);
    let text = with_rules(&mut random, &case);
    let mut live = Live::start(&text);
    let request = packed_request(&live, 7);
    let mut sent: Vec<Event> = Vec::new();
    let mut event_clock = START - 5_000_000;
    for _ in 0..250 {
        let step = case.stream.horizon_ms / *choose(&mut random, &[2, 20, 200, 20_000]);
        live.clock.advance_ms(u32::try_from(random.between(0, step)).expect("small"));
        event_clock += random.between(0, step);
        let base = if text.contains("clock = \"event\"") { event_clock } else { live.wall_ms() };
        let key = *choose(&mut random, &KEYS);
        match random.below(12) {
            0 => {
                let cell = |value: Value, random: &mut Prng| match random.below(4) {
                    0 => None,
                    1 => Some(None),
                    _ => Some(Some(value)),
                };
                let country = cell(Value::String("CH".into()), &mut random);
                let limit = cell(Value::I64(random.between(0, 5)), &mut random);
                let time = live.wall_ms() - random.between(-2_000, 4_000_000);
                let (group, _) = live.database.definitions().1.group("r").expect("defined");
                if country.is_some() || limit.is_some() {
                    live.put(group, key, time, &[country, limit]);
                }
            }
            1 if random.chance(0.2) => live.delete(usize::from(random.chance(0.5)), key),
            2 if text.contains("retract = true") && !sent.is_empty() => {
                let event = choose(&mut random, &sent).clone();
                live.retract(event);
            }
            3..=6 => {
                let as_of = match random.below(4) {
                    0 => None,
                    1 => Some(base),
                    _ => Some(base - random.between(-10, 2 * case.stream.horizon_ms)),
                };
                let (exclusive, snap) = (random.chance(0.3), random.chance(0.5));
                let options = ReadOptions { as_of, exclusive, snap, times: false };
                live.read(key, options, &request);
            }
            _ => {
                let count = random.between(1, 4);
                let events: Vec<_> = (0..count).map(|_| event(&mut random, &case, base)).collect();
                sent.extend(events.iter().cloned());
                live.push(events);
            }
        }
    }
    let context = format!("LARDER_SEED={seed} history {round}\n{text}");
    compare(&live, &text, &request, &context)
}

/// The definitions of `case` with dedup, retractions and clocks at random, and more groups.
fn with_rules(random: &mut Prng, case: &Case) -> String {
    let mut rules = String::new();
    if case.stream.event_id.is_some() {
        rules += if random.chance(0.6) { "dedup = \"20s\"\n" } else { "" };
        rules += if random.chance(0.5) { "retract = true\n" } else { "" };
    }
    rules += if random.chance(0.4) { "clock = \"event\"\n" } else { "" };
    case.text.replacen("horizon =", &format!("{rules}horizon ="), 1) + MORE
}

fn event(random: &mut Prng, case: &Case, base: i64) -> Event {
    let late = (case.reach_ms() * 2) >> random.between(0, 20);
    let ahead = if random.chance(0.1) { random.between(0, 9_000) } else { 0 };
    let time = base + ahead - random.between(0, late.max(1));
    let mut event = Event::spread(random, case, time, Spread { values: 8, first: 0.3 });
    let at = |name: &str| {
        case.stream.fields.iter().position(|field| field.name.as_str() == name).expect("a field")
    };
    event.fields[at("k")] =
        random.chance(0.97).then(|| Value::String((*choose(random, &KEYS)).into()));
    Event::new(case, time, event.fields, [0, 0])
}

fn packed_request(live: &Live, amount: i64) -> Vec<u8> {
    let (_, definitions) = live.database.definitions();
    let (_, service) = definitions.service("v").expect("defined");
    let mut row = Vec::new();
    write_row(&mut row, &service.request, [Cell::Value(ValueRef::I64(amount))]).expect("typed");
    row
}

/// Replays each key's share of what happened; returns how many values were compared.
fn compare(live: &Live, text: &str, request: &[u8], context: &str) -> usize {
    let version = ReplayVersion { applied_at_ms: START, file: "case.toml", text };
    let plan = ReplayPlan::of_versions(&[version], ReplayTarget::Service("v")).expect("valid");
    let views = verdicts(live, &plan, context);
    let mut compared = 0;
    for key in KEYS {
        for (output, column) in replayed(live, &plan, &views, key, request).iter().enumerate() {
            let reads = live.happened.iter().filter_map(|one| match one {
                Happened::Read { key: of, columns, options, .. } if of == key => {
                    Some((options, columns))
                }
                _ => None,
            });
            for (place, (options, expected)) in reads.enumerate() {
                // Shown, floats that differ in a bit differ.
                let expected = expected.get(output).expect("as many columns");
                let shown = |column: ColumnRef<'_>, row| format!("{:?}", column.get(row));
                let (given, wanted) = (shown(column.view(), place), shown(expected, 0));
                let name = &plan.read_plan().outputs()[output].0;
                assert_eq!(given, wanted, "{name} of {key}, read {place} {options:?}\n{context}");
                compared += 1;
            }
        }
    }
    compared
}

/// What reads of the stream saw of its clock after each thing that happened.
#[derive(Debug, Clone, Copy)]
struct View {
    now: i64,
    observed_since: i64,
}

/// Decides about each event anew; the verdicts must be those of the database.
fn verdicts(live: &Live, plan: &ReplayPlan, context: &str) -> Vec<View> {
    let mut intake = plan.intake(0).expect("the stream");
    let is_wall = intake.stream().clock == StreamClock::Wall;
    let since = plan.defined_at(0).expect("a window group").unwrap_or(i64::MAX);
    let mut view = View { now: if is_wall { START } else { i64::MIN }, observed_since: since };
    let mut views = Vec::new();
    let mut index = (0, 0);
    for happened in &live.happened {
        match happened {
            Happened::Event { event, sequence, wall_ms, refused } => {
                index =
                    if index.0 == *sequence { (*sequence, index.1 + 1) } else { (*sequence, 0) };
                let origin =
                    EventOrigin { producer: ProducerId(9), sequence: *sequence, index: index.1 };
                let cells = cells(event);
                let verdict = match intake.take(&cells, origin, &mut Vec::new()) {
                    Ok(taken) => intake.admit(taken, *wall_ms).map(|(kind, _)| kind),
                    Err(_) => Some(engine::RejectKind::Rejected),
                };
                assert_eq!(verdict, *refused, "{event:?}\n{context}");
                if verdict.is_none() && !is_wall {
                    view.now = view.now.max(event.time);
                    // An event that describes no entity is not accepted.
                    view.observed_since = view.observed_since.min(event.time);
                }
            }
            Happened::Retracted { event } => intake.forget(&event.id.bytes()),
            Happened::Read { wall_ms, .. } if is_wall => view.now = *wall_ms,
            _ => {}
        }
        views.push(view);
    }
    views
}

pub(crate) fn cells(event: &Event) -> Vec<Cell<'_>> {
    let fields = event.fields.iter();
    fields
        .map(|value| value.as_ref().map_or(Cell::Null, |value| Cell::Value(value.borrow())))
        .collect()
}

/// All columns of all reads of `key`.
fn replayed(
    live: &Live,
    plan: &ReplayPlan,
    views: &[View],
    key: &str,
    request: &[u8],
) -> Vec<Column> {
    let mut stored: Vec<Option<Column>> = plan.read_plan().outputs().iter().map(|_| None).collect();
    let mut rows = 0;
    for group in plan.groups() {
        let mut entity = plan.entity(group.index).expect("it is read");
        let mut columns = entity.columns(16);
        let is_windows = group.name == "g";
        rows = 0;
        let mut index = (0, 0);
        let mut intake = plan.intake(0).expect("the stream");
        for (at, happened) in live.happened.iter().enumerate() {
            match happened {
                Happened::Event { event, sequence, refused, .. } => {
                    index = if index.0 == *sequence {
                        (*sequence, index.1 + 1)
                    } else {
                        (*sequence, 0)
                    };
                    if refused.is_some() || !is_windows {
                        continue;
                    }
                    let origin = EventOrigin {
                        producer: ProducerId(9),
                        sequence: *sequence,
                        index: index.1,
                    };
                    intake.take(&cells(event), origin, &mut Vec::new()).expect("it was accepted");
                    let part = intake.parts().find(|part| part.key == key.as_bytes());
                    let views = (views, intake.stream().horizon_ms);
                    let floor = floor(live, &entity, views, (key, at));
                    if let Some(event) = part.and_then(|part| part.event) {
                        entity.update(event, floor);
                    }
                }
                Happened::Retracted { event }
                    if is_windows && event.fields[1] == Some(Value::String(key.into())) =>
                {
                    entity.retract(event.time, &event.id.bytes());
                }
                Happened::Put { key: of, time, row } if !is_windows && of == key => {
                    entity.put(*time, 2, row).expect("it was accepted");
                }
                Happened::Deleted { group: of, key: deleted }
                    if *of == group.index && deleted == key =>
                {
                    entity.forget();
                }
                Happened::Read { key: of, .. } if of == key => {
                    let moment = moment(happened, views[at], is_windows);
                    entity.read(&moment, &mut columns).expect("readable");
                    rows += 1;
                }
                _ => {}
            }
        }
        for (output, column) in group.outputs.iter().zip(columns) {
            stored[*output] = Some(column);
        }
    }
    let mut columns: Vec<_> = stored.into_iter().flatten().collect();
    plan.derive(&mut columns, &[request], rows).expect("request values are there");
    columns
}

fn moment(happened: &Happened, view: View, is_windows: bool) -> ReplayMoment {
    let Happened::Read { options, wall_ms, snapped, .. } = happened else { panic!("a read") };
    // Before the first event of an event clock a read asks about the year 1970.
    let now = if !is_windows {
        *wall_ms
    } else if view.now == i64::MIN {
        0
    } else {
        view.now
    };
    ReplayMoment {
        as_of: options.as_of.unwrap_or(now),
        exclusive: options.exclusive,
        is_past: options.as_of.is_some(),
        snapped_at: (is_windows && *snapped).then_some(now),
        observed_since: view.observed_since,
    }
}

/// The floor of all reads of `key` after `from`, and no later than that of now: events may be taken back yet.
fn floor(
    live: &Live,
    entity: &EntityReplay<'_>,
    (views, horizon_ms): (&[View], i64),
    (key, from): (&str, usize),
) -> i64 {
    let later = live.happened.iter().enumerate().skip(from).filter_map(|(at, happened)| {
        let Happened::Read { key: of, .. } = happened else { return None };
        (of == key).then(|| entity.floor_of(&moment(happened, views[at], true)))
    });
    later.chain([views[from].now.saturating_sub(horizon_ms)]).min().unwrap_or(i64::MIN)
}
