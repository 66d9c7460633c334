//! Distinct sets in the byte format of Apache DataSketches' HLL, so that Java, Python, C++, Spark and Druid read ours and
//! theirs can be read in. Tokens are their coupons and registers are theirs, so unions count no value twice.
//!
//! ```text
//! byte  0               1        2       3    4            5      6                7
//!       preamble words  version  family  lgK  lg of room   flags  number, minimum  mode, 2 bits | type << 2
//! LIST  2               1        7       p    3            …      tokens           …   then tokens, u32 each
//! SET   3               1        7       p    5 to p − 3   …      0                …   then u32 number | tokens
//! HLL   10              1        7       p    …            …      cur_min          …   then hip, kxq0, kxq1 f64
//!                                                               | registers at minimum, auxiliary tokens u32 | registers
//! ```
//!
//! Registers: HLL_8 a byte each; HLL_6 six bits each, lowest first; HLL_4 four bits above `cur_min`, lowest first, where 15
//! stands for a token in the auxiliary list behind them. Tested against the project's own Rust implementation.

use super::{counter::WindowSet, token};
use stdx::cursor::{OutOfBytes, Reader, Writer};

const VERSION: u8 = 1;
const FAMILY_HLL: u8 = 7;
const EMPTY: u8 = 4;
const COMPACT: u8 = 8;
/// Says that registers came in no known order: readers then use the estimator that depends on registers alone.
const OUT_OF_ORDER: u8 = 16;
const LIST: u8 = 0;
const SET: u8 = 1;
const HLL: u8 = 2;
const HLL_4: u8 = 0;
const HLL_6: u8 = 1;
const HLL_8: u8 = 2;
/// A list has room for 8 and becomes a set when that is full.
const LIST_LG: u8 = 3;
const LIST_MAX: usize = 7;
const SET_LG_MIN: u8 = 5;
/// Largest lgK of the format.
const LG_K_MAX: u8 = 21;
/// An HLL_4 register that is in the auxiliary list.
const AUXILIARY: u8 = 15;

/// Why bytes are no sketch that can be read in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SketchError {
    /// They end too early.
    #[error("DataSketches HLL: {0}")]
    Short(#[from] OutOfBytes),
    /// They are something else, or damaged.
    #[error("not a DataSketches HLL sketch: {0}")]
    Malformed(&'static str),
    /// It has fewer registers than the feature. Registers can be folded, not unfolded.
    #[error(
        "DataSketches HLL: lgK is {lg_k}, the feature's precision is {precision}; build it with lgK {precision} or more"
    )]
    TooCoarse {
        /// Of the sketch.
        lg_k: u8,
        /// Of the feature.
        precision: u8,
    },
}

/// The sketch of a window's set, with 2^`precision` registers.
pub(crate) fn export(precision: u8, set: &WindowSet) -> Vec<u8> {
    match set {
        WindowSet::Tokens(tokens) => export_tokens(precision, tokens),
        WindowSet::Registers(registers) => export_registers(precision, registers),
    }
}

fn export_tokens(precision: u8, tokens: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(12 + size_of_val(tokens));
    let mut out = Writer::new(&mut bytes);
    // At most three quarters of a set are taken, and it has room for an eighth as many tokens as there are registers.
    let lg = (SET_LG_MIN..=precision.saturating_sub(3)).find(|lg| 4 * tokens.len() <= 3 << lg);
    match (tokens.len(), lg) {
        (0..=LIST_MAX, _) => {
            let flags = COMPACT | if tokens.is_empty() { EMPTY } else { 0 };
            let count = u8::try_from(tokens.len()).unwrap_or(0);
            header(&mut out, [2, precision, LIST_LG, flags, count, LIST | HLL_8 << 2]);
        }
        (_, Some(lg)) => {
            header(&mut out, [3, precision, lg, COMPACT, 0, SET | HLL_8 << 2]);
            out.u32(u32::try_from(tokens.len()).unwrap_or(u32::MAX));
        }
        (_, None) => {
            let mut registers = vec![0; 1 << precision];
            tokens.iter().for_each(|token| raise(&mut registers, *token));
            return export_registers(precision, &registers);
        }
    }
    for token in tokens {
        out.u32(*token);
    }
    bytes
}

