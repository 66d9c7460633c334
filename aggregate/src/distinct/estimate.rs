//! Ertl's improved estimator of the number of distinct values behind the registers of a HyperLogLog.
//!
//! O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6. It is a function of the
//! registers alone, unlike estimators that follow the order of insertions, and needs no table of corrections. Only additions,
//! multiplications, divisions and square roots are used, all of them correctly rounded, so that every machine gives the same.

/// Ranks above this have used up the hash.
const RANK_MAX: usize = 63;

/// How many registers have each rank.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RankCounts {
    /// Four that are to be added up: most registers have one of a few ranks, and a processor waits for a count that it has
    /// just written.
    parts: [[u32; RANK_MAX + 1]; 4],
}

impl RankCounts {
    pub(crate) const NONE: Self = Self { parts: [[0; RANK_MAX + 1]; 4] };

    /// Counts ranks up to 63, as many as a multiple of 4.
    #[inline]
    pub(crate) fn add<const N: usize>(&mut self, registers: &[u8; N]) {
        for four in registers.as_chunks::<4>().0 {
            for (part, rank) in self.parts.iter_mut().zip(four) {
                part[usize::from(*rank) & RANK_MAX] += 1;
            }
        }
    }

    /// The estimate for the registers.
    pub(crate) fn estimate(&self) -> i64 {
        let [a, b, c, d] = &self.parts;
        let mut counts = *a;
        for (((count, b), c), d) in counts.iter_mut().zip(b).zip(c).zip(d) {
            *count += b + c + d;
        }
        estimate_counts(&counts)
    }
}

/// The estimate for `registers`, rounded to the nearest whole number.
#[cfg(test)]
pub(crate) fn estimate(registers: &[u8]) -> i64 {
    let mut counts = [0; RANK_MAX + 1];
    for rank in registers {
        if let Some(count) = counts.get_mut(usize::from(*rank).min(RANK_MAX)) {
            *count += 1;
        }
    }
    estimate_counts(&counts)
}

/// The estimate for registers of which each rank is counted, those of rank 0 included.
fn estimate_counts(counts: &[u32; RANK_MAX + 1]) -> i64 {
    let m = f64::from(counts.iter().sum::<u32>());
    let [empty, middle @ .., full] = *counts;
    let mut z = m * tau(1.0 - f64::from(full) / m);
    for count in middle.iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += m * sigma(f64::from(empty) / m);
    // 1 / (2 ln 2)
    const ALPHA: f64 = 0.721_347_520_444_481_7;
    to_i64(ALPHA * m * (m / z))
}

/// `x + Σ 2^(k−1) · x^(2^k)`, for k from 1.
fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// `(1 − x − Σ 2^(−k) · (1 − x^(2^(−k)))²) / 3`, for k from 1.
fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// The nearest whole number, half to even; estimates are not negative, and far below 2^63 unless every register is full.
fn to_i64(estimate: f64) -> i64 {
    crate::expr::decimal_from_f64(estimate, 0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTERS: usize = 4096;

    #[test]
    fn no_register_set_is_zero_and_one_is_one() {
        let mut registers = [0; REGISTERS];
        assert_eq!(estimate(&registers), 0);
        registers[7] = 1;
        assert_eq!(estimate(&registers), 1);
    }

    #[test]
    fn full_registers_do_not_fail() {
        assert_eq!(estimate(&[63; REGISTERS]), i64::MAX);
    }
}
