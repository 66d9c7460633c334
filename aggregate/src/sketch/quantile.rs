//! Quantiles with a bounded relative error: DDSketch (Masson, Rim and Lee, VLDB 2019) of integers, without collapsing.
//!
//! With γ = 101/99, bin i holds the integers v with γ^(i−1) < v ≤ γ^i. It is answered with 2γ^i/(γ+1) = 0.99·γ^i,
//! which is from 0.99·v up to below 1.01·v: so **the relative error is at most 1 % for every v from 1 unscaled unit
//! on**, one rounding to f64 aside. Below 50 no bin has more than one integer, yet the answer is that of the bin, not
//! the integer: 1 gives 0.99 and 2 gives 1.994, also when there is just one event. Raw events and tiles must answer
//! alike. 0 has a bin of its own and is answered exactly; negative numbers are mirrored. For i64 there are 2,185 bins
//! a side, so none is ever given up.
//!
//! Bins are found by comparing integers, never with a logarithm: v ≤ γ^i means v ≤ ⌊γ^i⌋.
//!
//! ```text
//! bytes   for each bin that has events, ascending by value: step · 2 + (0: one event, 1: more) | if more, count − 2
//! step    of the first one: zigzag bin; of the others: distance to the bin before
//! bin     0 for the number 0, i + 1 for bin i, −(i + 1) for its mirror
//! ```

use crate::{
    varint,
    wide::{Wide, ratio},
};

/// γ = 101/99: a relative error of 1 %.
const GAMMA: (u128, u128) = (101, 99);
/// γ^2184 is the first power from 2^63, the magnitude of `i64::MIN`, on.
const BINS: usize = 2_185;
/// ⌊64 · log 2 / log γ⌋: 64ths of bins that an octave spans.
const BINS_OF_64_OCTAVES: usize = 2_217;
/// Bins that can hold numbers of one octave: 34.7, and one more at either end.
const BINS_OF_OCTAVE: usize = 37;
/// The bin of 0 among all bins in value order.
const MIDDLE: usize = BINS;
const PPB: u128 = 1_000_000_000;

/// Bits of a mantissa. The next power takes 7 bits more before it is divided.
const MANTISSA_BITS: u32 = 121;

/// γ^i = mantissa · 2^(exponent − 120), and its integer part.
#[derive(Debug, Clone, Copy)]
struct Power {
    mantissa: u128,
    floor: u64,
}

/// γ^0, γ^1, …
///
/// Each step cuts off less than 2^-120 of the value, so that all 2,184 lose less than 2^-108: of the largest less
/// than 2^-44. That no integer lies in between is what `thresholds_are_the_integer_parts_of_powers` checks.
static POWERS: [Power; BINS] = powers();

const fn powers() -> [Power; BINS] {
    let mut powers = [Power { mantissa: 0, floor: 0 }; BINS];
    let mut mantissa = 1_u128 << (MANTISSA_BITS - 1);
    let mut exponent = 0;
    let mut i = 0;
    while i < BINS {
        let [a, b, c, d, e, f, g, h, ..] =
            (mantissa >> (MANTISSA_BITS - 1 - exponent)).to_le_bytes();
        powers[i] = Power { mantissa, floor: u64::from_le_bytes([a, b, c, d, e, f, g, h]) };
        mantissa = mantissa * GAMMA.0 / GAMMA.1;
        if mantissa >> MANTISSA_BITS != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
        i += 1;
    }
    powers
}

/// The i with γ^(i−1) < `value` ≤ γ^i, for a value from 1 to 2^63.
fn bin_of(value: u64) -> usize {
    let octave = value.max(1).ilog2() as usize;
    let first = octave * BINS_OF_64_OCTAVES / 64;
    let near = POWERS.get(first..).unwrap_or(&[]);
    let near = near.get(..BINS_OF_OCTAVE).unwrap_or(near);
    first + near.partition_point(|power| power.floor < value)
}

/// The place of a number's bin among all bins in value order.
fn place_of(number: i64) -> usize {
    match number.signum() {
        0 => MIDDLE,
        1 => MIDDLE + 1 + bin_of(number.unsigned_abs()),
        _ => MIDDLE - 1 - bin_of(number.unsigned_abs()),
    }
}

