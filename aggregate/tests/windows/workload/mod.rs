//! Random definitions and events, from a seed.

mod definition;
mod event;
mod every;
mod tally;
mod timeline;

use aggregate::{EntityWindows, ReadAt, ReadScratch, WindowPlan, Word};
use model::value::ValueRef;
use stdx::prng::Prng;

use crate::oracle::{Answer, Oracle};

pub(crate) use definition::{Case, WINDOWS, feature, is_allowed};
pub(crate) use event::{Event, Spread, value_of};
pub(crate) use every::EVERY;
pub(crate) use tally::Tally;
pub(crate) use timeline::Timeline;

/// The seed of a test: `default`, or what LARDER_SEED says. Failures name it.
pub(crate) fn seed(default: u64) -> u64 {
    std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(default)
}

pub(crate) fn index(random: &mut Prng, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).expect("below a usize")
}

pub(crate) fn choose<'a, T>(random: &mut Prng, items: &'a [T]) -> &'a T {
    &items[index(random, items.len())]
}

/// All columns of an entity.
pub(crate) fn read(
    entity: &EntityWindows,
    plan: &WindowPlan,
    at: ReadAt,
    scratch: &mut ReadScratch,
) -> Vec<Answer> {
    let columns: Vec<_> = (0..plan.column_count()).collect();
    read_columns(entity, plan, &columns, at, scratch)
}

/// Some columns of an entity, in this order. Where there is a quicker way to read them it must give the same.
pub(crate) fn read_columns(
    entity: &EntityWindows,
    plan: &WindowPlan,
    columns: &[usize],
    at: ReadAt,
    scratch: &mut ReadScratch,
) -> Vec<Answer> {
    let selection = plan.select(columns);
    let mut answers = vec![Ok(None); columns.len()];
    entity.read(plan, &selection, at, scratch, &mut |position, value| {
        answers[position] = value.map(|value| value.map(ValueRef::to_owned));
    });
    if let (true, ReadAt::Exact { x }) = (selection.is_of_numbers(), at) {
        let words = |answer: &Answer| -> Word {
            let value = answer.as_ref().map_err(|overflow| *overflow)?;
            Ok(value.as_ref().map(|value| value.borrow().to_word().expect("of eight bytes")))
        };
        let expected: Vec<_> = answers.iter().map(words).collect();
        let mut found = vec![Ok(None); columns.len()];
        let sink = |position: usize, word| found[position] = word;
        entity.view().read_numbers(plan, &selection, x, scratch, sink);
        assert_eq!(found, expected, "numbers of columns {columns:?} at x = {x}");
    }
    answers
}

/// Compares all columns, or some in any order, with what they must be. A snapped read is compared at the
/// times that the plan says.
pub(crate) fn compare(
    (case, plan): (&Case, &WindowPlan),
    entity: &EntityWindows,
    oracle: &Oracle,
    (at, scratch): (ReadAt, &mut ReadScratch),
    random: &mut Prng,
) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut columns: Vec<_> = (0..plan.column_count()).collect();
    if random.chance(0.3) {
        random.shuffle(&mut columns);
        columns.truncate(1 + index(random, columns.len()));
    }
    if random.chance(0.3) && columns.iter().any(|column| case.is_number(*column)) {
        columns.retain(|column| case.is_number(*column));
        let is_read_both_ways =
            matches!(at, ReadAt::Exact { .. }) && plan.select(&columns).is_of_numbers();
        tally.of_numbers += usize::from(is_read_both_ways) * columns.len();
    }
    if random.chance(0.3) && columns.iter().any(|column| case.is_distinct(*column)) {
        columns.retain(|column| case.is_distinct(*column));
        tally.of_distinct += columns.len();
    }
    let answers = read_columns(entity, plan, &columns, at, scratch);
    for (column, answer) in columns.iter().zip(&answers) {
        let x = match at {
            ReadAt::Exact { x } => x,
            ReadAt::Snapped { x, now } => plan.snap_x(*column, x, now),
        };
        let failed = |why| {
            let described = case.describe(*column);
            format!("{described}\nat x = {x} ({at:?}): {why}\n{}", case.text)
        };
        let expected = oracle.value(*column, x);
        expected.check(answer).map_err(failed)?;
        tally.note(&expected);
        let start = plan.window_start(*column, x);
        if start != oracle.start(*column, x) {
            return Err(failed(format!("it starts at {start}, not {}", oracle.start(*column, x))));
        }
    }
    Ok(tally)
}
