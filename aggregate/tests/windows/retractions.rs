//! Events are taken back while they are raw. Whatever was kept where, every value is then that of the events that are left, to
//! the bit, and an entity that has lost them all is as if none had ever come.

use aggregate::{EntityWindows, ReadAt, ReadScratch, WindowPlan};
use stdx::prng::Prng;

use crate::{
    oracle::{Id, Oracle},
    workload::{
        Case, EVERY, Event, Spread, Timeline, WINDOWS, compare, index, is_allowed, read, seed,
    },
};

/// One entity kept in five ways, and the events that it should have.
struct History {
    case: Case,
    plan: WindowPlan,
    never: WindowPlan,
    early: WindowPlan,
    raw: EntityWindows,
    folded: EntityWindows,
    usual: EntityWindows,
    restored: EntityWindows,
    halves: [EntityWindows; 2],
    left: Vec<Event>,
    oracle: Oracle,
}

impl History {
    fn new(mut case: Case) -> Self {
        case.stream.retract = true;
        let plan = || case.plan();
        let fresh = EntityWindows::default;
        Self {
            plan: plan(),
            never: plan().with_fold_threshold(usize::MAX),
            early: plan().with_fold_threshold(1),
            raw: fresh(),
            folded: fresh(),
            usual: fresh(),
            restored: fresh(),
            halves: [fresh(), fresh()],
            left: Vec::new(),
            oracle: Oracle::new(&case.stream, &case.group),
            case,
        }
    }

    fn update(&mut self, event: Event, half: usize, now: i64) {
        event.tell(&self.case, &mut self.oracle);
        let prepared = event.prepare(&self.case, &self.plan);
        self.raw.update(&self.never, &prepared, now);
        self.folded.update(&self.early, &prepared, now);
        self.folded.compact(&self.early, now);
        self.usual.update(&self.plan, &prepared, now);
        self.restored.update(&self.plan, &prepared, now);
        self.halves[half].update(&self.plan, &prepared, now);
        self.left.push(event);
    }

    /// Retracts one of the events within the horizon from every copy; each must lose as many as brute force. False when there is
    /// none.
    fn retract_one(&mut self, random: &mut Prng, floor: i64) -> Result<bool, String> {
        let young: Vec<_> = self.left.iter().filter(|event| event.time >= floor).collect();
        if young.is_empty() {
            return Ok(false);
        }
        let chosen = young[index(random, young.len())];
        let (time, id) = (chosen.time, chosen.id.clone());
        let is_kept = |known: i64, of: &Id| known != time || *of != id;
        let before = self.left.len();
        self.left.retain(|event| is_kept(event.time, &event.id));
        self.oracle.events.retain(|event| is_kept(event.time, &event.id));
        let (plan, id) = (&self.plan, id.bytes());
        let [a, b] = &mut self.halves;
        let halves = a.retract(plan, time, &id) + b.retract(plan, time, &id);
        let mut all = [&mut self.raw, &mut self.folded, &mut self.usual, &mut self.restored];
        let held = all.each_ref().map(|entity| entity.view().holds(plan, time, &id));
        let gone = all.each_mut().map(|entity| entity.retract(plan, time, &id));
        let again = all.map(|entity| entity.retract(plan, time, &id));
        let expected = before - self.left.len();
        if (held, gone, again, halves) != ([true; 4], [expected; 4], [0; 4], expected) {
            return Err(format!("held {held:?}, {gone:?} and {halves} gone, not {expected}"));
        }
        Ok(true)
    }

    /// Sends some copies through other forms.
    fn reshape(&mut self, random: &mut Prng, now: i64) {
        self.restored.compact(&self.plan, now);
        let mut bytes = Vec::new();
        self.restored.encode(&mut bytes);
        self.restored = EntityWindows::decode(&self.plan, &bytes).expect("it was encoded");
        self.halves[index(random, 2)].compact(&self.plan, now);
    }

    /// Every copy reads at `x` like one that has only seen what is left.
    fn check(&self, (x, now): (i64, i64), scratch: &mut ReadScratch) -> Result<(), String> {
        let mut merged = self.halves[0].clone();
        merged.merge(&self.plan, &self.halves[1], now);
        let mut untouched = EntityWindows::default();
        for event in &self.left {
            untouched.update(&self.never, &event.prepare(&self.case, &self.plan), now);
        }
        let expected = format!("{:?}", read(&untouched, &self.plan, ReadAt::Exact { x }, scratch));
        let [raw, folded, usual, restored] = [&self.raw, &self.folded, &self.usual, &self.restored];
        for (name, entity) in [
            ("raw", raw),
            ("folded", folded),
            ("usual", usual),
            ("restored", restored),
            ("merged", &merged),
        ] {
            let found = format!("{:?}", read(entity, &self.plan, ReadAt::Exact { x }, scratch));
            if found != expected {
                return Err(format!("{name} at {x}, now {now}: {found}, not {expected}"));
            }
        }
        Ok(())
    }
}

/// Events come and go; `check` looks now and then. Returns how many went.
fn live(
    random: &mut Prng,
    history: &mut History,
    mut check: impl FnMut(&History, (i64, i64), &mut Prng) -> Result<(), String>,
) -> Result<usize, String> {
    let mut timeline = Timeline::new(random, &history.case);
    let mut retracted = 0;
    for event in 0..600 {
        if event == 250 {
            // More within the horizon than stay raw alone.
            timeline.burst(250, Spread { values: 600, first: 0.1 });
        }
        let time = timeline.next_time(random);
        let now = timeline.now;
        if time >= history.plan.late_before(now) {
            let event = Event::spread(random, &history.case, time, timeline.spread);
            history.update(event, index(random, 2), now);
        }
        let often = if timeline.spread.values == 600 { 0.1 } else { 0.4 };
        if random.chance(often) {
            let floor = now - history.case.stream.horizon_ms;
            retracted += usize::from(history.retract_one(random, floor)?);
        }
        if random.chance(0.04) {
            history.reshape(random, now);
            check(history, (timeline.read_x(random), now), random)?;
        }
    }
    Ok(retracted)
}

