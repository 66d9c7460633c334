//! Logarithm and exponential in fixed point of 256 bits after the point: an error of some 2^-245, far below an ulp of f64.

use num_bigint::{BigInt, Sign};

/// Bits after the point.
const BITS: i64 = 256;

/// A positive number `mantissa / 2^BITS · 2^exponent`.
pub(super) struct Real {
    mantissa: BigInt,
    exponent: i64,
}

/// Constants that every result needs.
pub(super) struct Oracle {
    ln2: BigInt,
}

impl Oracle {
    pub(super) fn new() -> Self {
        // ln 2 = 2 · atanh(1/3)
        Self { ln2: two_atanh(&(one() / 3)) }
    }

    /// The logarithm of a positive float, and whether it is below zero.
    pub(super) fn ln(&self, x: f64) -> (bool, Real) {
        let ln = self.ln_fixed(x);
        (
            ln.sign() == Sign::Minus,
            Real { mantissa: BigInt::from(ln.magnitude().clone()), exponent: 0 },
        )
    }

    pub(super) fn exp(&self, x: f64) -> Real {
        self.exp_fixed(&fixed(x))
    }

    /// x^y of a positive x.
    pub(super) fn power(&self, x: f64, y: f64) -> Real {
        let (mantissa, exponent) = parts(y);
        self.exp_fixed(&shifted(self.ln_fixed(x) * mantissa, exponent))
    }

    fn ln_fixed(&self, x: f64) -> BigInt {
        let (mantissa, exponent) = parts(x);
        // mantissa = m · 2^bits with m from 1/2 to 1, or from 1 to 2 when that is nearer to 1.
        let bits = i64::try_from(mantissa.bits()).expect("53 at most");
        let mut power = bits;
        let mut m = shifted(mantissa, BITS - power);
        if &m * 4 < one() * 3 {
            (m, power) = (m * 2, power - 1);
        }
        let z = ((&m - one()) << BITS) / (m + one());
        two_atanh(&z) + &self.ln2 * (exponent + power)
    }

    fn exp_fixed(&self, x: &BigInt) -> Real {
        let half: BigInt = &self.ln2 / 2;
        let whole: BigInt = floor_div(&(x + half), &self.ln2);
        let rest = x - &whole * &self.ln2;
        let (mut term, mut sum) = (one(), one());
        for n in 1_u32.. {
            term = ((term * &rest) >> BITS) / n;
            if term.bits() <= 1 {
                break;
            }
            sum += &term;
        }
        Real { mantissa: sum, exponent: i64::try_from(whole).expect("a small exponent") }
    }
}

impl Real {
    /// How far `found` is off, in units of its own last place.
    pub(super) fn ulps(&self, found: f64) -> f64 {
        let (mantissa, exponent) = parts(found);
        let scale = exponent - self.exponent + BITS;
        assert!(scale >= 20, "an ulp of {found} is finer than the oracle");
        let off: BigInt = shifted(mantissa, scale) - &self.mantissa;
        // In thousandths of an ulp, rounded up.
        let thousandths: BigInt = ((off.magnitude() * 1000_u32) >> scale).into();
        (i64::try_from(thousandths).expect("close") + 1) as f64 / 1000.0
    }
}

fn one() -> BigInt {
    BigInt::from(1) << BITS
}

/// A finite float as `mantissa · 2^exponent`; the exponent is that of its last place.
fn parts(x: f64) -> (BigInt, i64) {
    let bits = x.abs().to_bits();
    let (stored, fraction) = ((bits >> 52).cast_signed(), bits & ((1 << 52) - 1));
    let (mantissa, stored) = if stored == 0 { (fraction, 1) } else { (fraction | 1 << 52, stored) };
    let mantissa = BigInt::from(mantissa);
    (if x < 0.0 { -mantissa } else { mantissa }, stored - 1075)
}

fn fixed(x: f64) -> BigInt {
    let (mantissa, exponent) = parts(x);
    shifted(mantissa, exponent + BITS)
}

fn shifted(number: BigInt, by: i64) -> BigInt {
    if by >= 0 { number << by } else { number >> -by }
}

fn floor_div(a: &BigInt, b: &BigInt) -> BigInt {
    let (quotient, rest) = (a / b, a % b);
    if rest.sign() == Sign::Minus { quotient - 1 } else { quotient }
}

/// 2 · atanh(z) = ln((1 + z) / (1 - z)) for |z| up to 1/3.
fn two_atanh(z: &BigInt) -> BigInt {
    let square: BigInt = (z * z) >> BITS;
    let (mut power, mut sum) = (z.clone(), BigInt::ZERO);
    for n in (1_u32..).step_by(2) {
        sum += &power / n;
        power = (power * &square) >> BITS;
        if power.bits() <= 1 {
            break;
        }
    }
    sum * 2
}
