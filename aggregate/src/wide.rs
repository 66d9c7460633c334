//! Unsigned integers of 512 bits and what is rounded from them: a quotient or its square root as f64, correctly rounded.
//!
//! Averages and variances are exact rationals until here. Each result is rounded once, half to even, by integer arithmetic
//! alone: no library function, no fused operation, the same bits on every machine.
//!
//! Division is Knuth's algorithm D (The Art of Computer Programming, volume 2, 4.3.1) with 64-bit digits.

const LIMBS: usize = 8;

/// A number below 2^512, 64 bits a limb, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wide([u64; LIMBS]);

/// The low and the high half.
fn halves(value: u128) -> (u64, u64) {
    let low = u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
    (low, u64::try_from(value >> 64).unwrap_or(0))
}

impl From<u128> for Wide {
    fn from(value: u128) -> Self {
        let (low, high) = halves(value);
        Self([low, high, 0, 0, 0, 0, 0, 0])
    }
}

impl Wide {
    /// `low + high · 2^128`.
    pub(crate) fn of_parts(low: u128, high: u64) -> Self {
        let Self([a, b, ..]) = Self::from(low);
        Self([a, b, high, 0, 0, 0, 0, 0])
    }

    /// Number of bits up to the highest one set.
    fn bits(&self) -> u32 {
        let mut empty = 0;
        for limb in self.0.iter().rev() {
            empty += limb.leading_zeros();
            if *limb != 0 {
                break;
            }
        }
        512 - empty
    }

    fn is_zero(&self) -> bool {
        self.0 == [0; LIMBS]
    }

    /// Number of limbs up to the highest that is not 0.
    fn length(&self) -> usize {
        self.0.iter().rposition(|limb| *limb != 0).map_or(0, |index| index + 1)
    }

    /// The product; the caller knows that it is below 2^512.
    pub(crate) fn times(&self, other: &Self) -> Self {
        let mut product = [0; LIMBS];
        for (i, a) in self.0.iter().enumerate().take(self.length()) {
            let mut carry = 0;
            for (limb, b) in product.iter_mut().skip(i).zip(&other.0) {
                (*limb, carry) =
                    halves(u128::from(*a) * u128::from(*b) + u128::from(*limb) + u128::from(carry));
            }
            debug_assert_eq!(carry, 0, "a product passes 512 bits");
        }
        Self(product)
    }

    /// The difference; `other` is not larger.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut difference = self.0;
        let mut borrow = false;
        for (limb, subtrahend) in difference.iter_mut().zip(&other.0) {
            let (step, first) = limb.overflowing_sub(*subtrahend);
            let (step, second) = step.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (step, first || second);
        }
        debug_assert!(!borrow, "a difference is negative");
        Self(difference)
    }

    /// `self · 2^count`; the caller knows that it is below 2^512.
    fn shifted(&self, count: u32) -> Self {
        let (limbs, bits) = ((count / 64) as usize, count % 64);
        let mut shifted = [0; LIMBS];
        let mut carry = 0;
        for (to, from) in shifted.iter_mut().skip(limbs).zip(&self.0) {
            let (low, high) = halves(u128::from(*from) << bits);
            *to = low | carry;
            carry = high;
        }
        Self(shifted)
    }

    /// The quotient, which the caller knows to be below 2^128, and whether there is no rest.
    fn divided(&self, divisor: &Self) -> (u128, bool) {
        let n = divisor.length();
        debug_assert!(n > 0, "division by zero");
        // The top bit of the divisor is set, so that an estimated digit is at most 2 too large.
        let shift = divisor.bits().wrapping_neg() % 64;
        let divisor = divisor.shifted(shift).0;
        let mut rest = self.shifted(shift).0;
        let length = rest.iter().rposition(|limb| *limb != 0).map_or(0, |index| index + 1);
        let mut quotient = 0_u128;
        for j in (0..(length + 1).saturating_sub(n)).rev() {
            let digit = quotient_digit(&mut rest, &divisor, j, n);
            quotient = quotient << 64 | u128::from(digit);
        }
        (quotient, rest == [0; LIMBS])
    }
}

