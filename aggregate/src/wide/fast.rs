//! Quotients and roots of 128-bit operands in a few nanoseconds: an estimate in f64, then integers pass the verdict on it.
//!
//! Let `v` be the exact value and `m · 2^e` an estimate, less than four units in the last place away. Whether it is the
//! nearest f64, or a neighbour is, hangs on which side of the midpoints `(m ± ½) · 2^e` the value lies: on the sign of a
//! difference of integers. With `v = n / d` these are `2 · n / 2^e` and `(2m ± 1) · d`. Both are far wider than 64 bits,
//! but close to each other, so that 64 bits out of their middle are enough, computed modulo 2^64: the bits above cancel,
//! and those below matter only for a value that nearly hits a midpoint.
//!
//! Not decided here (`None`: near a tie or a power of two, a denominator too wide, an estimate too far away) means that the
//! long way decides.

use super::halves;

const FRACTION_BITS: u32 = 52;
const FRACTION: u64 = (1 << FRACTION_BITS) - 1;
/// Up to here an integer is an f64.
const EXACT_BITS: u32 = FRACTION_BITS + 1;
/// Widest denominator of a quotient: a few times its upper limb is a signed number.
const DENOMINATOR_BITS: u32 = 120;

/// `numerator / denominator` where it is decided quickly; the denominator is not 0.
#[inline]
pub(super) fn ratio(numerator: u128, denominator: u128) -> Option<f64> {
    if (numerator | denominator) >> EXACT_BITS == 0 {
        // One division of exact operands is correctly rounded.
        let exact = |number| halves(number).0.cast_signed() as f64;
        return Some(exact(numerator) / exact(denominator));
    }
    ratio_by_estimate(numerator, denominator)
}

fn ratio_by_estimate(numerator: u128, denominator: u128) -> Option<f64> {
    if numerator == 0 {
        return Some(0.0);
    }
    let scale = denominator.leading_zeros().checked_sub(u128::BITS - DENOMINATOR_BITS)?;
    let (low, high) = halves(denominator << scale);
    let estimate = near(numerator) / near(denominator);
    let (mantissa, exponent) = parts(estimate);
    // 2v = n / (d · 2^(e-1)) is compared with 2m and its midpoints 2m ± 1, all times d · 2^scale and without 64 bits.
    let shift = scale.cast_signed() + 1 - exponent;
    let twice = 2 * mantissa;
    let product = high.wrapping_mul(twice).wrapping_add(product_high(low, twice));
    let distance = limb(numerator, shift - 64).wrapping_sub(product).cast_signed();
    settle(estimate, distance, high.cast_signed())
}

/// The square root of `numerator / denominator` where it is decided quickly; the denominator is not 0.
pub(super) fn root_of_ratio(numerator: u128, denominator: u128) -> Option<f64> {
    if numerator == 0 {
        return Some(0.0);
    }
    let scale = denominator.leading_zeros();
    let (low, high) = halves(denominator << scale);
    let estimate = (near(numerator) / near(denominator)).sqrt();
    let (mantissa, exponent) = parts(estimate);
    // (2v)² = n / (d · 2^(2e-2)) is compared with (2m)² and its midpoints (2m ± 1)² = (2m)² ± 4m + 1, all times
    // d · 2^scale and without 128 bits. The 1, and what is carried from below, is less than VAGUE.
    let shift = scale.cast_signed() + 2 - 2 * exponent;
    let twice = 2 * mantissa;
    let (square_low, square_high) = halves(u128::from(twice) * u128::from(twice));
    let product = square_high
        .wrapping_mul(high)
        .wrapping_add(product_high(square_low, high))
        .wrapping_add(product_high(square_high, low));
    let distance = limb(numerator, shift - 128).wrapping_sub(product).cast_signed();
    settle(estimate, distance, product_high(2 * twice, high).cast_signed())
}

/// The f64 nearest to a value that is `distance` above `estimate`, on a scale where its midpoints are `midpoint` away.
#[inline]
fn settle(estimate: f64, distance: i64, midpoint: i64) -> Option<f64> {
    /// More than what the two may be wrong by together.
    const VAGUE: u64 = 8;
    let bits = estimate.to_bits();
    // Without a branch: about every third estimate is one off, at random.
    let nearest = bits + u64::from(distance > midpoint) - u64::from(distance < -midpoint);
    let (magnitude, midpoint) = (distance.unsigned_abs(), midpoint.unsigned_abs());
    let is_tie = magnitude.abs_diff(midpoint) <= VAGUE;
    // From three midpoints on, the neighbour's neighbour is nearer.
    let is_far = magnitude > midpoint / 2 * 5;
    // The neighbour below a power of two is half as far away.
    let is_power = bits & FRACTION == 0 || nearest & FRACTION == 0;
    (!(is_tie || is_far || is_power)).then_some(f64::from_bits(nearest))
}

/// Near `value`: at most two roundings away.
#[inline]
fn near(value: u128) -> f64 {
    const LIMB: f64 = 18_446_744_073_709_551_616.0;
    let (low, high) = halves(value);
    high as f64 * LIMB + low as f64
}

