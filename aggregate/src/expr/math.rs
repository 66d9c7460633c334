//! Functions of numbers: logarithm, powers and roots of floats, rounding of exact numbers and floats.
//!
//! `f64::ln`, `exp` and `powf` of the standard library are those of the machine's C library and differ in the last bit from
//! one to the next. Here they come from the `libm` crate, which the Rust project maintains: FreeBSD's msun in Rust, below
//! 1 ulp (log, exp) and 0.7 ulp (pow) off, made of nothing but additions, multiplications and divisions that IEEE 754
//! rounds correctly. Its feature `arch` is off; were another package to switch it on, it would replace square root and
//! fused multiply-add only, which are exact by definition. (x86 without SSE2 is left out: its floats are not IEEE 754's.)
//! The version is pinned: another one may give other bits, which the golden tests in `tests/expressions` would show.
//! `f64::sqrt`, `floor`, `ceil` and `round_ties_even` are exact everywhere.

use super::{DomainError, number::power_of_ten};

/// The natural logarithm.
pub(super) fn ln(x: f64) -> Result<f64, DomainError> {
    if x > 0.0 {
        return Ok(libm::log(x));
    }
    Err(if x == 0.0 { DomainError::LnOfZero } else { DomainError::LnOfNegative })
}

/// e^x; 0 below -745.
pub(super) fn exp(x: f64) -> Result<f64, DomainError> {
    Some(libm::exp(x)).filter(|result| result.is_finite()).ok_or(DomainError::ExpTooLarge)
}

/// The square root, correctly rounded.
pub(super) fn sqrt(x: f64) -> Result<f64, DomainError> {
    if x < 0.0 { Err(DomainError::SqrtOfNegative) } else { Ok(x.sqrt()) }
}

/// x^y; 1 when y is 0.
pub(super) fn power(x: f64, y: f64) -> Result<f64, DomainError> {
    if x == 0.0 && y < 0.0 {
        return Err(DomainError::PowerOfZero);
    }
    if x < 0.0 && y.floor() != y {
        return Err(DomainError::PowerOfNegative);
    }
    Some(libm::pow(x, y)).filter(|result| result.is_finite()).ok_or(DomainError::PowerTooLarge)
}

/// -1, 0 or 1; also of a negative zero 0.
pub(super) fn sign(x: f64) -> i128 {
    i128::from(x > 0.0) - i128::from(x < 0.0)
}

/// Which neighbour a decimal goes to that lies between two whole numbers of the wanted places.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rounding {
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
    /// To the nearer one, of two equally near the one further from zero: SQL's `round` of a `numeric`.
    HalfAwayFromZero,
}

/// `unscaled` of scale `from` at scale `to`; `None` when more places do not fit.
pub(super) fn round(unscaled: i128, from: u8, to: u8, rounding: Rounding) -> Option<i128> {
    if to >= from {
        return unscaled.checked_mul(power_of_ten(to - from));
    }
    let divisor = power_of_ten(from - to);
    let (floor, rest) = (unscaled.div_euclid(divisor), unscaled.rem_euclid(divisor));
    let is_up = match rounding {
        Rounding::Down => false,
        Rounding::Up => rest > 0,
        Rounding::HalfAwayFromZero if unscaled < 0 => rest > divisor / 2,
        Rounding::HalfAwayFromZero => rest >= divisor / 2,
    };
    Some(floor + i128::from(is_up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_round_to_the_named_side() {
        for (unscaled, [down, up, nearest]) in [
            (0, [0, 0, 0]),
            (24, [2, 3, 2]),
            (25, [2, 3, 3]),
            (26, [2, 3, 3]),
            (30, [3, 3, 3]),
            (-24, [-3, -2, -2]),
            (-25, [-3, -2, -3]),
            (-26, [-3, -2, -3]),
            (-30, [-3, -3, -3]),
        ] {
            let rounded = [Rounding::Down, Rounding::Up, Rounding::HalfAwayFromZero]
                .map(|rounding| round(unscaled, 1, 0, rounding));
            assert_eq!(rounded, [down, up, nearest].map(Some), "{unscaled}");
        }
        assert_eq!(round(7, 0, 3, Rounding::Down), Some(7000));
        assert_eq!(round(i128::MAX, 0, 1, Rounding::Up), None);
    }
}
