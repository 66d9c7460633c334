//! Tokens: 32 bits that stand for a value, the coupons of Apache DataSketches' HLL.
//!
//! MurmurHash3 x64-128 with seed 9001; the low 26 bits are those of the first half (the address), the high 6 bits one more
//! than the leading zeros of the second half. At precision 12 the low 12 bits name the register and the high 6 its rank.

use model::{packed, value::ValueRef};
use stdx::{cursor::Writer, hash::murmur3_x64_128};

const SEED: u64 = 9001;
const ADDRESS_BITS: u32 = 26;

/// The token of a value: strings and bytes as they are, numbers and times as 8 little-endian bytes, a bool as one byte.
pub(crate) fn of_value(value: ValueRef<'_>) -> u32 {
    match value {
        ValueRef::String(text) => of_bytes(text.as_bytes()),
        ValueRef::Bytes(bytes) => of_bytes(bytes),
        ValueRef::I64(number) | ValueRef::Timestamp(number) | ValueRef::Decimal(number, _) => {
            of_bytes(&number.to_le_bytes())
        }
        other => {
            let mut bytes = Vec::new();
            packed::write_value(&mut Writer::new(&mut bytes), other);
            of_bytes(&bytes)
        }
    }
}

fn of_bytes(bytes: &[u8]) -> u32 {
    let (first, second) = murmur3_x64_128(bytes, SEED);
    let address = u32::try_from(first & ((1 << ADDRESS_BITS) - 1)).unwrap_or(0);
    let rank = second.leading_zeros().min(62) + 1;
    rank << ADDRESS_BITS | address
}

/// The register that a token falls into among 2^`precision`: at any precision the low bits of its address.
#[inline]
pub(crate) fn slot(token: u32, precision: u8) -> usize {
    token as usize & ((1 << precision) - 1)
}

/// Greatest rank of a token.
pub(crate) const RANK_MAX: u8 = 63;

/// The rank it gives that register, at any precision: 1 to 63.
#[inline]
pub(crate) fn rank(token: u32) -> u8 {
    (token >> ADDRESS_BITS).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use datasketches::{
        hash::value::raw_bytes,
        hll::{HllSketch, HllType},
    };

    use super::*;
    use crate::distinct::estimate::estimate;

    const REGISTERS: usize = 4096;

    /// The oracle is Apache's own sketch: of one set of strings both have the same registers, byte by byte. An 8-bit sketch
    /// is written as 40 bytes of header and one byte for each register.
    #[test]
    fn registers_are_those_of_datasketches() {
        const HEADER_BYTES: usize = 40;
        for n in [3000_u32, 20_000, 100_000] {
            let mut registers = vec![0; REGISTERS];
            let mut sketch = HllSketch::new(12, HllType::Hll8).expect("12 is a precision");
            for value in 0..n {
                let text = format!("value {value}");
                sketch.update(raw_bytes::from_str(&text));
                let token = of_value(ValueRef::String(&text));
                let register = &mut registers[slot(token, 12)];
                *register = rank(token).max(*register);
            }
            let bytes = sketch.serialize();
            assert_eq!(bytes[HEADER_BYTES..], registers);
            // Another estimator of the same registers; both are within a fraction of their standard error.
            let theirs = sketch.composite_estimate();
            let ours = estimate(&registers) as f64;
            assert!((ours / theirs - 1.0).abs() < 0.01, "{ours}, DataSketches {theirs}");
        }
    }

    #[test]
    fn values_of_every_type_have_tokens() {
        let tokens = [
            of_value(ValueRef::I64(1)),
            of_value(ValueRef::Bytes(&1_i64.to_le_bytes())),
            of_value(ValueRef::Decimal(1, 2)),
            of_value(ValueRef::Timestamp(1)),
        ];
        assert_eq!(tokens, [tokens[0]; 4], "numbers are hashed as 8 bytes");
        assert_ne!(of_value(ValueRef::Bool(true)), of_value(ValueRef::Bool(false)));
    }
}