fn export_registers(precision: u8, registers: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40 + registers.len());
    let mut out = Writer::new(&mut bytes);
    header(&mut out, [10, precision, 0, COMPACT | OUT_OF_ORDER, 0, HLL | HLL_8 << 2]);
    // Sums of 2^−rank, the small ones apart; of powers of two, so exact in any order.
    let (mut large, mut small) = (0.0, 0.0);
    for rank in registers {
        let part = if *rank < 32 { &mut large } else { &mut small };
        *part += 0.5_f64.powi(i32::from(*rank));
    }
    let empty = registers.iter().filter(|rank| **rank == 0).count();
    // The accumulator of an estimate by order: there is none.
    out.f64(0.0).f64(large).f64(small);
    out.u32(u32::try_from(empty).unwrap_or(u32::MAX)).u32(0).bytes(registers);
    bytes
}

/// Preamble words, lgK, lg of room, flags, tokens or minimum, mode and type.
fn header(out: &mut Writer<'_>, [words, lg_k, lg, flags, state, mode]: [u8; 6]) {
    out.bytes(&[words, VERSION, FAMILY_HLL, lg_k, lg, flags, state, mode]);
}

/// The set of a sketch, for a feature of 2^`precision` registers; registers of a larger lgK are folded.
///
/// # Errors
/// [`SketchError`] says what is wrong, and what to do about too few registers.
pub(crate) fn import(precision: u8, bytes: &[u8]) -> Result<WindowSet, SketchError> {
    let mut input = Reader::new(bytes);
    let [words, version, family, lg_k, lg, flags, state, mode] = input.array()?;
    if version != VERSION || family != FAMILY_HLL || !(4..=LG_K_MAX).contains(&lg_k) {
        return Err(SketchError::Malformed("version, family or lgK in bytes 1 to 3"));
    }
    if lg_k < precision {
        return Err(SketchError::TooCoarse { lg_k, precision });
    }
    let is_compact = flags & COMPACT != 0;
    match (mode & 3, words) {
        (LIST, 2) if lg == LIST_LG => {
            let room = if is_compact { usize::from(state) } else { 1 << LIST_LG };
            import_tokens(input, usize::from(state), room)
        }
        (SET, 3) if lg <= lg_k => {
            let count = input.u32()? as usize;
            import_tokens(input, count, if is_compact { count } else { 1 << lg })
        }
        (HLL, 10) => {
            // Accumulator, sums and zeros follow from the registers.
            input.bytes(28)?;
            let auxiliary = input.u32()? as usize;
            let mut folded = Folded { registers: vec![0; 1 << precision] };
            match mode >> 2 & 3 {
                HLL_4 => {
                    let room = if is_compact || auxiliary == 0 {
                        auxiliary
                    } else {
                        1 << lg.min(LG_K_MAX)
                    };
                    folded.hll_4(input, lg_k, state, (auxiliary, room))?;
                }
                // A byte of padding ends it.
                HLL_6 => folded.hll_6(input.bytes((3 << lg_k) / 4 + 1)?)?,
                HLL_8 => folded.hll_8(input.bytes(1 << lg_k)?)?,
                _ => return Err(SketchError::Malformed("type of registers in byte 7")),
            }
            Ok(WindowSet::Registers(folded.registers))
        }
        _ => Err(SketchError::Malformed("mode and its preamble in bytes 0, 4 and 7")),
    }
}

/// `count` tokens among `room` places, of which the others are 0.
fn import_tokens(
    mut input: Reader<'_>,
    count: usize,
    room: usize,
) -> Result<WindowSet, SketchError> {
    let (places, _) = input.bytes(room.saturating_mul(4))?.as_chunks::<4>();
    let places = places.iter().map(|place| u32::from_le_bytes(*place));
    let mut tokens: Vec<_> = places.filter(|token| *token != 0).collect();
    tokens.sort_unstable();
    tokens.dedup();
    let is_whole = tokens.len() == count && tokens.iter().all(|token| token::rank(*token) > 0);
    is_whole
        .then_some(WindowSet::Tokens(tokens))
        .ok_or(SketchError::Malformed("its list of coupons"))
}

/// Registers of a sketch, folded to those of the feature: the low bits of a place name its register at any lgK.
struct Folded {
    registers: Vec<u8>,
}

impl Folded {
    fn set(&mut self, place: usize, rank: u8) -> Result<(), SketchError> {
        if rank > token::RANK_MAX {
            return Err(SketchError::Malformed("a register above 63"));
        }
        let place = place % self.registers.len();
        if let Some(register) = self.registers.get_mut(place) {
            *register = rank.max(*register);
        }
        Ok(())
    }

