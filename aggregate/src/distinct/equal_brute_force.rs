//! Distinct states against brute force: whatever became of the tokens on the way, a window's count is that of its set.

use std::collections::HashMap;

use model::limits::DISTINCT_EXACT_MAX;
use stdx::prng::Prng;

use super::{
    counter::{Counter, WindowSet},
    estimate::estimate,
    state::DistinctState,
    token,
};

/// What was seen, kept without cleverness.
#[derive(Debug, Clone, Default)]
struct Oracle {
    newest: HashMap<u32, i64>,
    /// Of imported sketches: tile and registers.
    dense: Vec<(i64, Vec<u8>)>,
}

impl Oracle {
    fn insert(&mut self, tile: i64, token: u32) {
        let newest = self.newest.entry(token).or_insert(tile);
        *newest = tile.max(*newest);
    }

    fn count(&self, precision: u8, first: i64) -> i64 {
        let inside: Vec<u32> = self
            .newest
            .iter()
            .filter(|(_, tile)| **tile >= first)
            .map(|(token, _)| *token)
            .collect();
        let dense: Vec<_> = self.dense.iter().filter(|(tile, _)| *tile >= first).collect();
        if inside.len() <= DISTINCT_EXACT_MAX && dense.is_empty() {
            return i64::try_from(inside.len()).expect("few");
        }
        let mut registers = vec![0; 1 << precision];
        for token in inside {
            let register = &mut registers[token::slot(token, precision)];
            *register = token::rank(token).max(*register);
        }
        for (_, sketch) in dense {
            for (to, rank) in registers.iter_mut().zip(sketch) {
                *to = (*to).max(*rank);
            }
        }
        estimate(&registers)
    }
}

fn seed(default: u64) -> u64 {
    std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(default)
}

fn index(random: &mut Prng, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).expect("below a usize")
}

/// A token as hashes give them: ranks are geometric.
fn token_of(random: &mut Prng) -> u32 {
    let [a, b, c, d, ..] = random.next_u64().to_le_bytes();
    let rank = random.next_u64().leading_zeros().min(62) + 1;
    rank << 26 | u32::from_le_bytes([a, b, c, d]) & ((1 << 26) - 1)
}

/// Compares the counts of windows from every start in `starts`, several at once, with `raw` tokens beside the state.
fn check(
    state: Option<&DistinctState>,
    oracle: &Oracle,
    raw: &[(i64, u32)],
    starts: &[i64],
    (precision, context): (u8, &str),
) {
    let mut whole = oracle.clone();
    let mut counter = Counter::default();
    counter.reset(precision);
    for (tile, token) in raw {
        whole.insert(*tile, *token);
        counter.raw(*tile, *token);
    }
    let mut counts = Vec::new();
    for together in starts.chunks(5) {
        counter.counts(state, None, together, &mut counts);
        let expected: Vec<_> =
            together.iter().map(|start| whole.count(precision, *start)).collect();
        assert_eq!(counts, expected, "windows from {together:?}; {context}");
        if let WindowSet::Registers(registers) = counter.set(state, together[0]) {
            assert_eq!(estimate(&registers), expected[0], "{context}");
        }
    }
}

