//! What is assumed of the events of an entity, and what follows for the numbers in them.

use model::value::DataType;

/// What is assumed of events where the definition does not say it.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Events of one entity within its longest window; one line of the answer each.
    pub events: Vec<u64>,
    /// Numbers are spread evenly from 0 to this, before their decimal places.
    pub number_max: u64,
    /// Bytes of a text.
    pub text_bytes: u64,
    /// Bytes of an event id that is a text.
    pub id_bytes: u64,
    /// Different values that an entity's events draw from, each as often as the others: for distinct counts, `top_k`, `by`.
    pub values: u64,
    /// Share of events that a filter lets through, 0 to 1.
    pub filter_share: f64,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            events: vec![1, 10, 100, 1_000, 10_000, 100_000, 1_000_000],
            number_max: 1_000,
            text_bytes: 12,
            id_bytes: 16,
            values: 1_000,
            filter_share: 0.5,
        }
    }
}

/// Times in ms are below 2^41 until 2039.
const TIME_MAX: f64 = 2.2e12;

impl Load {
    /// The largest unscaled number of `data_type`.
    pub(super) fn unscaled_max(&self, data_type: DataType) -> f64 {
        let number = self.number_max as f64;
        match data_type {
            DataType::Timestamp => TIME_MAX,
            DataType::Decimal(scale) => number * 10_f64.powi(scale.into()),
            _ => number,
        }
    }

    /// How many different ones `draws` of the values are, on average.
    pub(super) fn distinct(&self, draws: f64) -> f64 {
        let values = self.values.max(1) as f64;
        occupied(values, draws / values)
    }
}

/// How many of `places` have something when each gets `mean` on average, at random.
pub(super) fn occupied(places: f64, mean: f64) -> f64 {
    places * -(-mean).exp_m1()
}

/// The most that one of `places` is likely to get when each gets `mean` on average, at random.
pub(super) fn fullest(places: f64, mean: f64) -> f64 {
    let logarithm = places.max(2.0).ln();
    mean + (2.0 * mean * logarithm).sqrt() + logarithm / 3.0
}

/// Bytes that the integers up to `value` need.
pub(super) fn width(value: f64) -> f64 {
    ((value + 1.0).log2() / 8.0).ceil().max(0.0)
}

/// Bytes of a varint of integers spread evenly from 0 to `max`, on average.
pub(super) fn mean_varint(max: f64) -> f64 {
    let (mut sum, mut bytes, mut below) = (0.0, 1.0, 0.0_f64);
    let mut end = 128.0_f64;
    while below < max && bytes < 10.0 {
        let share = (end.min(max) - below) / max;
        sum += share * bytes;
        (below, end, bytes) = (end, end * 128.0, bytes + 1.0);
    }
    if max <= 0.0 { 1.0 } else { sum + (1.0 - below / max).max(0.0) * 10.0 }
}

/// The nearest whole number from 0 on.
pub(super) fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`as` saturates, and fractions are meant to go"
    )]
    let whole = value.round() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;
    use crate::varint;

    #[test]
    fn widths_are_those_of_little_endian_bytes() {
        for value in [0_u64, 1, 255, 256, 65_535, 65_536, 1 << 40] {
            let bytes = (u64::BITS - value.leading_zeros()).div_ceil(8);
            assert_eq!(width(value as f64), f64::from(bytes), "{value}");
        }
    }

    #[test]
    fn averages_are_those_of_draws() {
        let mut random = Prng::new(5);
        for max in [1_u64, 100, 1_000, 100_000, 40_000_000, 600_000_000_000] {
            let drawn: usize = (0..20_000).map(|_| varint::length(random.below(max + 1))).sum();
            let (drawn, mean) = (drawn as f64 / 20_000.0, mean_varint(max as f64));
            assert!((drawn / mean - 1.0).abs() < 0.01, "{max}: {drawn} and {mean}");
        }
        let load = Load { values: 500, ..Load::default() };
        for draws in [1_u64, 100, 500, 3_000] {
            let mut seen = vec![false; 500];
            let place = |random: &mut Prng| usize::try_from(random.below(500)).expect("small");
            (0..draws).for_each(|_| seen[place(&mut random)] = true);
            let seen = seen.iter().filter(|seen| **seen).count();
            let mean = load.distinct(draws as f64);
            assert!((seen as f64 - mean).abs() < 0.1 * mean + 1.0, "{draws}: {seen} and {mean}");
        }
    }
}