/// One digit of a quotient: divides `rest / 2^(64·j)` by the first `n` limbs of `divisor` and leaves the rest there.
fn quotient_digit(rest: &mut [u64; LIMBS], divisor: &[u64; LIMBS], j: usize, n: usize) -> u64 {
    let limb = |limbs: &[u64; LIMBS], at: Option<usize>| {
        at.and_then(|at| limbs.get(at)).map_or(0, |limb| u128::from(*limb))
    };
    let (first, second) = (limb(divisor, n.checked_sub(1)), limb(divisor, n.checked_sub(2)));
    let top = limb(rest, Some(j + n)) << 64 | limb(rest, Some(j + n - 1));
    let (mut digit, mut over) = (top / first, top % first);
    let below = limb(rest, (j + n).checked_sub(2));
    while digit >> 64 != 0 || digit * second > (over << 64 | below) {
        digit -= 1;
        over += first;
        if over >> 64 != 0 {
            break;
        }
    }
    let (mut digit, _) = halves(digit);
    if subtract_multiple(rest, divisor, j, n, digit) {
        // Probability about 2^-63: the estimate was one too large.
        digit -= 1;
        let mut carry = 0;
        for (limb, addend) in rest.iter_mut().skip(j).zip(divisor.iter().take(n).chain(&[0])) {
            (*limb, carry) = halves(u128::from(*limb) + u128::from(*addend) + u128::from(carry));
        }
    }
    digit
}

/// Subtracts `digit · divisor · 2^(64·j)` from `rest`; true when that went below zero.
fn subtract_multiple(
    rest: &mut [u64; LIMBS],
    divisor: &[u64; LIMBS],
    j: usize,
    n: usize,
    digit: u64,
) -> bool {
    let (mut carry, mut borrow) = (0, false);
    for (at, factor) in divisor.iter().take(n).chain(&[0]).enumerate() {
        let (low, high) = halves(u128::from(*factor) * u128::from(digit) + u128::from(carry));
        carry = high;
        let Some(limb) = rest.get_mut(j + at) else { return low != 0 || borrow };
        let (step, first) = limb.overflowing_sub(low);
        let (step, second) = step.overflowing_sub(u64::from(borrow));
        (*limb, borrow) = (step, first || second);
    }
    borrow
}

/// `numerator · 2^shift / denominator` cut off to a whole number of `bits` or one more bits, that shift, and whether it is exact.
fn quotient(numerator: &Wide, denominator: &Wide, bits: i32, is_even: bool) -> (u128, i32, bool) {
    let difference = numerator.bits().cast_signed() - denominator.bits().cast_signed();
    let mut shift = bits - difference;
    if is_even {
        shift += shift & 1;
    }
    let (quotient, is_exact) = if shift >= 0 {
        numerator.shifted(shift.unsigned_abs()).divided(denominator)
    } else {
        numerator.divided(&denominator.shifted(shift.unsigned_abs()))
    };
    (quotient, shift, is_exact)
}

/// The f64 nearest to `(whole + fraction) · 2^exponent`, half to even, for a fraction that is 0 if `is_exact` and otherwise
/// between 0 and 1. `whole` has at least 55 bits, and the result is a normal number.
fn rounded(whole: u128, is_exact: bool, exponent: i32) -> f64 {
    const MANTISSA_BITS: u32 = 53;
    let drop = (u128::BITS - whole.leading_zeros()).saturating_sub(MANTISSA_BITS);
    let (kept, rest) = (whole >> drop, whole & ((1 << drop) - 1));
    let half = 1_u128 << drop.saturating_sub(1);
    let is_up = rest > half || (rest == half && (!is_exact || kept & 1 == 1));
    let (mantissa, _) = halves(kept + u128::from(is_up));
    // Both factors and the product are exact: a mantissa of 53 bits and a power of two.
    let power = i64::from(exponent + drop.cast_signed()) + 1023;
    mantissa as f64 * f64::from_bits(power.clamp(1, 2046).cast_unsigned() << 52)
}

/// `numerator / denominator`, correctly rounded. Both are below 2^256 and the denominator is not 0.
pub(crate) fn ratio(numerator: &Wide, denominator: &Wide) -> f64 {
    if numerator.is_zero() {
        return 0.0;
    }
    let (quotient, shift, is_exact) = quotient(numerator, denominator, 64, false);
    rounded(quotient, is_exact, -shift)
}

/// The square root of `numerator / denominator`, correctly rounded. Both are below 2^256 and the denominator is not 0.
pub(crate) fn root_of_ratio(numerator: &Wide, denominator: &Wide) -> f64 {
    if numerator.is_zero() {
        return 0.0;
    }
    let (quotient, shift, is_exact) = quotient(numerator, denominator, 126, true);
    // The integer root of a number cut off is the root cut off, and it has 63 or 64 bits.
    let root = quotient.isqrt();
    rounded(root, is_exact && root * root == quotient, -shift / 2)
}