/// One random history: inserts with late tiles, merges, forgetting, bytes and back, now and then an imported sketch.
fn history(seed: u64) {
    let mut random = Prng::new(seed);
    let precision = [10, 12, 14][index(&mut random, 3)];
    let inserts = [40, 511, 512, 513, 1000, 1100, 3000, 20_000][index(&mut random, 8)];
    let values = [30, 510, 514, 1024, 2000, 30_000][index(&mut random, 6)];
    let tiles = [1, 3, 40, 720, 5000, 1 << 19][index(&mut random, 6)];
    let has_dense = random.chance(0.2);
    let context = format!(
        "LARDER_SEED={seed}, p {precision}, {inserts} of {values} values in {tiles} tiles, dense {has_dense}"
    );
    let base = random.between(-1 << 40, 1 << 40);
    let pool: Vec<u32> = (0..values).map(|_| token_of(&mut random)).collect();
    let mut states: Vec<_> = (0..3).map(|_| DistinctState::new(precision)).collect();
    let mut oracle = Oracle::default();
    let mut floor = base;
    for step in 0..inserts {
        // Time goes on, but a third of the tokens is late, some by much.
        let now = base + tiles * step / inserts;
        let late = if random.chance(0.33) { random.between(0, tiles) } else { 0 };
        let (tile, token) = (now - late, pool[index(&mut random, pool.len())]);
        let state = index(&mut random, 3);
        states[state].insert(tile, token);
        oracle.insert(tile, token);
        if random.chance(0.001) {
            floor = floor.max(now - random.between(0, tiles));
            let state = index(&mut random, 3);
            states[state].forget_before(floor);
        }
        if random.chance(0.0005) {
            let (from, to) = (index(&mut random, 3), index(&mut random, 3));
            let from =
                if from == to { DistinctState::new(precision) } else { states[from].clone() };
            states[to].merge(&from);
        }
        if random.chance(0.001) {
            let mut bytes = Vec::new();
            let state = index(&mut random, 3);
            states[state].write(&mut bytes);
            states[state] = DistinctState::read(precision, &bytes).expect("as it was written");
        }
        if has_dense && random.chance(0.0005) {
            let mut sketch = vec![0; 1 << precision];
            for _ in 0..random.between(0, 3000) {
                let token = token_of(&mut random);
                sketch[token::slot(token, precision)] = token::rank(token);
            }
            states[state].insert_registers(tile, &sketch);
            if sketch.iter().any(|rank| *rank > 0) {
                oracle.dense.push((tile, sketch));
            }
        }
    }
    let mut merged = DistinctState::new(precision);
    for state in &states {
        merged.merge(state);
    }
    let end = base + tiles;
    let starts: Vec<i64> = if end - floor < 60 {
        (floor..=end + 1).collect()
    } else {
        (0..40).map(|_| random.between(floor, end)).collect()
    };
    check(Some(&merged), &oracle, &[], &starts, (precision, &context));
    let raw: Vec<_> = (0..random.between(1, 700))
        .map(|_| (random.between(floor, end + 5), pool[index(&mut random, pool.len())]))
        .collect();
    check(Some(&merged), &oracle, &raw, &starts, (precision, &context));
    check(None, &Oracle::default(), &raw, &starts, (precision, &context));
}

#[test]
fn random_histories_count_as_brute_force_does() {
    let first = seed(1);
    (first..first + 120).for_each(history);
}

#[test]
fn order_and_grouping_do_not_show() {
    let seed = seed(21);
    let mut random = Prng::new(seed);
    for values in [400, 600, 1200, 5000] {
        let mut all: Vec<(i64, u32)> =
            (0..values).map(|_| (random.between(100, 160), token_of(&mut random))).collect();
        let mut expected: Option<Vec<i64>> = None;
        let starts: Vec<i64> = (110..165).collect();
        for _ in 0..10 {
            random.shuffle(&mut all);
            let mut whole = DistinctState::new(12);
            for part in all.chunks(1 + index(&mut random, values)) {
                let mut state = DistinctState::new(12);
                part.iter().for_each(|(tile, token)| state.insert(*tile, *token));
                // Forgetting early what is forgotten in the end changes nothing.
                state.forget_before(random.between(0, 110));
                whole.merge(&state);
            }
            let mut counter = Counter::default();
            counter.reset(12);
            let mut counts = Vec::new();
            counter.counts(Some(&whole), None, &starts, &mut counts);
            let expected = expected.get_or_insert_with(|| counts.clone());
            assert_eq!(*expected, counts, "LARDER_SEED={seed}");
        }
    }
}

