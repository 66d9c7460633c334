//! Time-decayed means: forward decay (Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009) in integers.
//!
//! A value of age a weighs 2^(−a/h), h being the half-life. Weights relative to the epoch ⌊t/h⌋ of the event do not
//! change as time goes on, so they can be summed up once:
//!
//! ```text
//! epoch        e = ⌊t/h⌋, rounded down also before 1970               t = event time, ms
//! weight       w = 2^32 · 2^((t mod h)/h), an integer from 2^32 to 2^33
//! state        for each epoch, Σ w·v and Σ w
//! value        (Σ over epochs of 2^e · Σ w·v) / (Σ over epochs of 2^e · Σ w)
//! ```
//!
//! **Exactness.** The relative error of a weight is at most 4·10^-9: 3.6·10^-9 from interpolating linearly between
//! 4,096 steps of an octave, 1.2·10^-10 from rounding to an integer. All sums are exact, and there is one rounding at
//! the end.
//!
//! **Old epochs.** Those more than 63 before the newest weigh less than 2^-63 of it. They are given up, which depends
//! on no order: the newest epoch only grows, so an epoch within 63 of the last one was so all the time.
//!
//! **Overflow.** |v| ≤ 2^63 and w ≤ 2^33, so that 2^64 events sum up to at most 2^160, and their weights to 2^97.
//! Times 2^63 and over 64 epochs that is below 2^229 and 2^166; the latter times a unit of 10^18 is below 2^226.
//!
//! ```text
//! bytes   for each epoch, the newest first: step | Σ w·v | Σ w, both as in `int192`
//! step    of the first one: zigzag epoch; of the others: epochs before the one before
//! ```

use super::int192::Int192;
use crate::{
    varint,
    wide::{Wide, ratio},
};

/// Epochs that count: the newest and so many minus one before it.
const EPOCHS: u8 = 64;
/// Steps that an octave is tabulated in.
const STEPS: usize = 4_096;
const STEP_BITS: u32 = 12;
/// Bits of the place between two steps.
const BETWEEN_BITS: u32 = 32;
/// The table has 1 as 2^62, weights have it as 2^32.
const ONE_BITS: u32 = 62;
const WEIGHT_BITS: u32 = 32;

/// 2^(j/4096), as multiples of 2^-62, for j from 0 to 4096.
///
/// Twelve square roots of 2, of which each entry is a product: every step cuts off less than 2^-62, so that entries
/// are right to 2^-57, far below what rounding a weight takes.
static OCTAVE: [u64; STEPS + 1] = octave();

const fn octave() -> [u64; STEPS + 1] {
    let mut table = [0; STEPS + 1];
    table[0] = 1 << ONE_BITS;
    table[STEPS] = 2 << ONE_BITS;
    let mut root = 2_u128 << ONE_BITS;
    let mut step = STEPS / 2;
    while step > 0 {
        // From 2^(2·step/4096) to 2^(step/4096), which is multiplied into every entry that has a longer step already.
        root = (root << ONE_BITS).isqrt();
        let mut at = step;
        while at < STEPS {
            let [a, b, c, d, e, f, g, h, ..] =
                ((table[at - step] as u128 * root) >> ONE_BITS).to_le_bytes();
            table[at] = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
            at += 2 * step;
        }
        step /= 2;
    }
    table
}

/// 2^32 · 2^(`part`/`whole`) to the nearest integer, for `part` < `whole`.
fn weight(part: u64, whole: u64) -> u64 {
    let place = (u128::from(part) << (STEP_BITS + BETWEEN_BITS)) / u128::from(whole.max(1));
    let step = usize::try_from(place >> BETWEEN_BITS).unwrap_or(0);
    let between = place & ((1 << BETWEEN_BITS) - 1);
    let entry = |step: usize| OCTAVE.get(step).copied().map_or(0, u128::from);
    let (low, high) = (entry(step), entry(step + 1));
    let exact = low + ((high.saturating_sub(low) * between) >> BETWEEN_BITS);
    let drop = ONE_BITS - WEIGHT_BITS;
    u64::try_from((exact + (1 << (drop - 1))) >> drop).unwrap_or(0)
}

/// What the events of one epoch come to.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    number: i64,
    /// Σ w·v
    sum: Int192,
    /// Σ w
    weight: u128,
}

