//! Values that are approximate by design: what they must be, or how far from it they may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use model::value::Value;
use num_bigint::{BigInt, BigUint};
use stdx::hash::murmur3_x64_128;

use super::{Counted, Expected, Key, json, rational::quotient, value::unscaled};

/// Distinct values that are counted exactly.
const DISTINCT_EXACT: usize = 512;
/// Distinct values whose frequencies are exact.
const TOP_EXACT: usize = 64;

/// The number of distinct values, told apart by the coupons of Apache DataSketches: 26 bits of address, and how many zeros
/// lead the second half of the hash.
pub(crate) fn distinct(seen: &[Counted<'_>], precision: u8) -> Expected {
    let coupons: BTreeSet<(u64, u32)> =
        seen.iter().map(|event| coupon(&event.input.value)).collect();
    if coupons.len() <= DISTINCT_EXACT {
        let count = i64::try_from(coupons.len()).expect("few");
        return Expected::Exact(Ok(Some(Value::I64(count))));
    }
    let mut registers: BTreeMap<u64, u32> = BTreeMap::new();
    for (address, rank) in coupons {
        let register = registers.entry(address % (1 << precision)).or_default();
        *register = rank.max(*register);
    }
    let m = f64::from(1_u32 << precision);
    // Ertl's estimator m² / (2 ln 2 · Σ 2^-rank), with the empty registers' share corrected by σ. None is full.
    let ranks: f64 = registers.values().map(|rank| 0.5_f64.powi(rank.cast_signed())).sum();
    let empty = 1.0 - registers.len() as f64 / m;
    let powers = (1_i32..64).map(|k| empty.powf(2_f64.powi(k)) * 2_f64.powi(k - 1));
    let sigma = empty + powers.sum::<f64>();
    let estimate = m * m / (2.0 * 2_f64.ln() * (ranks + m * sigma));
    // Ours is rounded to a whole number.
    Expected::Count { value: estimate, error: 0.5 + estimate * 1e-9 }
}

fn coupon(value: &Value) -> (u64, u32) {
    let (first, second) = match value {
        Value::String(text) => murmur3_x64_128(text.as_bytes(), 9001),
        Value::Bytes(bytes) => murmur3_x64_128(bytes, 9001),
        Value::Bool(value) => murmur3_x64_128(&[u8::from(*value)], 9001),
        number => murmur3_x64_128(&unscaled(number).0.to_le_bytes(), 9001),
    };
    (first % (1 << 26), second.leading_zeros().min(62) + 1)
}

/// ⌊γ^i⌋, 101^i and 99^i, for γ = 101/99 and i up to where γ^i passes every i64.
static POWERS: LazyLock<Vec<(u64, BigUint, BigUint)>> = LazyLock::new(|| {
    let (mut above, mut below) = (BigUint::from(1_u8), BigUint::from(1_u8));
    let mut powers: Vec<(u64, BigUint, BigUint)> = Vec::new();
    while powers.last().is_none_or(|(floor, ..)| *floor < 1 << 63) {
        let floor = u64::try_from(&above / &below).expect("the one before was below 2^63");
        powers.push((floor, above.clone(), below.clone()));
        (above, below) = (above * 101_u8, below * 99_u8);
    }
    powers
});

/// The representative of the bin that the value of rank ⌊q · (n − 1)⌋ is in.
pub(crate) fn quantile(seen: &[Counted<'_>], q_ppb: u32) -> Option<f64> {
    let mut numbers: Vec<i64> = seen.iter().map(|event| unscaled(&event.input.value).0).collect();
    numbers.sort_unstable();
    let last = u128::try_from(numbers.len().checked_sub(1)?).expect("few");
    let rank = u128::from(q_ppb) * last / 1_000_000_000;
    let number = numbers[usize::try_from(rank).expect("below the count")];
    if number == 0 {
        return Some(0.0);
    }
    let (_, scale) = unscaled(&seen[0].input.value);
    let magnitude = number.unsigned_abs();
    // A whole number is at most γ^i exactly when it is at most ⌊γ^i⌋.
    let bin = POWERS.partition_point(|(floor, ..)| *floor < magnitude);
    let (_, above, below) = &POWERS[bin];
    // 2γ^i / (γ + 1) = 0.99 · γ^i
    let numerator = BigInt::from(above.clone()) * 99 * number.signum();
    let denominator = BigInt::from(below.clone()) * 100 * BigInt::from(10).pow(scale.into());
    Some(quotient(&numerator, &denominator))
}

/// Epochs of a half-life that count: the newest and so many before.
const EPOCHS: i64 = 63;
/// What the weights of two sums may differ by, relative to the true ones.
const EMA_ERROR: f64 = 2e-8;

/// The mean weighted by 2^(−age/half-life), of which floats are good enough.
pub(crate) fn ema(seen: &[Counted<'_>], half_life_ms: i64, head: i64) -> Expected {
    let oldest = (head - 1).div_euclid(half_life_ms) - EPOCHS;
    let (mut sum, mut magnitudes, mut weights) = (0.0, 0.0, 0.0);
    for event in seen.iter().filter(|event| event.time.div_euclid(half_life_ms) >= oldest) {
        let (number, scale) = unscaled(&event.input.value);
        let number = number as f64 / 10_f64.powi(scale.into());
        let weight = (-((head - 1 - event.time) as f64 / half_life_ms as f64)).exp2();
        sum += weight * number;
        magnitudes += weight * number.abs();
        weights += weight;
    }
    if weights == 0.0 {
        return Expected::Exact(Ok(None));
    }
    Expected::Near { value: sum / weights, error: EMA_ERROR * magnitudes / weights }
}

/// The most frequent values: exact while there are few different ones.
pub(crate) fn top(seen: &[Counted<'_>], k: u16) -> Expected {
    let mut values: BTreeMap<&Key, Frequency> = BTreeMap::new();
    let mut before = None;
    for event in seen {
        let key = &event.input.key;
        let frequency = values.entry(key).or_insert_with(|| Frequency {
            name: event.input.value.to_string(),
            key: key.clone(),
            count: 0,
            distinct: 0,
        });
        frequency.count += 1;
        let this = Some((event.time, event.id, key));
        frequency.distinct += u64::from(this != before);
        before = this;
    }
    let (is_exact, k) = (values.len() <= TOP_EXACT, usize::from(k));
    let mut order: Vec<_> = values.into_values().collect();
    if !is_exact {
        return Expected::Top(Top { k, values: order });
    }
    order.sort_by_key(|value| std::cmp::Reverse(value.count));
    let shown = order.iter().take(k);
    let shown = shown.map(|value| format!("[{},{}]", json::quoted(&value.name), value.count));
    let shown: Vec<_> = shown.collect();
    let text = format!("{{\"exact\":true,\"top\":[{}]}}", shown.join(","));
    Expected::Exact(Ok(Some(json::text(text))))
}

/// How often a value occurs.
#[derive(Debug)]
struct Frequency {
    name: String,
    key: Key,
    count: u64,
    /// Events that share time and id with one before are not told apart from it by a sample.
    distinct: u64,
}

/// True counts of more values than are counted exactly.
#[derive(Debug)]
pub(crate) struct Top {
    k: usize,
    values: Vec<Frequency>,
}

impl Top {
    /// What is wrong with an answer: no estimate may be too small, the bound and the order must be right, and a value of
    /// more than a fifth of the events must be there when it cannot be outranked.
    pub(crate) fn check(&self, text: &str) -> Result<(), String> {
        let total: u64 = self.values.iter().map(|value| value.count).sum();
        let distinct: u64 = self.values.iter().map(|value| value.distinct).sum();
        // e · N / 256, rounded up.
        let error = (2_718_282 * total).div_ceil(256 * 1_000_000);
        let parsed: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let (mut order, mut shown) = (Vec::new(), Vec::new());
        for item in parsed["top"].as_array().ok_or("top is no array")? {
            let (Some(name), Some(estimate)) = (item[0].as_str(), item[1].as_u64()) else {
                return Err(format!("{item} is no value with its count"));
            };
            let Some(value) = self.values.iter().find(|value| value.name == name) else {
                return Err(format!("{name:?} is not in the window"));
            };
            let count = value.count;
            if estimate < count || estimate > total {
                return Err(format!("{name:?} occurs {count} times of {total}, not {estimate}"));
            }
            order.push((std::cmp::Reverse(estimate), &value.key));
            shown.push(format!("[{},{estimate}]", json::quoted(name)));
        }
        let shown = shown.join(",");
        let whole = format!("{{\"exact\":false,\"error\":{error},\"top\":[{shown}]}}");
        if text != whole {
            return Err(format!("it is not written {whole}"));
        }
        if order.is_empty() || order.len() > self.k || !order.is_sorted_by(|a, b| a < b) {
            return Err(format!("{} values, out of order or too many", order.len()));
        }
        for value in &self.values {
            let count = value.count;
            let rivals = self.values.iter().filter(|other| other.count + 2 * error >= count);
            let is_frequent = count * 5 > total && value.distinct * 5 > distinct;
            let is_sure = is_frequent && rivals.count() <= self.k;
            if is_sure && !order.iter().any(|(_, known)| **known == value.key) {
                return Err(format!("{:?}, {count} times of {total}, is missing", value.name));
            }
        }
        Ok(())
    }
}