#[test]
fn what_is_left_reads_as_if_the_others_had_never_come() {
    let seed = seed(31);
    let mut retracted = 0;
    for round in 0..60 {
        let mut random = Prng::stream(seed, &format!("retractions {round}"));
        let case = loop {
            let case = Case::random(&mut random);
            if case.stream.event_id.is_some() {
                break case;
            }
        };
        let context = format!("LARDER_SEED={seed} round {round}\n{}", case.text);
        let mut scratch = ReadScratch::default();
        let lived = live(&mut random, &mut History::new(case), |history, at, _| {
            history.check(at, &mut scratch)
        });
        retracted += lived.unwrap_or_else(|why| panic!("{why}\n{context}"));
    }
    assert!(retracted > 3_000, "{retracted} retractions are too few, LARDER_SEED={seed}");
}

#[test]
fn what_is_left_equals_brute_force() {
    let seed = seed(32);
    for (kind, spans) in WINDOWS.into_iter().enumerate() {
        let mut random = Prng::stream(seed, &format!("retractions of windows {kind}"));
        let allowed = EVERY.iter().filter(|text| is_allowed(text, spans));
        let features: Vec<_> = allowed.map(|text| (*text).to_owned()).collect();
        let id = if kind % 2 == 0 { "id" } else { "nid" };
        let case = Case::of(spans, Some(id), &features);
        let mut scratch = ReadScratch::default();
        let lived = live(&mut random, &mut History::new(case), |history, (x, _), random| {
            let of = (&history.case, &history.plan);
            for entity in [&history.usual, &history.folded, &history.restored] {
                let at = (ReadAt::Exact { x }, &mut scratch);
                compare(of, entity, &history.oracle, at, random)?;
            }
            Ok(())
        });
        lived.unwrap_or_else(|why| panic!("{why}\nLARDER_SEED={seed} windows {kind}"));
    }
}

/// A stream of one window group with everything that ties, bins and registers could get wrong.
fn small(features: &[&str], horizon: &str) -> Case {
    let features: Vec<_> = features.iter().map(|text| (*text).to_owned()).collect();
    let mut case = Case::new("\"1m\", \"1h\"", "", horizon, Some("id"), &features);
    case.stream.retract = true;
    case
}

#[test]
fn an_entity_that_lost_every_event_is_empty() {
    let case = small(&["count(*)", "last(s)", "approx_distinct(i)"], "10m");
    let plan = case.plan();
    let seed = seed(8);
    let mut random = Prng::stream(seed, "every event");
    for events in [1, 7, 130, 900] {
        let mut entity = EntityWindows::default();
        let mut known: Vec<(i64, Id)> = Vec::new();
        for _ in 0..events {
            let event =
                Event::random(&mut random, &case, random_time(&mut Prng::new(events), &known));
            entity.update(&plan, &event.prepare(&case, &plan), 600_000);
            known.push((event.time, event.id));
        }
        random.shuffle(&mut known);
        let gone: usize =
            known.iter().map(|(time, id)| entity.retract(&plan, *time, &id.bytes())).sum();
        assert_eq!(gone, known.len(), "LARDER_SEED={seed}");
        assert!(entity.is_empty(), "{events} events, LARDER_SEED={seed}");
    }
}

/// Times spread over ten minutes, the same for every run.
fn random_time(random: &mut Prng, known: &[(i64, Id)]) -> i64 {
    let at = i64::try_from(known.len()).expect("few");
    (at * 7_919 + random.between(0, 50)) % 600_000
}

#[test]
fn another_time_or_id_takes_nothing_back() {
    let case = small(&["count(*)"], "60s");
    let plan = case.plan();
    let mut random = Prng::new(3);
    let mut entity = EntityWindows::default();
    let event = Event::random(&mut random, &case, 1_000);
    entity.update(&plan, &event.prepare(&case, &plan), 1_000);
    let mut before = Vec::new();
    entity.encode(&mut before);
    let id = event.id.bytes();
    assert_eq!(entity.retract(&plan, 1_001, &id), 0);
    assert_eq!(entity.retract(&plan, 1_000, b""), 0);
    let mut after = Vec::new();
    entity.encode(&mut after);
    assert_eq!(before, after);
    assert_eq!(entity.retract(&plan, 1_000, &id), 1);
}

#[test]
fn an_event_that_no_aggregate_counts_can_be_retracted_too() {
    let case = small(&["count(*) filter (where i > 1000000)"], "60s");
    let plan = case.plan();
    let mut entity = EntityWindows::default();
    let event = Event::random(&mut Prng::new(11), &case, 5);
    entity.update(&plan, &event.prepare(&case, &plan), 5);
    assert_eq!(entity.retract(&plan, 5, &event.id.bytes()), 1);
    assert!(entity.is_empty());
}

#[test]
fn groups_of_other_streams_hold_nothing_to_retract() {
    let mut case = small(&["count(*)"], "60s");
    case.stream.retract = false;
    let plan = case.plan();
    let mut entity = EntityWindows::default();
    let event = Event::random(&mut Prng::new(1), &case, 5);
    entity.update(&plan, &event.prepare(&case, &plan), 5);
    assert!(
        !entity.view().holds(&plan, 5, b"") && !entity.view().holds(&plan, 5, &event.id.bytes())
    );
    assert_eq!(entity.retract(&plan, 5, b""), 0);
}