/// Weighted sums by epoch.
#[derive(Debug)]
pub(crate) struct Decay {
    half_life_ms: i64,
    /// Ascending, all within 63 of the last.
    epochs: Vec<Epoch>,
}

impl Decay {
    /// Halves weights every `half_life_ms`, which is at least 1.
    pub(crate) fn new(half_life_ms: i64) -> Self {
        Self { half_life_ms: half_life_ms.max(1), epochs: Vec::new() }
    }

    /// Adds one number at `time`.
    pub(crate) fn update(&mut self, time: i64, unscaled: i64) {
        let part = time.rem_euclid(self.half_life_ms);
        let weight = weight(part.unsigned_abs(), self.half_life_ms.unsigned_abs());
        self.add(Epoch {
            number: time.div_euclid(self.half_life_ms),
            // Below 2^97.
            sum: Int192::from(i128::from(weight) * i128::from(unscaled)),
            weight: weight.into(),
        });
    }

    fn add(&mut self, epoch: Epoch) {
        let reach = i64::from(EPOCHS) - 1;
        let newest = self.epochs.last().map_or(epoch.number, |newest| newest.number);
        if epoch.number < newest.saturating_sub(reach) {
            return;
        }
        if epoch.number > newest {
            let oldest = epoch.number.saturating_sub(reach);
            let dead = self.epochs.partition_point(|old| old.number < oldest);
            self.epochs.drain(..dead);
        }
        match self.epochs.binary_search_by_key(&epoch.number, |other| other.number) {
            Ok(place) => {
                if let Some(same) = self.epochs.get_mut(place) {
                    same.sum.add(epoch.sum);
                    same.weight = same.weight.saturating_add(epoch.weight);
                }
            }
            Err(place) => self.epochs.insert(place, epoch),
        }
    }

    /// Adds what another one of the same half-life wrote. `None` when those are not such bytes.
    pub(crate) fn merge_bytes(&mut self, mut bytes: &[u8]) -> Option<()> {
        let input = &mut bytes;
        let mut newest = None;
        let mut before: Option<i64> = None;
        while !input.is_empty() {
            let step = varint::take(input)?;
            let number = match before {
                None => varint::unzigzag(step),
                Some(_) if step == 0 => return None,
                Some(before) => before.checked_sub_unsigned(step)?,
            };
            let newest = *newest.get_or_insert(number);
            let sum = Int192::take(input)?;
            let weight = u128::try_from(Int192::take(input)?.narrow()?).ok()?;
            if newest.abs_diff(number) >= u64::from(EPOCHS) || weight >> WEIGHT_BITS == 0 {
                return None;
            }
            self.add(Epoch { number, sum, weight });
            before = Some(number);
        }
        Some(())
    }

