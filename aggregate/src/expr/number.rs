//! Exact numbers: powers of ten, rounding half to even, and the way between f64 and decimals.

use model::limits::DECIMAL_SCALE_MAX;

/// 10^`exponent`; scales are at most 18.
pub(super) fn power_of_ten(exponent: u8) -> i128 {
    10_i128.pow(u32::from(exponent.min(DECIMAL_SCALE_MAX)))
}

/// `unscaled` of scale `from` at scale `to`, rounded half to even; `None` when it does not fit.
pub(super) fn rescale(unscaled: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        return unscaled.checked_mul(power_of_ten(to - from));
    }
    let divisor = power_of_ten(from - to);
    let (quotient, rest) = (unscaled.div_euclid(divisor), unscaled.rem_euclid(divisor));
    let half = divisor / 2;
    let is_up = rest > half || (rest == half && quotient % 2 != 0);
    Some(quotient + i128::from(is_up))
}

/// `unscaled / 10^scale` as the nearest f64s divide.
pub(super) fn to_f64(unscaled: i128, scale: u8) -> f64 {
    unscaled as f64 / power_of_ten(scale) as f64
}

/// The decimal of `scale` places nearest to `value`, half to even, of the float's exact binary value: no intermediate
/// rounding. `None` when it does not fit into 64 bits or is not finite.
#[must_use]
pub fn decimal_from_f64(value: f64, scale: u8) -> Option<i64> {
    from_f64(value, scale).and_then(|unscaled| i64::try_from(unscaled).ok())
}

/// As [`decimal_from_f64`], in 128 bits.
pub(super) fn from_f64(value: f64, scale: u8) -> Option<i128> {
    const MANTISSA_BITS: u32 = 52;
    const EXPONENT_MASK: u64 = 0x7ff;
    /// Of the exponent when the mantissa is read as an integer.
    const BIAS: i64 = 1023 + MANTISSA_BITS as i64;

    if !value.is_finite() {
        return None;
    }
    let bits = value.to_bits();
    let fraction = bits & ((1 << MANTISSA_BITS) - 1);
    let stored = (bits >> MANTISSA_BITS) & EXPONENT_MASK;
    // Subnormals have no hidden bit and the exponent of the smallest normal number.
    let (mantissa, stored) =
        if stored == 0 { (fraction, 1) } else { (fraction | 1 << MANTISSA_BITS, stored) };
    let exponent = i64::try_from(stored).ok()? - BIAS;
    // Below 2^53 · 10^18 < 2^113.
    let product = i128::from(mantissa) * power_of_ten(scale);
    let magnitude = if exponent >= 0 {
        let shift = u32::try_from(exponent).ok()?;
        if product != 0 && shift >= product.leading_zeros() {
            return None;
        }
        if product == 0 { 0 } else { product << shift }
    } else {
        let shift = exponent.unsigned_abs();
        // 2^113 shifted right by more than 114 bits is below one half.
        if shift > 114 { 0 } else { half_even(product, shift) }
    };
    Some(if value.is_sign_negative() { -magnitude } else { magnitude })
}

/// `product / 2^shift` for a shift from 1 to 114, rounded half to even; `product` is not negative.
fn half_even(product: i128, shift: u64) -> i128 {
    let (quotient, rest) = (product >> shift, product & ((1 << shift) - 1));
    let half = 1_i128 << (shift - 1);
    quotient + i128::from(rest > half || (rest == half && quotient & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescaling_rounds_half_to_even_on_both_sides_of_zero() {
        for (unscaled, from, to, expected) in [
            (125, 2, 1, 12),
            (135, 2, 1, 14),
            (-125, 2, 1, -12),
            (-135, 2, 1, -14),
            (126, 2, 1, 13),
            (-126, 2, 1, -13),
            (5, 1, 0, 0),
            (15, 1, 0, 2),
            (7, 0, 3, 7000),
        ] {
            assert_eq!(rescale(unscaled, from, to), Some(expected), "{unscaled} {from}->{to}");
        }
        assert_eq!(rescale(i128::MAX, 0, 1), None);
    }

    #[test]
    fn floats_become_the_nearest_decimal() {
        for (value, scale, expected) in [
            (0.1, 6, Some(100_000)),
            (-0.1, 6, Some(-100_000)),
            (2.5, 0, Some(2)),
            (3.5, 0, Some(4)),
            (-2.5, 0, Some(-2)),
            (0.125, 2, Some(12)),
            // The float nearest to 0.145 is below it, the one nearest to 1.005 too.
            (0.145, 2, Some(14)),
            (1.005, 2, Some(100)),
            (0.0, 6, Some(0)),
            (-0.0, 6, Some(0)),
            (f64::MIN_POSITIVE / 4.0, 18, Some(0)),
            (9_007_199_254_740_993.0, 0, Some(9_007_199_254_740_992)),
            (9_223_372_036_854_774_784.0, 0, Some(9_223_372_036_854_774_784)),
            (-9_223_372_036_854_775_808.0, 0, Some(i64::MIN)),
            (9_223_372_036_854_775_808.0, 0, None),
            (1e13, 6, None),
            (1e300, 0, None),
            (f64::NAN, 6, None),
            (f64::INFINITY, 6, None),
        ] {
            assert_eq!(decimal_from_f64(value, scale), expected, "{value} at {scale}");
        }
    }

    #[test]
    fn every_decimal_of_six_places_survives_the_way_through_f64() {
        let mut random = stdx::prng::Prng::new(7);
        for _ in 0..10_000 {
            let unscaled = random.between(-1_000_000_000_000_000, 1_000_000_000_000_000);
            let float = to_f64(i128::from(unscaled), 6);
            assert_eq!(decimal_from_f64(float, 6), Some(unscaled), "{float}");
        }
    }
}