    fn hll_8(&mut self, bytes: &[u8]) -> Result<(), SketchError> {
        bytes.iter().enumerate().try_for_each(|(place, rank)| self.set(place, *rank))
    }

    fn hll_6(&mut self, bytes: &[u8]) -> Result<(), SketchError> {
        for (index, [a, b, c]) in bytes.as_chunks::<3>().0.iter().enumerate() {
            let four = u32::from_le_bytes([*a, *b, *c, 0]);
            for part in 0..4 {
                let rank = (four >> (6 * part)).to_le_bytes()[0] & token::RANK_MAX;
                self.set(4 * index + part, rank)?;
            }
        }
        Ok(())
    }

    fn hll_4(
        &mut self,
        mut input: Reader<'_>,
        lg_k: u8,
        cur_min: u8,
        (auxiliary, room): (usize, usize),
    ) -> Result<(), SketchError> {
        let nibbles = input.bytes((1 << lg_k) / 2)?;
        let mut missing = 0;
        for (index, byte) in nibbles.iter().enumerate() {
            for (part, nibble) in [byte & 15, byte >> 4].into_iter().enumerate() {
                if nibble == AUXILIARY {
                    missing += 1;
                } else {
                    self.set(2 * index + part, cur_min.saturating_add(nibble))?;
                }
            }
        }
        let WindowSet::Tokens(tokens) = import_tokens(input, auxiliary, room)? else {
            return Ok(());
        };
        // Each register that is not in the nibbles, once.
        let mut places: Vec<_> = tokens.iter().map(|token| token::slot(*token, lg_k)).collect();
        places.sort_unstable();
        places.dedup();
        let is_auxiliary = |place: &usize| {
            let byte = nibbles.get(place / 2).copied().unwrap_or(0);
            AUXILIARY == byte >> (4 * (place % 2)) & 15
        };
        if places.len() != missing || tokens.len() != missing || !places.iter().all(is_auxiliary) {
            return Err(SketchError::Malformed("its auxiliary list"));
        }
        tokens.iter().try_for_each(|token| self.set(token::slot(*token, lg_k), token::rank(*token)))
    }
}

fn raise(registers: &mut [u8], token: u32) {
    let place = token as usize % registers.len().max(1);
    if let Some(register) = registers.get_mut(place) {
        *register = token::rank(token).max(*register);
    }
}

#[cfg(test)]
mod tests {
    use datasketches::{
        hash::value::raw_bytes,
        hll::{HllSketch, HllType, HllUnion},
    };
    use model::value::ValueRef;
    use stdx::prng::Prng;

    use super::*;
    use crate::distinct::{counter::Counter, state::DistinctState};

    const SIZES: [u32; 8] = [0, 1, 6, 8, 200, 500, 5_000, 100_000];

    fn text(number: u32) -> String {
        format!("value {number}")
    }

    fn ours(precision: u8, numbers: std::ops::Range<u32>) -> DistinctState {
        let mut state = DistinctState::new(precision);
        for number in numbers {
            let token = token::of_value(ValueRef::String(&text(number)));
            state.insert(i64::from(number % 7), token);
        }
        state
    }

    fn theirs(lg_k: u8, kind: HllType, numbers: std::ops::Range<u32>) -> HllSketch {
        let mut sketch = HllSketch::new(lg_k, kind).expect("a valid lgK");
        numbers.for_each(|number| sketch.update(raw_bytes::from_str(&text(number))));
        sketch
    }

    fn counter(precision: u8) -> Counter {
        let mut counter = Counter::default();
        counter.reset(precision);
        counter
    }

