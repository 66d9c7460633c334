//! Unsigned integers of 512 bits and what is rounded from them: a quotient or its square root as f64, correctly rounded.
//!
//! Averages and variances are exact rationals until here. Each result is rounded once, half to even, by integer arithmetic
//! alone: no library function, no fused operation, the same bits on every machine.
//!
//! Nearly all operands fit 128 bits and are decided by `fast`. What it leaves takes the long way here: division by Knuth's
//! algorithm D (The Art of Computer Programming, volume 2, 4.3.1) with 64-bit digits.

mod fast;

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

    /// The number where it is below 2^128.
    fn narrow(&self) -> Option<u128> {
        let [low, high, rest @ ..] = self.0;
        (rest == [0; LIMBS - 2]).then(|| u128::from(high) << 64 | u128::from(low))
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

    /// The sum; the caller knows that it is below 2^512.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut sum = self.0;
        let mut carry = 0;
        for (limb, addend) in sum.iter_mut().zip(&other.0) {
            (*limb, carry) = halves(u128::from(*limb) + u128::from(*addend) + u128::from(carry));
        }
        debug_assert_eq!(carry, 0, "a sum passes 512 bits");
        Self(sum)
    }

    /// The difference, or 0 where that would be negative.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut difference = self.0;
        let mut borrow = false;
        for (limb, subtrahend) in difference.iter_mut().zip(&other.0) {
            let (step, first) = limb.overflowing_sub(*subtrahend);
            let (step, second) = step.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (step, first || second);
        }
        if borrow { Self([0; LIMBS]) } else { Self(difference) }
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

/// `numerator · 2^shift / denominator` cut off to a whole number of `bits` or one more bits, that shift, and whether it is
/// exact.
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
#[inline]
pub(crate) fn ratio(numerator: &Wide, denominator: &Wide) -> f64 {
    match (numerator.narrow(), denominator.narrow()) {
        (Some(numerator), Some(denominator)) => ratio_u128(numerator, denominator),
        _ => long_ratio(numerator, denominator),
    }
}

/// `numerator / denominator`, correctly rounded. The denominator is not 0.
#[inline]
pub(crate) fn ratio_u128(numerator: u128, denominator: u128) -> f64 {
    fast::ratio(numerator, denominator)
        .unwrap_or_else(|| long_ratio(&numerator.into(), &denominator.into()))
}

/// The square root of `numerator / denominator`, correctly rounded. Both are below 2^256 and the denominator is not 0.
#[inline]
pub(crate) fn root_of_ratio(numerator: &Wide, denominator: &Wide) -> f64 {
    match (numerator.narrow(), denominator.narrow()) {
        (Some(numerator), Some(denominator)) => root_of_ratio_u128(numerator, denominator),
        _ => long_root_of_ratio(numerator, denominator),
    }
}

/// The square root of `numerator / denominator`, correctly rounded. The denominator is not 0.
#[inline]
pub(crate) fn root_of_ratio_u128(numerator: u128, denominator: u128) -> f64 {
    fast::root_of_ratio(numerator, denominator)
        .unwrap_or_else(|| long_root_of_ratio(&numerator.into(), &denominator.into()))
}

#[cold]
fn long_ratio(numerator: &Wide, denominator: &Wide) -> f64 {
    if numerator.is_zero() {
        return 0.0;
    }
    let (quotient, shift, is_exact) = quotient(numerator, denominator, 64, false);
    rounded(quotient, is_exact, -shift)
}

