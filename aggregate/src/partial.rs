//! Partials: what is kept of the events of one tile or window for one cell, and its verbs update and merge.
//!
//! Every part is a commutative, associative monoid over integers, or a minimum or maximum of a total order: any grouping of
//! the same events gives the same partial.

use crate::wide::Wide;

/// A sum of squares of i64: below 2^126 each, so that 2^64 of them stay below 2^192.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Squares {
    pub(crate) low: u128,
    pub(crate) high: u64,
}

impl Squares {
    pub(crate) fn add(&mut self, other: Self) {
        let (low, carried) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self.high.wrapping_add(other.high).wrapping_add(u64::from(carried));
    }

    /// Takes away what was added before.
    pub(crate) fn take_away(&mut self, other: Self) {
        let (low, borrowed) = self.low.overflowing_sub(other.low);
        self.low = low;
        self.high = self.high.wrapping_sub(other.high).wrapping_sub(u64::from(borrowed));
    }

    pub(crate) fn wide(self) -> Wide {
        Wide::of_parts(self.low, self.high)
    }
}

/// The numeric part of a partial. Extremes mean something only when `count` is above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) count: u64,
    /// 2^64 numbers of 64 bits stay inside 128.
    pub(crate) sum: i128,
    pub(crate) squares: Squares,
    pub(crate) min: i64,
    pub(crate) max: i64,
    /// Event times, in ms.
    pub(crate) oldest: i64,
    pub(crate) newest: i64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            count: 0,
            sum: 0,
            squares: Squares::default(),
            min: i64::MAX,
            max: i64::MIN,
            oldest: i64::MAX,
            newest: i64::MIN,
        }
    }
}

impl Numbers {
    /// Counts one event.
    #[inline]
    pub(crate) fn count_one(&mut self, time: i64, times: bool) {
        self.count = self.count.wrapping_add(1);
        if times {
            self.oldest = self.oldest.min(time);
            self.newest = self.newest.max(time);
        }
    }

    /// Adds one number; squares only where something asks for them.
    #[inline]
    pub(crate) fn update(&mut self, number: i64, squares: bool) {
        self.sum = self.sum.wrapping_add(i128::from(number));
        self.min = self.min.min(number);
        self.max = self.max.max(number);
        if squares {
            let magnitude = u128::from(number.unsigned_abs());
            self.squares.add(Squares { low: magnitude * magnitude, high: 0 });
        }
    }

    /// Adds what another partial saw.
    #[inline]
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count = self.count.wrapping_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
        self.squares.add(other.squares);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.oldest = self.oldest.min(other.oldest);
        self.newest = self.newest.max(other.newest);
    }
}

/// A value at the edge of a window. The order is total: by event time, then event id, then value, so that two events of one
/// time and id cannot make a value depend on which came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge<'a> {
    pub(crate) time: i64,
    pub(crate) id: &'a [u8],
    pub(crate) value: EdgeValue<'a>,
}

/// A value of `first` or `last`. Within one cell all are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EdgeValue<'a> {
    /// An i64, timestamp, or unscaled decimal.
    Number(i64),
    /// A packed bool, string or bytes, without length.
    Packed(&'a [u8]),
}

/// The edge part of a partial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Edges<'a> {
    pub(crate) first: Option<Edge<'a>>,
    pub(crate) last: Option<Edge<'a>>,
}

impl<'a> Edges<'a> {
    /// Adds one value.
    pub(crate) fn update(&mut self, edge: Edge<'a>) {
        if self.first.is_none_or(|first| edge < first) {
            self.first = Some(edge);
        }
        if self.last.is_none_or(|last| edge > last) {
            self.last = Some(edge);
        }
    }

    /// Adds what another partial saw.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.first = match (self.first, other.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.last = self.last.max(other.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_squares_do_not_overflow() {
        let mut numbers = Numbers::default();
        for _ in 0..10 {
            numbers.update(i64::MIN, true);
        }
        // 10 · 2^126 = 2.5 · 2^128
        assert_eq!(numbers.squares, Squares { low: 1 << 127, high: 2 });
        assert_eq!(numbers.sum, -10 * (1_i128 << 63));
    }

    #[test]
    fn merging_parts_is_updating_with_the_whole() {
        let numbers = [5, -7, i64::MAX, 0, i64::MIN, 3];
        let of = |numbers: &[i64]| {
            let mut partial = Numbers::default();
            numbers.iter().for_each(|number| partial.update(*number, true));
            partial
        };
        for split in 0..=numbers.len() {
            let (left, right) = numbers.split_at(split);
            let mut merged = of(right);
            merged.merge(&of(left));
            assert_eq!(merged, of(&numbers));
        }
    }

    #[test]
    fn edges_of_one_time_are_told_apart_by_id_and_then_by_value() {
        let edge = |id, value| Edge { time: 5, id, value: EdgeValue::Number(value) };
        let all = [edge(b"a", 1), edge(b"b", 0), edge(b"b", 7)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut edges = Edges::default();
            order.iter().for_each(|at| edges.update(all[*at]));
            assert_eq!((edges.first, edges.last), (Some(all[0]), Some(all[2])));
        }
    }
}
