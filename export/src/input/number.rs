//! Numbers of one type as another's: exact, or rounded once, half to even; what does not fit is none.

use model::text;
use model::value::DataType;

/// A number of a column, as wide as it gets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    /// A whole one.
    Whole(i128),
    /// A float of 32 bits.
    Narrow(f32),
    /// A float of 64 bits.
    Wide(f64),
}

/// Floats hold every whole number up to this one.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Below it, unscaled decimals have at most fifteen digits, which every f64 keeps apart.
const SHORT_MAX: f64 = 1e15;

/// Powers of ten that an f64 holds exactly.
fn ten_to(scale: u8) -> f64 {
    10_i64.checked_pow(scale.into()).map_or(f64::INFINITY, |power| power as f64)
}

/// The i64 that values of `data_type` are kept as: of i64, timestamps and decimals.
pub(super) fn to_i64(number: Number, data_type: DataType) -> Option<i64> {
    match (number, data_type) {
        (Number::Whole(whole), DataType::Decimal(scale)) => {
            let power = 10_i128.checked_pow(scale.into())?;
            i64::try_from(whole.checked_mul(power)?).ok()
        }
        (Number::Whole(whole), _) => i64::try_from(whole).ok(),
        (Number::Wide(float), DataType::Decimal(scale)) => {
            let scaled = (float * ten_to(scale)).round();
            let is_short = scaled.abs() < SHORT_MAX && scaled / ten_to(scale) == float;
            match whole(scaled) {
                // The shortest digits of this float, without writing them.
                Some(unscaled) if is_short => Some(unscaled),
                _ => digits(&float.to_string(), scale),
            }
        }
        (Number::Narrow(float), DataType::Decimal(scale)) => digits(&float.to_string(), scale),
        (Number::Wide(float), _) => whole(float),
        (Number::Narrow(float), _) => whole(float.into()),
    }
}

/// The shortest digits of a float: 0.1 is 0.1, and not 0.1000000000000000055.
fn digits(shown: &str, scale: u8) -> Option<i64> {
    text::parse_decimal(shown, scale).map(|parsed| parsed.unscaled)
}

/// A float that is a whole number, as long as floats tell neighbours apart.
fn whole(float: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
    let converted = (float.fract() == 0.0 && float.abs() <= EXACT_MAX).then_some(float as i64);
    converted
}

/// As a float, unless a whole number would lose digits.
pub(super) fn to_f64(number: Number) -> Option<f64> {
    match number {
        Number::Whole(whole) => has_bits(whole, f64::MANTISSA_DIGITS).then_some(whole as f64),
        Number::Narrow(float) => Some(f64::from(float)),
        Number::Wide(float) => Some(float),
    }
    .filter(|float| float.is_finite())
}

/// As [`to_f64`], of 32 bits; wide floats are rounded.
pub(super) fn to_f32(number: Number) -> Option<f32> {
    match number {
        Number::Whole(whole) => has_bits(whole, f32::MANTISSA_DIGITS).then_some(whole as f32),
        Number::Narrow(float) => Some(float),
        #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what is wanted")]
        Number::Wide(float) => Some(float as f32),
    }
    .filter(|float| float.is_finite())
}

/// True when `whole` has at most `bits` significant bits.
fn has_bits(whole: i128, bits: u32) -> bool {
    let magnitude = whole.unsigned_abs();
    magnitude == 0 || 128 - magnitude.leading_zeros() - magnitude.trailing_zeros() <= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_become_the_decimal_that_their_digits_show() {
        for (float, scale, unscaled) in [
            (0.1, 2, 10),
            (1.015, 2, 102),
            (0.145, 2, 14),
            (0.125, 2, 12),
            (-0.135, 2, -14),
            (0.375, 2, 38),
            (1e15, 2, 100_000_000_000_000_000),
            (123_456_789.123_456_78, 8, 12_345_678_912_345_678),
            (2.5, 0, 2),
            (-0.0, 3, 0),
        ] {
            let converted = to_i64(Number::Wide(float), DataType::Decimal(scale));
            assert_eq!(converted, Some(unscaled), "{float} at {scale} places");
            let written = text::parse_decimal(&float.to_string(), scale).map(|p| p.unscaled);
            assert_eq!(converted, written, "{float} as text");
        }
        for float in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(to_i64(Number::Wide(float), DataType::Decimal(2)), None);
        }
        assert_eq!(to_i64(Number::Narrow(0.1), DataType::Decimal(9)), Some(100_000_000));
    }

    #[test]
    fn nothing_is_lost_in_silence() {
        assert_eq!(to_i64(Number::Wide(5.0), DataType::I64), Some(5));
        assert_eq!(to_i64(Number::Wide(5.5), DataType::I64), None);
        assert_eq!(to_i64(Number::Wide(1e16), DataType::I64), None);
        assert_eq!(to_i64(Number::Whole(u64::MAX.into()), DataType::I64), None);
        assert_eq!(to_i64(Number::Whole(i64::MAX.into()), DataType::Decimal(1)), None);
        assert_eq!(to_f64(Number::Whole((1 << 53) + 1)), None);
        assert_eq!(to_f64(Number::Whole(1 << 60)), Some(1_152_921_504_606_846_976.0));
        assert_eq!(to_f64(Number::Whole(i128::from(i64::MIN))), Some(-9_223_372_036_854_775_808.0));
        assert_eq!(to_f32(Number::Whole((1 << 24) + 1)), None);
        assert_eq!(to_f32(Number::Wide(1e300)), None);
        assert_eq!(to_f32(Number::Wide(0.1)), Some(0.1));
        assert_eq!(to_f64(Number::Narrow(f32::NAN)), None);
    }
}
