//! The same claim as `equal_brute_force`, over histories that shrink: when a value differs, the definition and the few
//! events that it takes are told.

use std::fmt::Write as _;

use aggregate::{EntityWindows, ReadAt, ReadScratch};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any},
    prop_oneof,
    test_runner::{Config, RngSeed, TestCaseError, TestRunner},
};
use stdx::prng::Prng;

use crate::{
    oracle::Oracle,
    workload::{Case, Event, Tally, WINDOWS, compare, feature, seed, value_of},
};

const CASES: u32 = 1_500;
/// The values of one event: nulls, and small numbers that stand for values of any type.
type Numbers = [Option<u8>; 7];

/// Times are in thousandths of what windows reach back.
#[derive(Debug, Clone)]
enum Step {
    /// `after` the one before it came, an event that is `late`.
    Push {
        after: i64,
        late: i64,
        id: u8,
        numbers: Numbers,
    },
    Compact,
    Retire,
    /// So many thousandths of the horizon before the ms after now.
    Read {
        before: i64,
    },
    ReadSnapped {
        before: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let after = prop_oneof![4 => Just(0), 4 => 0_i64..5, 2 => 0_i64..400];
    let late = prop_oneof![6 => Just(0), 3 => 0_i64..100, 1 => -2_i64..1100];
    let number = option::weighted(0.85, prop_oneof![4 => 0_u8..12, 1 => any::<u8>()]);
    let numbers = proptest::array::uniform7(number);
    let push = (after, late, 0_u8..4, numbers);
    let push = push.prop_map(|(after, late, id, numbers)| Step::Push { after, late, id, numbers });
    prop_oneof![
        14 => push,
        1 => Just(Step::Compact),
        1 => Just(Step::Retire),
        4 => (0_i64..=1000).prop_map(|before| Step::Read { before }),
        1 => (0_i64..=1000).prop_map(|before| Step::ReadSnapped { before }),
    ]
}

/// A definition: windows, and a seed for each feature.
#[derive(Debug, Clone)]
struct Definition {
    windows: usize,
    features: Vec<u16>,
    has_id: bool,
    fold_threshold: usize,
}

impl Definition {
    fn case(&self) -> Case {
        let spans = WINDOWS[self.windows];
        let features =
            self.features.iter().map(|seed| feature(&mut Prng::new((*seed).into()), spans));
        Case::of(spans, self.has_id.then_some("id"), &features.collect::<Vec<_>>())
    }
}

fn definition() -> impl Strategy<Value = Definition> {
    let fold_threshold = prop_oneof![Just(1), Just(8), Just(usize::MAX)];
    let parts = (0..WINDOWS.len(), vec(any::<u16>(), 1..5), any::<bool>(), fold_threshold);
    parts.prop_map(|(windows, features, has_id, fold_threshold)| Definition {
        windows,
        features,
        has_id,
        fold_threshold,
    })
}

#[test]
fn every_short_history_equals_brute_force() {
    let seed = seed(20_260_102);
    let config = Config {
        cases: CASES,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let compared = std::cell::Cell::new(0);
    let histories = (definition(), vec(step(), 1..120));
    let outcome = TestRunner::new(config).run(&histories, |(definition, steps)| {
        let found = run(&definition, &steps).map_err(TestCaseError::fail)?;
        compared.set(compared.get() + found.values);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}\nLARDER_SEED={seed}"));
    let compared = compared.get();
    println!("{compared} values of {CASES} histories, LARDER_SEED={seed}");
    assert!(compared > 50_000, "{compared} values are too few");
}

/// What was compared, or what is wrong: with the definition, and the events in the order of their arrival.
fn run(definition: &Definition, steps: &[Step]) -> Result<Tally, String> {
    let case = definition.case();
    let plan = case.plan().with_fold_threshold(definition.fold_threshold);
    let (mut oracle, mut entity) =
        (Oracle::new(&case.stream, &case.group), EntityWindows::default());
    let mut scratch = ReadScratch::default();
    let (reach, horizon) = (case.reach_ms(), case.stream.horizon_ms);
    let (mut now, mut compared) = (0, Tally::default());
    let mut events = String::new();
    // Reads of all columns: what is drawn here decides nothing that could not be told from the steps.
    let mut random = Prng::new(1);
    for step in steps {
        let at = match *step {
            Step::Push { after, late, id, numbers } => {
                now += after * reach / 1000;
                let event = event(&case, now - late * reach / 1000, id, numbers);
                if event.time >= plan.late_before(now) {
                    let _ = writeln!(events, "{} at now {now}: {:?}", event.time, event.fields);
                    event.tell(&case, &mut oracle);
                    entity.update(&plan, &event.prepare(&case, &plan), now);
                }
                continue;
            }
            Step::Compact => {
                entity.compact(&plan, now);
                continue;
            }
            Step::Retire => {
                entity.retire(&plan, now);
                continue;
            }
            Step::Read { before } => {
                ReadAt::Exact { x: (now + 1 - before * horizon / 1000).max(now - horizon) }
            }
            Step::ReadSnapped { before } => {
                ReadAt::Snapped { x: now - horizon - before * reach / 1000, now }
            }
        };
        compared += compare((&case, &plan), &entity, &oracle, (at, &mut scratch), &mut random)
            .map_err(|why| format!("{why}\nnow {now}, of the events\n{events}"))?;
    }
    Ok(compared)
}

fn event(case: &Case, time: i64, id: u8, numbers: Numbers) -> Event {
    let mut numbers = numbers.into_iter();
    let fields = case.stream.fields.iter().map(|field| match field.name.as_str() {
        "ts" => Some(model::value::Value::Timestamp(time)),
        "id" | "nid" | "k" => Some(value_of(field.data_type, id.into())),
        _ => numbers.next().flatten().map(|number| value_of(field.data_type, number.into())),
    });
    let fields = fields.collect();
    Event::new(case, time, fields, [id.into(), 0])
}