    /// Appends all of it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut before: Option<i64> = None;
        for epoch in self.epochs.iter().rev() {
            let step = before.map_or(varint::zigzag(epoch.number), |b| b.abs_diff(epoch.number));
            varint::put(out, step);
            epoch.sum.put(out);
            Int192::from(i128::try_from(epoch.weight).unwrap_or(i128::MAX)).put(out);
            before = Some(epoch.number);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// Forgets all events.
    pub(crate) fn clear(&mut self) {
        self.epochs.clear();
    }

    /// The decayed mean of events before `head`, which is all there are, divided by `unit` and rounded once; `None`
    /// when there are none in the epoch of `head − 1` and the 63 before it.
    ///
    /// `unit` is 10^scale. How much later than the last event `head` is plays no part beyond that: all weights shrink
    /// alike.
    pub(crate) fn value(&self, head: i64, unit: u128) -> Option<f64> {
        let last = head.saturating_sub(1).div_euclid(self.half_life_ms);
        let zero = Wide::from(0);
        let (mut above, mut below, mut weights) = (zero, zero, zero);
        for epoch in &self.epochs {
            let age = last.checked_sub(epoch.number).and_then(|age| u8::try_from(age).ok());
            let Some(age) = age.filter(|age| *age < EPOCHS) else { continue };
            let factor = Wide::from(1 << (EPOCHS - 1 - age));
            let side = if epoch.sum.is_negative() { &mut below } else { &mut above };
            *side = side.plus(&epoch.sum.magnitude().times(&factor));
            weights = weights.plus(&Wide::from(epoch.weight).times(&factor));
        }
        if weights == zero {
            return None;
        }
        let denominator = weights.times(&Wide::from(unit));
        // One of the differences is 0.
        let (gain, loss) = (above.minus(&below), below.minus(&above));
        let is_negative = loss != zero;
        let magnitude = ratio(if is_negative { &loss } else { &gain }, &denominator);
        Some(if is_negative { -magnitude } else { magnitude })
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use stdx::prng::Prng;

    use super::*;
    use crate::sketch::laws;

    const HOUR_MS: i64 = 3_600_000;

    fn decay(half_life_ms: i64, events: &[(i64, i64)], parts: &[Vec<u8>]) -> Decay {
        let mut decay = Decay::new(half_life_ms);
        events.iter().for_each(|(time, number)| decay.update(*time, *number));
        parts.iter().for_each(|part| decay.merge_bytes(part).expect("written"));
        decay
    }

    fn write(half_life_ms: i64, events: &[(i64, i64)], parts: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        decay(half_life_ms, events, parts).write(&mut out);
        out
    }

    fn events(prng: &mut Prng, count: usize, span_ms: i64) -> Vec<(i64, i64)> {
        let draw = |prng: &mut Prng| (prng.between(-span_ms, span_ms), prng.between(-100, 100_000));
        (0..count).map(|_| draw(prng)).collect()
    }

    #[test]
    fn weights_are_right_to_four_parts_in_a_thousand_million() {
        let mut largest = 0.0_f64;
        let parts = 1_000_003_u64;
        for part in 0..parts {
            let found = weight(part, parts) as f64;
            let exact = (WEIGHT_BITS as f64 + part as f64 / parts as f64).exp2();
            largest = largest.max((found / exact - 1.0).abs());
        }
        assert!(largest < 4e-9, "{largest}");
        assert_eq!(weight(0, 7), 1 << 32);
        assert_eq!(weight(0, 1), 1 << 32);
        assert_eq!(weight(u64::MAX - 1, u64::MAX), 1 << 33);
    }

    #[test]
    fn means_equal_those_of_the_definition() {
        let seed = laws::seed();
        let mut prng = Prng::stream(seed, "means");
        for round in 0..300 {
            let half_life_ms = [1_000, HOUR_MS, 7 * 24 * HOUR_MS][round % 3];
            let events = events(&mut prng, 1 + round, 10 * half_life_ms);
            let head = events.iter().map(|(time, _)| time + 1).max().expect("some")
                + prng.between(0, 5 * half_life_ms);
            let (mut sum, mut magnitudes, mut weights) = (0.0, 0.0, 0.0);
            for (time, number) in &events {
                let weight = (-((head - 1 - time) as f64) / half_life_ms as f64).exp2();
                sum += weight * *number as f64;
                magnitudes += weight * number.unsigned_abs() as f64;
                weights += weight;
            }
            let value = decay(half_life_ms, &events, &[]).value(head, 100).expect("events");
            let difference = (value - sum / weights / 100.0).abs();
            assert!(
                difference <= 1e-8 * magnitudes / weights / 100.0,
                "LARDER_SEED={seed} round {round}"
            );
        }
    }

    /// The same integers, summed up by a library.
    #[test]
    fn quotients_of_extreme_numbers_are_correctly_rounded() {
        let seed = laws::seed();
        let mut prng = Prng::stream(seed, "extreme");
        for round in 0..300 {
            let half_life_ms = prng.between(1, 5_000);
            let mut events = events(&mut prng, 50, 80 * half_life_ms);
            for (_, number) in &mut events {
                *number = prng.next_u64().cast_signed() >> prng.below(64);
            }
            events.push((0, i64::MIN));
            let head = 80 * half_life_ms + 1;
            let last = (head - 1).div_euclid(half_life_ms);
            let (mut sum, mut weights) = (BigInt::ZERO, BigInt::ZERO);
            for (time, number) in &events {
                let age = last - time.div_euclid(half_life_ms);
                let part = time.rem_euclid(half_life_ms).unsigned_abs();
                if age <= 63 {
                    let weight = BigInt::from(weight(part, half_life_ms.unsigned_abs()));
                    sum += (&weight * number) << (63 - age);
                    weights += weight << (63 - age);
                }
            }
            let digits = (&sum * BigInt::from(10).pow(60)) / (&weights * 1_000);
            let is_exact = &digits * &weights * 1_000 == sum * BigInt::from(10).pow(60);
            let expected: f64 =
                format!("{digits}{}e-61", u8::from(!is_exact)).parse().expect("a number");
            let value = decay(half_life_ms, &events, &[]).value(head, 1_000);
            assert_eq!(value, Some(expected), "LARDER_SEED={seed} round {round}");
        }
    }

    #[test]
    fn any_order_and_grouping_gives_the_same_bytes() {
        let mut prng = Prng::stream(laws::seed(), "decay");
        for (half_life_ms, span) in [(1, 40), (1_000, 200_000), (HOUR_MS, 30 * HOUR_MS)] {
            let events = events(&mut prng, 800, span);
            let write = |events: &[_], parts: &[Vec<u8>]| write(half_life_ms, events, parts);
            laws::assert_order_free("decay", &events, 200, write);
        }
    }

    #[test]
    fn one_event_is_its_own_mean_until_it_is_64_epochs_old() {
        for time in [-HOUR_MS - 1, -1, 0, 1, 12_345] {
            let decay = decay(HOUR_MS, &[(time, -250)], &[]);
            assert_eq!(decay.value(time + 1, 100), Some(-2.5));
            let end = (time.div_euclid(HOUR_MS) + 64) * HOUR_MS;
            assert_eq!(decay.value(end, 100), Some(-2.5));
            assert_eq!(decay.value(end + 1, 100), None);
            assert_eq!(decay.value(i64::MAX, 100), None);
        }
    }

    #[test]
    fn a_half_life_halves_a_weight() {
        // 1 · 0 and 2 · 0.5, and then all a half-life later.
        let events = [(10 * HOUR_MS, 3), (9 * HOUR_MS, 0)];
        let decay = decay(HOUR_MS, &events, &[]);
        assert_eq!(decay.value(10 * HOUR_MS + 1, 1), Some(2.0));
        assert_eq!(decay.value(11 * HOUR_MS + 1, 1), Some(2.0));
    }

    #[test]
    fn the_ends_of_time_are_told_apart() {
        let mut decay = decay(1, &[(i64::MIN, 1), (i64::MAX - 1, 5)], &[]);
        assert_eq!(decay.value(i64::MAX, 1), Some(5.0));
        assert_eq!(decay.value(i64::MIN, 1), None);
        decay.clear();
        assert!(decay.is_empty());
        assert_eq!(decay.value(0, 1), None);
    }

    #[test]
    fn bytes_are_as_documented() {
        // Of −1 in epoch 3 and twice 2 in epoch 1, all of weight 2^32.
        let newest = [6, 5, 0, 0, 0, 0, 0xff, 5, 0, 0, 0, 0, 1];
        let other = [2, 5, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 2];
        let events = [(1_000, 2), (3_000, -1), (1_000, 2)];
        assert_eq!(write(1_000, &events, &[]), [newest, other].concat());
    }

    #[test]
    fn no_bytes_do_harm() {
        let mut prng = Prng::stream(laws::seed(), "bytes of decay");
        let valid = [0, 1, 100].map(|count| write(1_000, &events(&mut prng, count, 9_000), &[]));
        laws::assert_safe_from_bytes("decay", &valid, |bytes| {
            let mut decay = Decay::new(1_000);
            decay.merge_bytes(bytes)?;
            let _any = decay.value(9_001, 10_u128.pow(18));
            let mut out = Vec::new();
            decay.write(&mut out);
            Some(out)
        });
        // An epoch twice, one without weight, and one too old to be kept are written by nothing.
        let weight = [5, 0, 0, 0, 0, 1];
        let epoch = |step| [&[step, 1, 1][..], &weight].concat();
        assert!(Decay::new(1).merge_bytes(&[epoch(4), epoch(63)].concat()).is_some());
        assert_eq!(Decay::new(1).merge_bytes(&[epoch(4), epoch(64)].concat()), None);
        assert_eq!(Decay::new(1).merge_bytes(&[epoch(4), epoch(0)].concat()), None);
        assert_eq!(Decay::new(1).merge_bytes(&[4, 1, 1, 0]), None);
    }
}