    fn is_near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.max(1.0)
    }

    #[test]
    fn what_is_exported_is_read_as_the_same_set() {
        for precision in [10, 12, 14] {
            for n in SIZES {
                let state = ours(precision, 0..n);
                let bytes = export(precision, &counter(precision).set(Some(&state), 0));
                let read = HllSketch::deserialize(&bytes).expect("theirs reads it");
                let same = theirs(precision, HllType::Hll8, 0..n);
                let (a, b) = (read.composite_estimate(), same.composite_estimate());
                assert!(is_near(a, b), "lgK {precision}, {n}: {a}, {b}");
                assert!(is_near(read.estimate(), b), "the flag is set");
                // A union with another half does not count the common values twice.
                let mut union = HllUnion::new(precision).expect("a valid lgK");
                union.update(&read);
                union.update(&theirs(precision, HllType::Hll4, n / 2..n + n / 2));
                let mut same = HllUnion::new(precision).expect("a valid lgK");
                same.update(&theirs(precision, HllType::Hll8, 0..n + n / 2));
                let (a, b) = (union.composite_estimate(), same.composite_estimate());
                assert!((a - b).abs() <= 0.05 * b, "lgK {precision}, {n}: {a}, {b}");
            }
        }
    }

    #[test]
    fn small_sets_are_exported_byte_for_byte() {
        let mut sketch = HllSketch::new(12, HllType::Hll8).expect("a valid lgK");
        let mut state = DistinctState::new(12);
        let mut tokens: Vec<u32> =
            (0..6).map(|number| token::of_value(ValueRef::String(&text(number)))).collect();
        tokens.sort_unstable();
        let mut by_token: Vec<u32> = (0..6).collect();
        by_token.sort_unstable_by_key(|number| token::of_value(ValueRef::String(&text(*number))));
        for number in by_token {
            sketch.update(raw_bytes::from_str(&text(number)));
            state.insert(1, token::of_value(ValueRef::String(&text(number))));
        }
        assert_eq!(export(12, &counter(12).set(Some(&state), 0)), sketch.serialize());
    }

    #[test]
    fn every_kind_of_theirs_is_read_in() {
        for kind in [HllType::Hll4, HllType::Hll6, HllType::Hll8] {
            for (lg_k, precision) in [(10, 10), (12, 12), (14, 12), (18, 12), (16, 16)] {
                for n in SIZES {
                    let context = format!("{kind:?} lgK {lg_k} for {precision}, {n}");
                    let set = import(precision, &theirs(lg_k, kind, 0..n).serialize());
                    let set = set.unwrap_or_else(|error| panic!("{context}: {error}"));
                    if let WindowSet::Registers(registers) = &set {
                        let mut expected = vec![0; 1 << precision];
                        for number in 0..n {
                            let text = text(number);
                            raise(&mut expected, token::of_value(ValueRef::String(&text)));
                        }
                        assert_eq!(*registers, expected, "{context}");
                    }
                    // Read in at a tile beside the same values, nothing is counted twice.
                    let mut state = ours(precision, 0..n);
                    let mut counts = Vec::new();
                    counter(precision).counts(Some(&state), None, &[0], &mut counts);
                    let before = counts[0];
                    match set {
                        WindowSet::Tokens(tokens) => {
                            tokens.iter().for_each(|token| state.insert(3, *token));
                        }
                        WindowSet::Registers(registers) => state.insert_registers(3, &registers),
                    }
                    counter(precision).counts(Some(&state), None, &[0], &mut counts);
                    // Beside registers of unknown tokens even few are estimated.
                    let is_close = (counts[0] - before).abs() * 20 <= before;
                    assert!(counts[0] == before || n <= 512 && is_close, "{context}: {counts:?}");
                }
            }
        }
    }

    #[test]
    fn a_coarser_sketch_is_refused_with_what_to_do() {
        let error =
            import(14, &theirs(12, HllType::Hll8, 0..5000).serialize()).expect_err("coarse");
        assert_eq!(error, SketchError::TooCoarse { lg_k: 12, precision: 14 });
        assert!(error.to_string().contains("lgK 14 or more"), "{error}");
    }

    #[test]
    fn garbage_is_refused_or_read_but_never_fails() {
        let mut random = Prng::new(51);
        for kind in [HllType::Hll4, HllType::Hll6, HllType::Hll8] {
            for n in [0, 5, 100, 3000] {
                let bytes = theirs(11, kind, 0..n).serialize();
                for length in 0..bytes.len() {
                    assert!(import(10, &bytes[..length]).is_err(), "cut at {length}");
                }
                for _ in 0..1000 {
                    let mut damaged = bytes.clone();
                    for _ in 0..3 {
                        let place = random.below(damaged.len().min(60) as u64);
                        let place = usize::try_from(place).expect("small");
                        damaged[place] = random.next_u64().to_le_bytes()[0];
                    }
                    if let Ok(WindowSet::Registers(registers)) = import(10, &damaged) {
                        DistinctState::new(10).insert_registers(7, &registers);
                    }
                }
            }
        }
    }
}
