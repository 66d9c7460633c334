//! Expected and worst bytes of what a tile points to (edges, summaries) and of distinct counts.

use model::{limits::DISTINCT_PRECISIONS, value::DataType};

use super::load::{Load, mean_varint, occupied};
use crate::{
    distinct::{group, state::DistinctState, token_list::TOKENS_MAX},
    plan::SummaryKind,
    sketch::groups::GROUPS_MAX,
};

/// Bytes of a time in ms as a varint.
const TIME_BYTES: f64 = 6.0;
/// Bins of one relative hundredth: γ of `sketch::quantile`.
const GAMMA: f64 = 101.0 / 99.0;
/// Bins of i64.
const BINS_MAX: f64 = 4_371.0;
/// Epochs that a decayed sum keeps at most.
const EPOCHS_MAX: f64 = 64.0;
/// Counters of a sketch of counts, and the events of its sample.
const COUNTERS: f64 = 1_024.0;
const SAMPLE: f64 = 64.0;
/// Different values from which on counts become a sketch.
const SPILL: f64 = 512.0;
/// Words of a group: one for a mark, and one for a gap in most places.
const WORD_BYTES: f64 = 2.0;

/// One value as a blob holds it, and what tells events apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Of the input, in a list.
    pub(super) value: f64,
    /// Of the value of `by` or of a counted value, with its length.
    pub(super) key: f64,
    /// Of an event id with its length.
    pub(super) id: f64,
    /// Largest unscaled number.
    pub(super) number_max: f64,
}

/// Bytes of an edge: its length, time, id and value.
pub(super) fn edge(sizes: &Sizes) -> f64 {
    1.0 + TIME_BYTES + sizes.id + 1.0 + sizes.value
}

/// Bytes of a summary of `events` events in `hop_ms`.
pub(super) fn summary(
    kind: SummaryKind,
    sizes: &Sizes,
    load: &Load,
    events: f64,
    hop_ms: i64,
) -> f64 {
    let bytes = match kind {
        SummaryKind::Newest { limit } => {
            let kept = events.min(limit as f64);
            let step = mean_varint(2.0 * hop_ms as f64 / events.max(1.0));
            TIME_BYTES + (kept - 1.0).max(0.0) * step + kept * (sizes.id + sizes.value)
        }
        SummaryKind::Quantile => {
            let (bins, crowded) = bins(events, sizes.number_max);
            let count = mean_varint(2.0 * events / bins.max(1.0));
            1.0 + bins + crowded * count
        }
        SummaryKind::TopK => counts(sizes, load, events),
        SummaryKind::Groups => {
            let keys = load.distinct(events).min(GROUPS_MAX as f64);
            // Count, least, greatest less least, sum with its length.
            let numbers = |of: f64| {
                let number = mean_varint(2.0 * sizes.number_max);
                let sum = 1.0 + super::load::width(of * sizes.number_max);
                1.0 + number + if of > 1.5 { mean_varint(sizes.number_max) + sum } else { 0.0 }
            };
            let of_key = events / load.distinct(events).max(1.0);
            let others = if load.distinct(events) > keys { numbers(events) } else { 1.0 };
            others + keys * (sizes.key + numbers(of_key))
        }
        SummaryKind::Decay { half_life_ms } => {
            let epochs = (1.0 + hop_ms as f64 / half_life_ms.max(1) as f64).min(EPOCHS_MAX);
            let weight = 2.0_f64.powi(33) * events / epochs.max(1.0);
            let sum = super::load::width(2.0 * weight * sizes.number_max);
            2.0 + occupied(epochs, events / epochs) * (3.0 + sum + super::load::width(2.0 * weight))
        }
    };
    // Its length.
    bytes + mean_varint(2.0 * bytes)
}

/// At most so many bytes: what [`summary`] expects when every value is another one and every number the largest.
pub(super) fn summary_worst(
    kind: SummaryKind,
    sizes: &Sizes,
    load: &Load,
    events: f64,
    hop_ms: i64,
) -> f64 {
    let all_differ = Load { values: u64::MAX, ..load.clone() };
    let expected = match kind {
        SummaryKind::Quantile => return events.min(BINS_MAX) * 3.0 + 4.0 + mean_varint(events),
        // Just before they become a sketch, exact counts may be longer than one.
        SummaryKind::TopK => {
            let exact = counts(sizes, &all_differ, events.min(SPILL));
            exact.max(counts(sizes, &all_differ, events)) + 4.0 * SAMPLE
        }
        _ => summary(kind, sizes, &all_differ, events, hop_ms),
    };
    1.25 * expected + 64.0
}