/// Counts of events by bin.
#[derive(Debug, Default)]
pub(crate) struct Quantile {
    /// One for every bin there is, in value order; nothing before the first event.
    counts: Vec<u64>,
    /// The places from the first to behind the last bin that has events.
    low: usize,
    high: usize,
}

impl Quantile {
    /// Adds one number.
    pub(crate) fn update(&mut self, unscaled: i64) {
        self.add(place_of(unscaled), 1);
    }

    fn add(&mut self, place: usize, count: u64) {
        if self.is_empty() {
            self.counts.resize(2 * BINS + 1, 0);
            (self.low, self.high) = (place, place);
        }
        self.low = self.low.min(place);
        self.high = self.high.max(place + 1);
        if let Some(bin) = self.counts.get_mut(place) {
            *bin = bin.saturating_add(count);
        }
    }

    /// Bins that have events, by place.
    fn bins(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.counts.get(self.low..self.high).unwrap_or(&[]);
        (self.low..).zip(counts.iter().copied()).filter(|(_, count)| *count > 0)
    }

    /// Adds what another one wrote. `None` when those are not such bytes.
    pub(crate) fn merge_bytes(&mut self, mut bytes: &[u8]) -> Option<()> {
        let input = &mut bytes;
        let mut before = None;
        while !input.is_empty() {
            let head = varint::take(input)?;
            let step = head >> 1;
            let place = match before {
                None => MIDDLE.checked_add_signed(isize::try_from(varint::unzigzag(step)).ok()?)?,
                Some(_) if step == 0 => return None,
                Some(before) => usize::try_from(step).ok()?.checked_add(before)?,
            };
            if place > 2 * BINS {
                return None;
            }
            let count = if head & 1 == 0 { 1 } else { varint::take(input)?.checked_add(2)? };
            self.add(place, count);
            before = Some(place);
        }
        Some(())
    }

    /// Appends all of it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut before = None;
        for (place, count) in self.bins() {
            let step = match before {
                None => varint::zigzag(place as i64 - MIDDLE as i64),
                Some(before) => (place - before) as u64,
            };
            varint::put(out, step << 1 | u64::from(count > 1));
            if count > 1 {
                varint::put(out, count - 2);
            }
            before = Some(place);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.low == self.high
    }

    /// Forgets all events.
    pub(crate) fn clear(&mut self) {
        if let Some(counts) = self.counts.get_mut(self.low..self.high) {
            counts.fill(0);
        }
        (self.low, self.high) = (0, 0);
    }