#[cold]
fn long_root_of_ratio(numerator: &Wide, denominator: &Wide) -> f64 {
    if numerator.is_zero() {
        return 0.0;
    }
    let (quotient, shift, is_exact) = quotient(numerator, denominator, 126, true);
    // The integer root of a number cut off is the root cut off, and it has 63 or 64 bits.
    let root = quotient.isqrt();
    rounded(root, is_exact && root * root == quotient, -shift / 2)
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use stdx::prng::Prng;

    use super::*;

    fn big(wide: &Wide) -> BigUint {
        let bytes: Vec<u8> = wide.0.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        BigUint::from_bytes_le(&bytes)
    }

    /// A number of up to `bits` bits, with runs of ones and zeros that make carries and borrows.
    fn random(prng: &mut Prng, bits: u32) -> Wide {
        let kind = prng.below(3);
        let mut limbs = [0; LIMBS];
        for limb in &mut limbs {
            *limb = match kind {
                0 => prng.next_u64(),
                1 => u64::MAX << prng.below(64),
                _ => u64::MAX * prng.below(2),
            };
        }
        let length = u32::try_from(prng.below(u64::from(bits) + 1)).expect("small");
        for (limb, low) in limbs.iter_mut().zip((0..).step_by(64)) {
            *limb &= if length >= low + 64 {
                u64::MAX
            } else {
                (1_u64 << length.saturating_sub(low)) - 1
            };
        }
        Wide(limbs)
    }

    #[test]
    fn arithmetic_equals_that_of_big_integers() {
        let mut prng = Prng::new(3);
        for _ in 0..50_000 {
            let (a, b) = (random(&mut prng, 256), random(&mut prng, 256));
            assert_eq!(big(&a.times(&b)), big(&a) * big(&b));
            assert_eq!(big(&a.plus(&b)), big(&a) + big(&b));
            assert_eq!(big(&a).bits(), u64::from(a.bits()));
            let (large, small) = if big(&a) < big(&b) { (b, a) } else { (a, b) };
            assert_eq!(big(&large.minus(&small)), big(&large) - big(&small));
            if !small.is_zero() && large.bits() - small.bits() < 127 {
                let (quotient, is_exact) = large.divided(&small);
                assert_eq!(BigUint::from(quotient), big(&large) / big(&small));
                assert_eq!(is_exact, (big(&large) % big(&small)) == BigUint::ZERO);
            }
        }
    }

    /// Written out as decimal digits, far more than an f64 holds, and rounded by the standard library's parser.
    fn parsed(digits: &BigUint, is_exact: bool, places: u32) -> f64 {
        format!("{digits}{}e-{}", u8::from(!is_exact), places + 1).parse().expect("a number")
    }

    #[test]
    fn quotients_and_roots_are_correctly_rounded() {
        const PLACES: u32 = 170;
        let mut prng = Prng::new(4);
        for round in 0..20_000 {
            let bits = [60, 130, 255][round % 3];
            let (a, b) = (random(&mut prng, bits), random(&mut prng, bits));
            if b.is_zero() {
                continue;
            }
            let (large_a, large_b) = (big(&a), big(&b));
            let scaled = &large_a * BigUint::from(10_u8).pow(PLACES);
            let digits = &scaled / &large_b;
            let expected = parsed(&digits, &digits * &large_b == scaled, PLACES);
            for ratio in [ratio, long_ratio] {
                assert_eq!(ratio(&a, &b).to_bits(), expected.to_bits(), "{a:?} / {b:?}");
            }
            let scaled = scaled * BigUint::from(10_u8).pow(PLACES);
            let digits = (&scaled / &large_b).sqrt();
            let expected = parsed(&digits, &digits * &digits * &large_b == scaled, PLACES);
            for root in [root_of_ratio, long_root_of_ratio] {
                assert_eq!(root(&a, &b).to_bits(), expected.to_bits(), "{a:?} / {b:?}");
            }
        }
    }

    #[test]
    fn ties_go_to_even_and_squares_have_exact_roots() {
        let of = |number: u128| Wide::from(number);
        let one = of(1);
        assert_eq!(ratio(&of((1 << 53) + 1), &one), 9_007_199_254_740_992.0);
        assert_eq!(ratio(&of((1 << 53) + 3), &one), 9_007_199_254_740_996.0);
        // Just above the tie: one part in 2^60 more.
        let above = of((((1 << 53) + 1) << 60) + 1);
        assert_eq!(ratio(&above, &of(1 << 60)), 9_007_199_254_740_994.0);
        assert_eq!(root_of_ratio(&of(9), &of(16)), 0.75);
        assert_eq!(root_of_ratio(&of(2), &one), std::f64::consts::SQRT_2);
        assert_eq!((ratio(&of(0), &one), root_of_ratio(&of(0), &one)), (0.0, 0.0));
    }
}