/// Counts of values: one by one, each with its events of the sample, or as a sketch.
fn counts(sizes: &Sizes, load: &Load, events: f64) -> f64 {
    let distinct = load.distinct(events);
    let sampled = events.min(SAMPLE);
    if distinct > SPILL {
        return 1.0 + SAMPLE * (4.0 + sizes.key) + COUNTERS * mean_varint(2.0 * events / 256.0);
    }
    let count = mean_varint(2.0 * events / distinct.max(1.0));
    let sampled_of = if events > SAMPLE { 1.0 } else { 0.0 };
    1.0 + distinct * (sizes.key + count + sampled_of) + sampled * 4.0
}

/// Bins that `events` numbers from 0 to `max` fall into, and those of them that have more than one.
fn bins(events: f64, max: f64) -> (f64, f64) {
    let (mut all, mut crowded) = (0.0, 0.0);
    let mut low = 0.0_f64;
    let mut high = 1.0_f64;
    while low < max {
        let width = high.min(max).floor() - low.floor();
        let mean = events * width / (max + 1.0);
        let some = -(-mean).exp_m1();
        all += some;
        crowded += some - mean * (-mean).exp();
        (low, high) = (high, high * GAMMA);
    }
    (all, crowded)
}

/// Bytes of the distinct values of one cell on one level that has `events` events over `tiles` tiles.
pub(super) fn distinct(precision: u8, load: &Load, events: f64, tiles: f64) -> f64 {
    let tokens = load.distinct(events);
    // Lists grow by a quarter; the last step is to just above the limit.
    let list = |tokens: f64| 8.0 * (tokens * 1.125).min(TOKENS_MAX as f64 + 12.0);
    // Tokens of an eighth of the tiles may be dead already, unless they come again.
    if load.values <= TOKENS_MAX as u64 || tokens < TOKENS_MAX as f64 * 0.875 {
        return list(tokens).max(if tokens > 0.0 { 32.0 } else { 0.0 });
    }
    let registers = f64::from(1_u32 << precision.min(DISTINCT_PRECISIONS.2));
    let groups = registers / group::REGISTERS as f64;
    let words = groups * words(tokens, registers, tiles) * 1.2;
    // A list that was cut has from half of its limit up to all of it.
    list(TOKENS_MAX as f64 * 0.875) + groups * size_of::<group::Group>() as f64 + WORD_BYTES * words
}

/// Words of a group after it was cleaned up: the frontier of its registers, and the gaps between its marks.
fn words(tokens: f64, registers: f64, tiles: f64) -> f64 {
    let mean = tokens / registers;
    let of_register: f64 =
        (0..32).map(|rank| -(-mean * 0.5_f64.powi(rank)).exp_m1()).sum::<f64>() / 2.0;
    let marks = of_register * group::REGISTERS as f64;
    // Marks are as far apart as tiles are for their number; beyond 15 tiles a gap comes between.
    let apart = tiles / marks.max(1.0);
    marks * (1.0 + (-16.0 / apart.max(0.01)).exp())
}

/// At most so many bytes for `events` events.
pub(super) fn distinct_worst(precision: u8, events: f64) -> f64 {
    let list = 8.0 * (1.25 * events + 8.0).min(TOKENS_MAX as f64 + 8.0);
    let registers = f64::from(1_u32 << precision.min(DISTINCT_PRECISIONS.2));
    let groups = registers / group::REGISTERS as f64;
    // Every mark with a gap, half as many again as there are on average, room for a quarter more.
    let words = groups * (words(events, registers, 1e12) * 1.5 * 1.25 + 16.0);
    list + groups * size_of::<group::Group>() as f64 + WORD_BYTES * words
}

/// Bytes of a vector of so many states.
pub(super) fn distinct_states(cells: usize) -> f64 {
    if cells == 0 { 0.0 } else { (cells.max(4) * size_of::<DistinctState>()) as f64 }
}

/// Bytes of a value in a list of values.
pub(super) fn packed(data_type: DataType, text_bytes: f64) -> f64 {
    match data_type {
        DataType::Bool => 2.0,
        DataType::String | DataType::Bytes => mean_varint(text_bytes) + text_bytes,
        _ => 9.0,
    }
}
