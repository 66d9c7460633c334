//! Signed integers of 192 bits: sums that may pass 128.

use crate::wide::Wide;

const BYTES: usize = 24;

/// `low + high · 2^128`, in two's complement. Sums wrap around at 2^191.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Int192 {
    low: u128,
    high: i64,
}

impl From<i128> for Int192 {
    fn from(value: i128) -> Self {
        Self { low: value.cast_unsigned(), high: if value < 0 { -1 } else { 0 } }
    }
}

impl Int192 {
    pub(crate) fn add(&mut self, other: Self) {
        let (low, carried) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self.high.wrapping_add(other.high).wrapping_add(i64::from(carried));
    }

    pub(crate) fn is_negative(self) -> bool {
        self.high < 0
    }

    /// Its distance from 0.
    pub(crate) fn magnitude(self) -> Wide {
        if !self.is_negative() {
            return Wide::of_parts(self.low, self.high.cast_unsigned());
        }
        let (low, is_zero) = (self.low.wrapping_neg(), self.low == 0);
        Wide::of_parts(low, (!self.high).cast_unsigned().wrapping_add(u64::from(is_zero)))
    }

    /// The same number as an i128; `None` when it does not fit.
    pub(crate) fn narrow(self) -> Option<i128> {
        let narrow = self.low.cast_signed();
        (Self::from(narrow) == self).then_some(narrow)
    }

    /// Bytes that tell it, its sign included; 0 for the number 0.
    fn length(self) -> usize {
        let sign = self.high >> 63;
        let (high, low) = (self.high ^ sign, self.low ^ i128::from(sign).cast_unsigned());
        let empty = if high == 0 { 64 + low.leading_zeros() } else { high.leading_zeros() };
        let bits = 192 - empty;
        if self == Self::default() { 0 } else { bits as usize / 8 + 1 }
    }

    /// Appends its length, 1 byte, and that many of its lowest bytes, lowest first: the others repeat the sign.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        let length = self.length();
        out.push(u8::try_from(length).unwrap_or(0));
        let bytes = self.low.to_le_bytes().into_iter().chain(self.high.to_le_bytes());
        out.extend(bytes.take(length));
    }

    /// Takes what [`Int192::put`] appends; `None` when the bytes end early or are more than needed.
    pub(crate) fn take(input: &mut &[u8]) -> Option<Self> {
        let (length, rest) = input.split_first()?;
        let (kept, rest) = rest.split_at_checked(usize::from(*length))?;
        *input = rest;
        let is_negative = kept.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut bytes = [if is_negative { 0xff } else { 0 }; BYTES];
        bytes.get_mut(..kept.len())?.copy_from_slice(kept);
        let (low, high) = bytes.split_first_chunk()?;
        let low = u128::from_le_bytes(*low);
        let taken = Self { low, high: i64::from_le_bytes(*high.first_chunk()?) };
        (taken.length() == kept.len()).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::{BigInt, BigUint, Sign};
    use stdx::prng::Prng;

    use super::*;
    use crate::{sketch::laws, wide::ratio};

    fn big(number: Int192) -> BigInt {
        (BigInt::from(number.high) << 128) + BigInt::from(number.low)
    }

    /// Numbers of all widths, with runs of ones and zeros, and the ends of each width.
    fn numbers() -> Vec<Int192> {
        let mut prng = Prng::stream(laws::seed(), "int192");
        let mut numbers: Vec<Int192> = [0, 1, -1, 127, 128, -128, -129, i128::MIN, i128::MAX]
            .into_iter()
            .map(Int192::from)
            .collect();
        for bit in 0..191 {
            let (low, high) = if bit < 128 { (1 << bit, 0) } else { (0, 1 << (bit - 128)) };
            let power = Int192 { low, high };
            let mut less = power;
            less.add(Int192::from(-1));
            let negative = Int192 { low: !less.low, high: !less.high };
            let random = prng.next_u64() >> prng.below(64);
            let any = Int192 { low: prng.next_u64().into(), high: random.cast_signed() };
            numbers.extend([power, less, negative, any]);
        }
        numbers
    }

    #[test]
    fn sums_and_magnitudes_equal_those_of_big_integers() {
        let numbers = numbers();
        for a in &numbers {
            assert_eq!(i128::try_from(big(*a)).ok(), a.narrow(), "{a:?}");
            let magnitude: BigUint = big(*a).magnitude().clone();
            let expected: f64 = format!("{magnitude}").parse().expect("a number");
            assert_eq!(ratio(&a.magnitude(), &Wide::from(1)), expected, "{a:?}");
            assert_eq!(a.is_negative(), big(*a).sign() == Sign::Minus);
            for b in &numbers {
                let mut sum = *a;
                sum.add(*b);
                let expected = big(*a) + big(*b);
                if expected.bits() < 191 {
                    assert_eq!(big(sum), expected, "{a:?} + {b:?}");
                }
            }
        }
    }

    #[test]
    fn numbers_round_trip_in_as_few_bytes_as_tell_them() {
        for number in numbers() {
            let mut bytes = Vec::new();
            number.put(&mut bytes);
            let shortest = if number == Int192::default() {
                0
            } else {
                big(number).to_signed_bytes_le().len()
            };
            assert_eq!(bytes.len(), 1 + shortest, "{number:?}");
            assert_eq!(Int192::take(&mut bytes.as_slice()), Some(number));
            for end in 0..bytes.len() {
                assert_eq!(Int192::take(&mut &bytes[..end]), None, "{number:?}");
            }
        }
        assert_eq!(Int192::take(&mut &[2, 1, 0][..]), None);
        assert_eq!(Int192::take(&mut &[1, 0][..]), None);
        assert_eq!(Int192::take(&mut &[25; 30][..]), None);
    }
}