    /// The answer for the number of rank ⌊q·(n − 1)⌋ (from 0, ascending), divided by `unit` and rounded once; `None` when
    /// there are no events.
    ///
    /// `q_ppb` is q in parts of 10^9, `unit` is 10^scale.
    pub(crate) fn value(&self, q_ppb: u32, unit: u128) -> Option<f64> {
        let total: u128 = self.bins().map(|(_, count)| u128::from(count)).sum();
        let rank = u128::from(q_ppb).min(PPB) * total.checked_sub(1)? / PPB;
        let mut up_to = 0;
        let (place, _) = self.bins().find(|(_, count)| {
            up_to += u128::from(*count);
            up_to > rank
        })?;
        let Some(bin) = place.abs_diff(MIDDLE).checked_sub(1) else { return Some(0.0) };
        let power = POWERS.get(bin)?;
        // 2γ^i/(γ + 1) = γ^i · 99/100
        let denominator = 1_u128 << (MANTISSA_BITS - 1 - power.floor.ilog2());
        let denominator = Wide::from(denominator).times(&Wide::from(unit * 100));
        let magnitude = ratio(&Wide::from(power.mantissa * GAMMA.1), &denominator);
        Some(if place < MIDDLE { -magnitude } else { magnitude })
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use stdx::prng::Prng;

    use super::*;
    use crate::sketch::laws;

    fn write(numbers: &[i64], parts: &[Vec<u8>]) -> Vec<u8> {
        let mut quantile = Quantile::default();
        numbers.iter().for_each(|number| quantile.update(*number));
        parts.iter().for_each(|part| quantile.merge_bytes(part).expect("written"));
        let mut out = Vec::new();
        quantile.write(&mut out);
        out
    }

    /// γ^i as a fraction.
    fn power(i: usize) -> (BigUint, BigUint) {
        let i = u32::try_from(i).expect("small");
        (BigUint::from(101_u32).pow(i), BigUint::from(99_u32).pow(i))
    }

    #[test]
    fn thresholds_are_the_integer_parts_of_powers() {
        for (i, found) in POWERS.iter().enumerate() {
            let (numerator, denominator) = power(i);
            assert_eq!(BigUint::from(found.floor), numerator / denominator, "{i}");
        }
        assert!(POWERS[BINS - 2].floor < 1 << 63 && POWERS[BINS - 1].floor >= 1 << 63);
    }

    #[test]
    fn every_number_is_in_the_bin_of_its_thresholds() {
        let check = |value: u64| {
            let bin = bin_of(value);
            assert!(
                POWERS[bin].floor >= value && (bin == 0 || POWERS[bin - 1].floor < value),
                "{value}"
            );
        };
        (1..100_000).for_each(check);
        for power in &POWERS {
            check(power.floor.min(1 << 63));
            check((power.floor + 1).min(1 << 63));
        }
        for bit in 0..63 {
            let power = 1_u64 << bit;
            [power, power + 1, (power - 1).max(1)].into_iter().for_each(check);
        }
        check(1 << 63);
        check(i64::MAX.unsigned_abs());
    }

    #[test]
    fn bins_are_answered_with_the_nearest_float() {
        const PLACES: u32 = 60;
        for (bin, found) in POWERS.iter().enumerate() {
            let (numerator, denominator) = power(bin);
            for scale in [0, 2, 18] {
                let unit = 10_u128.pow(scale);
                let scaled = &numerator * 99_u32 * BigUint::from(10_u32).pow(PLACES);
                let digits = scaled / (&denominator * 100_u32 * unit);
                // No quotient is exact: 101 and 99 have no common factor.
                let expected: f64 = format!("{digits}1e-{}", PLACES + 1).parse().expect("a number");
                for number in
                    [found.floor.min(1 << 63) as i128, -(found.floor.min(1 << 63) as i128)]
                {
                    let Ok(number) = i64::try_from(number) else { continue };
                    if place_of(number).abs_diff(MIDDLE) != bin + 1 {
                        continue;
                    }
                    let mut quantile = Quantile::default();
                    quantile.update(number);
                    let value = quantile.value(500_000_000, unit).expect("one event");
                    let expected = if number < 0 { -expected } else { expected };
                    assert_eq!(value.to_bits(), expected.to_bits(), "{number} / {unit}");
                }
            }
        }
    }

    fn assert_near(value: f64, truth: i64) {
        let difference = (value - truth as f64).abs();
        let allowed = truth.unsigned_abs() as f64 * 0.01 * (1.0 + 1e-13);
        assert!(difference <= allowed, "{value} for {truth}");
    }

    #[test]
    fn one_number_is_answered_within_a_hundredth() {
        let powers = (0..63).flat_map(|bit| [(1_i64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        let mut quantile = Quantile::default();
        for number in (0..100_000).chain(powers).chain([i64::MAX, i64::MIN + 1]) {
            for number in [number, -number] {
                quantile.clear();
                quantile.update(number);
                assert_near(quantile.value(500_000_000, 1).expect("one event"), number);
            }
        }
        quantile.clear();
        quantile.update(i64::MIN);
        assert_near(quantile.value(0, 1).expect("one event"), i64::MIN);
        // Exactly 0.99, not 1: as the file says.
        quantile.clear();
        quantile.update(1);
        assert_eq!(quantile.value(0, 1), Some(0.99));
        assert_eq!(quantile.value(0, 100), Some(0.0099));
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "draws are cut off to integers")]
    fn quantiles_are_within_a_hundredth_of_the_sample_quantile_of_that_rank() {
        let seed = laws::seed();
        let mut prng = Prng::stream(seed, "quantile");
        let normal = |prng: &mut Prng| (0..12).map(|_| prng.unit()).sum::<f64>() - 6.0;
        let draws: [&dyn Fn(&mut Prng) -> i64; 4] = [
            &|prng| prng.between(0, 1_000_000),
            &|prng| (normal(prng) * 1.5 + 9.0).exp() as i64,
            &|prng| (-(1.0 - prng.unit()).ln() * 40_000.0) as i64,
            &|prng| {
                let center = if prng.chance(0.4) { -50_000.0 } else { 300.0 };
                (center + normal(prng) * 200.0) as i64
            },
        ];
        let quantiles = [0, 10, 250, 500, 750, 950, 990, 999, 1_000];
        for (distribution, draw) in draws.iter().enumerate() {
            for count in [1, 2, 3, 10, 101, 20_000] {
                let mut numbers: Vec<i64> = (0..count).map(|_| draw(&mut prng)).collect();
                let mut quantile = Quantile::default();
                numbers.iter().for_each(|number| quantile.update(*number));
                numbers.sort_unstable();
                for q_permille in quantiles {
                    let rank = q_permille * (numbers.len() - 1) / 1_000;
                    let q_ppb = u32::try_from(q_permille).expect("small") * 1_000_000;
                    let value = quantile.value(q_ppb, 1).expect("events");
                    println!(
                        "LARDER_SEED={seed}: distribution {distribution}, {count}, {q_permille}"
                    );
                    assert_near(value, numbers[rank]);
                }
            }
        }
    }

    #[test]
    fn of_no_events_there_is_no_value_and_no_byte() {
        let mut quantile = Quantile::default();
        assert_eq!((quantile.is_empty(), quantile.value(0, 1)), (true, None));
        quantile.update(7);
        assert!(!quantile.is_empty());
        quantile.clear();
        let mut out = Vec::new();
        quantile.write(&mut out);
        assert_eq!((quantile.is_empty(), quantile.value(0, 1), out), (true, None, Vec::new()));
    }

    #[test]
    fn the_last_rank_is_reached_only_by_one_whole() {
        let mut quantile = Quantile::default();
        (0..1_000).for_each(|_| quantile.update(0));
        quantile.update(100);
        assert_eq!(quantile.value(999_999_999, 1), Some(0.0));
        assert!(quantile.value(1_000_000_000, 1) > Some(98.0));
        assert!(quantile.value(u32::MAX, 1) > Some(98.0));
    }

    fn numbers(prng: &mut Prng, count: usize) -> Vec<i64> {
        let draw = |prng: &mut Prng| {
            let bits = u32::try_from(prng.below(64)).expect("small");
            prng.next_u64().cast_signed() >> bits
        };
        (0..count).map(|_| draw(prng)).chain([0, 0, i64::MIN, i64::MAX]).collect()
    }

    #[test]
    fn any_order_and_grouping_gives_the_same_bytes() {
        let mut prng = Prng::stream(laws::seed(), "numbers");
        laws::assert_order_free("quantile", &numbers(&mut prng, 2_000), 100, write);
    }

    #[test]
    fn bytes_are_as_documented() {
        // Bins −1 (of −1), 0, 1 twice (of 1), and 36 (of 2).
        assert_eq!(write(&[2, 1, 0, -1, 1], &[]), [2, 2, 3, 0, 70]);
    }

    #[test]
    fn no_bytes_do_harm() {
        let mut prng = Prng::stream(laws::seed(), "numbers");
        let valid = [0, 1, 5, 300].map(|count| write(&numbers(&mut prng, count), &[]));
        laws::assert_safe_from_bytes("quantile", &valid, |bytes| {
            let mut quantile = Quantile::default();
            quantile.merge_bytes(bytes)?;
            let _any = quantile.value(500_000_000, 100);
            let mut out = Vec::new();
            quantile.write(&mut out);
            Some(out)
        });
        // The 64 bits of a count are full, but not passed.
        let full = [&[1][..], &[0xfd], &[0xff; 8], &[1]].concat();
        assert!(Quantile::default().merge_bytes(&full).is_some());
        assert_eq!(
            Quantile::default()
                .merge_bytes(&[1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            None
        );
    }
}