#[test]
fn two_states_are_counted_as_if_they_were_one() {
    let seed = 33;
    let mut random = Prng::new(seed);
    // Lists only, a list beside registers, registers on either side.
    for (old, young) in [(300, 300), (900, 400), (20_000, 300), (300, 20_000), (9000, 9000)] {
        let states = [DistinctState::new(12), DistinctState::new(12), DistinctState::new(12)];
        let [mut whole, mut first, mut second] = states;
        for number in 0..old + young {
            let (tile, token) = (random.between(100, 160), token_of(&mut random));
            whole.insert(tile, token);
            // Some are in both.
            if number < old || random.chance(0.1) {
                first.insert(tile, token);
            }
            if number >= old {
                second.insert(tile, token);
            }
        }
        let starts: Vec<i64> = (95..165).collect();
        let count = |a: Option<&DistinctState>, b: Option<&DistinctState>| {
            let (mut counter, mut counts) = (Counter::default(), Vec::new());
            counter.reset(12);
            counter.counts(a, b, &starts, &mut counts);
            counts
        };
        let expected = count(Some(&whole), None);
        assert_eq!(count(Some(&first), Some(&second)), expected, "{old} and {young}, seed {seed}");
        assert_eq!(count(None, Some(&whole)), expected, "{old} and {young}, seed {seed}");
    }
}

#[test]
fn what_no_window_sees_leaves_no_bytes() {
    let mut random = Prng::new(31);
    let mut state = DistinctState::new(12);
    for step in 0..200_000 {
        state.insert(step / 100, token_of(&mut random));
    }
    let full = state.bytes();
    state.forget_before(1900);
    assert!(state.bytes() < full / 2, "{} of {full}", state.bytes());
    state.forget_before(1998);
    assert!(state.groups.is_empty(), "all that is left is listed");
    state.forget_before(2000);
    assert!(state.is_empty());
    assert!(state.bytes() < 256, "{}", state.bytes());
}

#[test]
fn a_million_values_of_a_month_take_less_than_80_kb() {
    let mut random = Prng::new(32);
    let mut state = DistinctState::new(12);
    for step in 0..1_000_000 {
        state.insert(step * 720 / 1_000_000, token_of(&mut random));
    }
    let mut bytes = Vec::new();
    state.write(&mut bytes);
    println!("{} bytes in memory, {} written", state.bytes(), bytes.len());
    assert!(state.bytes() < 80_000, "{}", state.bytes());
    assert!(bytes.len() < 60_000, "{}", bytes.len());
}

#[test]
fn the_ends_of_time_do_not_fail() {
    for tiles in [[i64::MIN, i64::MAX], [i64::MAX, i64::MIN], [-1 << 60, 1 << 60], [0, 1 << 20]] {
        let mut state = DistinctState::new(10);
        for tile in tiles {
            for number in 0..2000 {
                state.insert(tile, 1 << 26 | number);
            }
            state.forget_before(tile);
        }
        let mut counter = Counter::default();
        counter.reset(10);
        let mut counts = Vec::new();
        counter.counts(Some(&state), None, &[i64::MIN, 0, i64::MAX], &mut counts);
        state.write(&mut Vec::new());
    }
}

#[test]
fn damage_is_refused_or_harmless() {
    let seed = seed(41);
    let mut random = Prng::new(seed);
    for values in [0, 3, 300, 3000] {
        let mut state = DistinctState::new(10);
        for _ in 0..values {
            state.insert(random.between(0, 200), token_of(&mut random));
        }
        let mut bytes = Vec::new();
        state.write(&mut bytes);
        let mut again = Vec::new();
        DistinctState::read(10, &bytes).expect("undamaged").write(&mut again);
        assert_eq!(bytes, again);
        for length in (0..bytes.len()).step_by(1 + bytes.len() / 300) {
            assert!(DistinctState::read(10, &bytes[..length]).is_none(), "cut at {length}");
        }
        for _ in 0..2000 {
            let mut damaged = bytes.clone();
            for _ in 0..random.between(1, 3) {
                let place = index(&mut random, damaged.len());
                damaged[place] = random.next_u64().to_le_bytes()[0];
            }
            let Some(mut read) = DistinctState::read(10, &damaged) else { continue };
            let mut counter = Counter::default();
            counter.reset(10);
            counter.counts(Some(&read), None, &[0, 100, 200], &mut Vec::new());
            read.insert(150, token_of(&mut random));
            read.merge(&state);
            read.forget_before(120);
            let mut bytes = Vec::new();
            read.write(&mut bytes);
            assert!(DistinctState::read(10, &bytes).is_some(), "LARDER_SEED={seed}");
        }
    }
}