/// `m` and `e` of a normal number `m · 2^e` with an `m` of 53 bits.
#[inline]
fn parts(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let exponent = i32::try_from(bits >> FRACTION_BITS).unwrap_or(0);
    (bits & FRACTION | (1 << FRACTION_BITS), exponent - 1075)
}

/// The lowest 64 bits of `value · 2^count`, cut off to a whole number.
#[inline]
fn limb(value: u128, count: i32) -> u64 {
    let distance = count.unsigned_abs();
    if count < 0 {
        halves(value.checked_shr(distance).unwrap_or(0)).0
    } else {
        halves(value).0.checked_shl(distance).unwrap_or(0)
    }
}

/// The high half of a product.
#[inline]
fn product_high(a: u64, b: u64) -> u64 {
    halves(u128::from(a) * u128::from(b)).1
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;
    use crate::wide::{Wide, long_ratio, long_root_of_ratio, ratio_u128, root_of_ratio_u128};

    /// `LARDER_SEED`, to replay a failure, else a fixed one.
    fn seed() -> u64 {
        std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(5)
    }

    /// A number above 0 of up to `bits` bits: any, or one of few bits, or one of long runs.
    fn number(prng: &mut Prng, bits: u64) -> u128 {
        let any = u128::from(prng.next_u64()) << 64 | u128::from(prng.next_u64());
        let cut = any >> (128 - bits + prng.below(bits));
        match prng.below(3) {
            0 => cut & (cut << prng.below(40)) & (cut >> prng.below(40)) | 1,
            1 => (cut | cut >> 1 | cut >> 3) & (u128::MAX >> (128 - bits)) | 1,
            _ => cut | 1,
        }
    }

    /// Up to a few units above or below, now and then none.
    fn nudged(prng: &mut Prng, number: u128) -> u128 {
        let by = i128::from(prng.between(-2, 2)) << (prng.below(2) * prng.below(30));
        number.saturating_add_signed(by)
    }

    /// A numerator and a denominator where something may go wrong.
    fn operands(prng: &mut Prng) -> (u128, u128) {
        let odd = u128::from(prng.next_u64() >> (10 + prng.below(2) * prng.below(50))) | 1;
        match prng.below(6) {
            // Anything, also far beyond what is decided quickly.
            0 => {
                let bits = [60, 64, 108, 120, 128][usize::try_from(prng.below(5)).expect("small")];
                (number(prng, bits), number(prng, 128))
            }
            // The variance of a few thousand amounts.
            1 => (number(prng, 80), number(prng, 50)),
            // A quotient halfway between two f64: an odd number of 54 bits, over two, times any denominator.
            2 => {
                let denominator = number(prng, 70) << prng.below(4);
                let numerator = (odd * denominator) >> prng.below(4);
                (nudged(prng, numerator), denominator)
            }
            // A root halfway between two f64, and roots of squares.
            3 => {
                let denominator = number(prng, 18);
                (nudged(prng, odd * odd * denominator), denominator << (2 * prng.below(55)))
            }
            // A power of two and its neighbours.
            4 => {
                let denominator = number(prng, 90);
                let numerator = denominator << prng.below(38);
                (nudged(prng, numerator), denominator)
            }
            // Equal but for the lowest bits, of any size.
            _ => {
                let number = number(prng, 127);
                (nudged(prng, number), number)
            }
        }
    }

    #[test]
    fn the_short_way_and_the_long_way_give_the_same_bits() {
        let seed = seed();
        let mut prng = Prng::new(seed);
        for _ in 0..1_000_000 {
            let (n, d) = operands(&mut prng);
            let (wide_n, wide_d) = (Wide::from(n), Wide::from(d));
            let (quotient, root) = (ratio_u128(n, d), root_of_ratio_u128(n, d));
            let (long_quotient, long_root) =
                (long_ratio(&wide_n, &wide_d), long_root_of_ratio(&wide_n, &wide_d));
            assert_eq!(
                quotient.to_bits(),
                long_quotient.to_bits(),
                "{n} / {d}, LARDER_SEED={seed}"
            );
            assert_eq!(root.to_bits(), long_root.to_bits(), "√({n} / {d}), LARDER_SEED={seed}");
        }
    }

    #[test]
    fn what_windows_ask_for_is_decided_the_short_way() {
        let seed = seed();
        let mut prng = Prng::new(seed);
        let mut undecided = 0;
        for _ in 0..10_000 {
            let (n, d) = (number(&mut prng, 128), number(&mut prng, 119));
            undecided +=
                u32::from(ratio(n, d).is_none()) + u32::from(root_of_ratio(n, d).is_none());
        }
        assert!(undecided < 20_000 / 50, "{undecided} of 20000, LARDER_SEED={seed}");
    }

    #[test]
    fn ties_and_powers_of_two_are_left_to_the_long_way() {
        assert_eq!(ratio((1 << 53) + 1, 1), None);
        assert_eq!(ratio(1 << 100, 1 << 70), None);
        assert_eq!(root_of_ratio(4, 1), None);
        assert_eq!((ratio(0, 7), root_of_ratio(0, 7)), (Some(0.0), Some(0.0)));
        assert_eq!(root_of_ratio(9, 16), Some(0.75));
    }
}
