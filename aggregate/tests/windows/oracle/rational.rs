//! Rounding once: quotients and roots of big integers as the nearest f64, by long division.

use num_bigint::{BigInt, BigUint};

/// Bits of a quotient before it is rounded: more than an f64 and its half have.
const BITS: i64 = 66;

/// `numerator / denominator`; the denominator is not 0 and the result neither tiny nor huge.
pub(crate) fn quotient(numerator: &BigInt, denominator: &BigInt) -> f64 {
    let (n, d) = (numerator.magnitude(), denominator.magnitude());
    if *n == BigUint::ZERO {
        return 0.0;
    }
    let shift = BITS + bits(d) - bits(n);
    let (n, d) = (shifted(n, shift), shifted(d, -shift));
    let digits = &n / &d;
    let is_exact = &digits * &d == n;
    let magnitude = rounded(digits, is_exact, shift);
    if *numerator < BigInt::ZERO { -magnitude } else { magnitude }
}

/// The square root of `numerator / denominator`, neither of them negative.
pub(crate) fn root(numerator: &BigInt, denominator: &BigInt) -> f64 {
    let (n, d) = (numerator.magnitude(), denominator.magnitude());
    if *n == BigUint::ZERO {
        return 0.0;
    }
    let shift = (2 * BITS + bits(d) - bits(n)).div_euclid(2);
    let (n, d) = (shifted(n, 2 * shift), shifted(d, -2 * shift));
    let digits = (&n / &d).sqrt();
    let is_exact = &digits * &digits * &d == n;
    rounded(digits, is_exact, shift)
}

/// A number of 10^`scale`-ths.
pub(crate) fn decimal(number: i128, scale: u8) -> f64 {
    quotient(&number.into(), &BigInt::from(10).pow(scale.into()))
}

fn bits(number: &BigUint) -> i64 {
    i64::try_from(number.bits()).expect("few")
}

fn shifted(number: &BigUint, by: i64) -> BigUint {
    number << u64::try_from(by).unwrap_or(0)
}

/// `digits / 2^shift`. The last bit stands for all that was cut off; the conversion of a u128 rounds half to even.
fn rounded(digits: BigUint, is_exact: bool, shift: i64) -> f64 {
    let digits = u128::try_from(digits).expect("66 bits") | u128::from(!is_exact);
    let exponent = u64::try_from(1023 - shift).expect("a normal number");
    digits as f64 * f64::from_bits(exponent << 52)
}

#[test]
fn division_and_roots_round_as_the_hardware_does() {
    for (a, b) in [(1_i64, 3_i64), (-2, 3), (7, 1), (1 << 52, 5), (i64::MAX >> 11, 1 << 40)] {
        let found = quotient(&a.into(), &b.into());
        assert_eq!(found.to_bits(), (a as f64 / b as f64).to_bits(), "{a} / {b}");
        let found = root(&a.abs().into(), &1.into());
        assert_eq!(found.to_bits(), (a.abs() as f64).sqrt().to_bits(), "the root of {a}");
    }
}
