//! Event order: a read at any time of the past sees exactly the events before it, as brute force finds them in the list of all.

use engine::replay::{EventOrigin, ReplayMoment, ReplayPlan, ReplayTarget};
use model::{status::Status, value::ValueRef};
use stdx::{hash::murmur3_x64_128, prng::Prng};

use crate::{
    arrival_order::cells,
    oracle::Oracle,
    workload::{Case, Event, Tally, Timeline, seed},
};

const VALUES_MIN: usize = 60_000;

#[test]
fn every_value_equals_brute_force() {
    let seed = seed(20_260_501);
    let (mut compared, mut round) = (Tally::default(), 0);
    while compared.values < VALUES_MIN {
        compared += one_history(seed, round);
        round += 1;
    }
    println!("{compared:?} of {round} histories, LARDER_SEED={seed}");
}

fn one_history(seed: u64, round: u64) -> Tally {
    let context = |why| format!("{why}\nLARDER_SEED={seed} history {round}");
    let mut random = Prng::stream(seed, &format!("replay {round}"));
    let case = Case::random(&mut random);
    let target = ReplayTarget::Features(&["g:*"]);
    let plan = ReplayPlan::new("case.toml", &case.text, target).expect("valid");
    let mut events = events(&mut random, &case);
    let mut oracle = Oracle::new(&case.stream, &case.group);
    events.iter().for_each(|event| event.tell(&case, &mut oracle));
    let since = events.iter().map(|event| event.time).min().expect("there are some");
    let mut reads = reads(&mut random, &case, &events);
    reads.sort_by_key(|moment: &ReplayMoment| moment.x());
    let mut order: Vec<_> = (0..events.len()).collect();
    order.sort_by_key(|place| events[*place].time);
    let mut intake = plan.intake(0).expect("the stream");
    let mut entity = plan.entity(0).expect("the group");
    let mut columns = entity.columns(reads.len());
    let mut waiting = order.into_iter().peekable();
    let mut moments = Vec::new();
    for moment in &mut reads {
        moment.observed_since = since;
        while let Some(place) = waiting.next_if(|place| events[*place].time < moment.x()) {
            let event = &mut events[place];
            let cells = cells(event);
            let origin = EventOrigin { sequence: place as u64, ..EventOrigin::default() };
            intake.take(&cells, origin, &mut Vec::new()).expect("no value is refused");
            let part = intake.parts().next().expect("one group");
            let event = part.event.filter(|event| event.time >= entity.late_before(moment.x()));
            event.into_iter().for_each(|event| entity.update(event, moment.x()));
        }
        entity.read(moment, &mut columns).expect("readable");
        moments.push(*moment);
    }
    let mut compared = Tally::default();
    for (row, moment) in moments.iter().enumerate() {
        for (column, values) in columns.iter().enumerate() {
            let (status, value) = values.get(row).expect("it was written");
            let answer = match status {
                Status::Error => Err(aggregate::Overflow),
                _ => Ok(value.map(ValueRef::to_owned)),
            };
            let expected = oracle.value(column, moment.x());
            let failed = |why| context(format!("{}\n{moment:?}: {why}", case.describe(column)));
            expected.check(&answer).unwrap_or_else(|why| panic!("{}", failed(why)));
            let start = oracle.start(column, moment.x());
            let is_partial = value.is_some() && start != i64::MIN && start < since;
            let what = "partial when its window starts before the first event";
            assert_eq!(status == Status::Partial, is_partial, "{}", failed(what.to_owned()));
            compared.note(&expected);
        }
    }
    compared
}

/// Events in any order; those without an id of their own get the one that their place gives.
fn events(random: &mut Prng, case: &Case) -> Vec<Event> {
    let mut timeline = Timeline::new(random, case);
    (0..300_u64)
        .map(|place| {
            let time = timeline.next_time(random);
            let mut event = Event::spread(random, case, time, timeline.spread);
            let key = case.stream.fields.iter().position(|field| field.name.as_str() == "k");
            event.fields[key.expect("there is a key")] =
                Some(model::value::Value::String("e".into()));
            let mut bytes = [0; 28];
            bytes[16..24].copy_from_slice(&place.to_le_bytes());
            let (high, low) = murmur3_x64_128(&bytes, 0);
            Event::new(case, time, event.fields, [high, low])
        })
        .collect()
}

/// Reads all over the history, near events, and far from them.
fn reads(random: &mut Prng, case: &Case, events: &[Event]) -> Vec<ReplayMoment> {
    (0..60)
        .map(|_| {
            let event = &events[usize::try_from(random.below(300)).expect("small")];
            let near = match random.below(4) {
                0 => 0,
                1 => random.between(-1, 1),
                2 => random.between(-1000, case.reach_ms()),
                _ => random.between(0, 100_000),
            };
            ReplayMoment::at(event.time + near, random.chance(0.5), 0)
        })
        .collect()
}
