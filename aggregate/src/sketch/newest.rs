//! The newest values of a window, for `lag` and `last_n`.
//!
//! Of all events the `limit` greatest by (time, id, value) are kept. That is a function of the multiset: an event
//! that one part gives up has `limit` greater ones there, and they are in every union too. Events equal in all three
//! are several events.
//!
//! ```text
//! bytes   for each edge, the newest first: step | id length · 2 + (0: number, 1: packed), id | value
//! step    of the first one: zigzag time; of the others: ms before the one before
//! value   zigzag number | length, packed value
//! ```

use std::collections::VecDeque;

use crate::{
    partial::{Edge, EdgeValue},
    varint,
};

/// The greatest edges, at most a limit of them.
#[derive(Debug)]
pub(crate) struct Newest<'a> {
    limit: usize,
    /// Ascending. Events mostly come in order, so that most are added at the end and given up at the front.
    edges: VecDeque<Edge<'a>>,
}

impl<'a> Newest<'a> {
    /// Keeps up to `limit` edges.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, edges: VecDeque::new() }
    }

    /// Adds one event.
    pub(crate) fn update(&mut self, edge: Edge<'a>) {
        self.add(edge);
    }

    /// True when it is kept.
    fn add(&mut self, edge: Edge<'a>) -> bool {
        let is_full = self.edges.len() >= self.limit;
        if is_full && self.edges.front().is_none_or(|oldest| edge <= *oldest) {
            return false;
        }
        if is_full {
            self.edges.pop_front();
        }
        if self.edges.back().is_none_or(|newest| *newest <= edge) {
            self.edges.push_back(edge);
        } else {
            let place = self.edges.partition_point(|other| *other < edge);
            self.edges.insert(place, edge);
        }
        true
    }

    /// The edge that has `n` newer ones.
    pub(crate) fn get(&self, n: usize) -> Option<Edge<'a>> {
        self.iter().nth(n)
    }

    /// Edges, the newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Edge<'a>> {
        self.edges.iter().rev().copied()
    }

    /// Adds what another one wrote. `None` when those are not such bytes.
    ///
    /// Reading stops at the first edge that is too old to be kept, for the others are older: merging the newest tiles
    /// first costs nothing for the others. What is not read is not checked either.
    pub(crate) fn merge_bytes(&mut self, mut bytes: &'a [u8]) -> Option<()> {
        let input = &mut bytes;
        let mut before: Option<Edge<'a>> = None;
        while !input.is_empty() {
            let step = varint::take(input)?;
            let time = match before {
                None => varint::unzigzag(step),
                Some(before) => before.time.checked_sub_unsigned(step)?,
            };
            let head = varint::take(input)?;
            let (id, rest) = input.split_at_checked(usize::try_from(head >> 1).ok()?)?;
            *input = rest;
            let value = if head & 1 == 0 {
                EdgeValue::Number(varint::unzigzag(varint::take(input)?))
            } else {
                EdgeValue::Packed(varint::take_block(input)?)
            };
            let edge = Edge { time, id, value };
            if before.is_some_and(|before| before < edge) {
                return None;
            }
            if !self.add(edge) {
                break;
            }
            before = Some(edge);
        }
        Some(())
    }

    /// Appends all of it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut before: Option<i64> = None;
        for edge in self.iter() {
            varint::put(
                out,
                before.map_or(varint::zigzag(edge.time), |before| before.abs_diff(edge.time)),
            );
            let is_packed = matches!(edge.value, EdgeValue::Packed(_));
            varint::put(out, (edge.id.len() as u64) << 1 | u64::from(is_packed));
            out.extend_from_slice(edge.id);
            match edge.value {
                EdgeValue::Number(number) => varint::put(out, varint::zigzag(number)),
                EdgeValue::Packed(packed) => varint::put_block(out, packed),
            }
            before = Some(edge.time);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Forgets all events.
    pub(crate) fn clear(&mut self) {
        self.edges.clear();
    }
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;
    use crate::sketch::laws;

    const NAMES: [&[u8]; 6] = [b"", b"a", b"aa", b"b", b"\xff\x00", b"a longer one"];

    /// Few times, ids and values, so that many events tie in one, two or all three.
    fn events(prng: &mut Prng, count: usize, is_packed: bool) -> Vec<Edge<'static>> {
        let name = |prng: &mut Prng| NAMES[usize::try_from(prng.below(6)).expect("small")];
        let draw = |prng: &mut Prng| Edge {
            time: if prng.chance(0.02) { i64::MIN } else { prng.between(-20, 20) },
            id: name(prng),
            value: match is_packed {
                true => EdgeValue::Packed(name(prng)),
                false => EdgeValue::Number(prng.between(-3, 3)),
            },
        };
        (0..count).map(|_| draw(prng)).collect()
    }

    fn write(limit: usize, edges: &[Edge<'_>], parts: &[Vec<u8>]) -> Vec<u8> {
        let mut newest = Newest::new(limit);
        edges.iter().for_each(|edge| newest.update(*edge));
        parts.iter().for_each(|part| newest.merge_bytes(part).expect("written"));
        let mut out = Vec::new();
        newest.write(&mut out);
        out
    }

    #[test]
    fn the_greatest_are_kept_and_equal_ones_as_often_as_they_occur() {
        let seed = laws::seed();
        let mut prng = Prng::stream(seed, "greatest");
        for round in 0..500 {
            let (limit, count) = (prng.below(20), prng.below(60));
            let limit = usize::try_from(limit).expect("small");
            let mut events =
                events(&mut prng, usize::try_from(count).expect("small"), round % 2 == 0);
            let mut newest = Newest::new(limit);
            events.iter().for_each(|edge| newest.update(*edge));
            events.sort_unstable();
            let expected: Vec<_> = events.iter().rev().take(limit).copied().collect();
            let found: Vec<_> = newest.iter().collect();
            assert_eq!(found, expected, "LARDER_SEED={seed} round {round}");
            for n in 0..limit + 2 {
                assert_eq!(
                    newest.get(n),
                    expected.get(n).copied(),
                    "LARDER_SEED={seed} round {round}"
                );
            }
        }
    }

    #[test]
    fn any_order_and_grouping_gives_the_same_bytes() {
        let mut prng = Prng::stream(laws::seed(), "newest");
        for limit in [1, 2, 7, 256] {
            for is_packed in [false, true] {
                let events = events(&mut prng, 400, is_packed);
                laws::assert_order_free("newest", &events, 40, |edges, parts| {
                    write(limit, edges, parts)
                });
            }
        }
    }

    #[test]
    fn what_is_too_old_is_not_read() {
        let edge = |time| Edge { time, id: b"id", value: EdgeValue::Number(time) };
        let mut newest = Newest::new(2);
        [edge(5), edge(9), edge(7)].into_iter().for_each(|edge| newest.update(edge));
        let mut old = write(2, &[edge(4), edge(3)], &[]);
        old.truncate(old.len() - 1);
        assert_eq!(Newest::new(2).merge_bytes(&old), None);
        assert_eq!(newest.merge_bytes(&old), Some(()));
        assert_eq!((newest.get(0), newest.get(1)), (Some(edge(9)), Some(edge(7))));
    }

    #[test]
    fn the_ends_of_time_are_kept_apart() {
        let edge = |time| Edge { time, id: b"", value: EdgeValue::Number(0) };
        let bytes = write(3, &[edge(i64::MIN), edge(i64::MAX), edge(0)], &[]);
        let mut newest = Newest::new(3);
        newest.merge_bytes(&bytes).expect("written");
        let times: Vec<i64> = newest.iter().map(|edge| edge.time).collect();
        assert_eq!(times, [i64::MAX, 0, i64::MIN]);
        newest.clear();
        assert!(newest.is_empty());
    }

    #[test]
    fn bytes_are_as_documented() {
        let edge = |time, value| Edge { time, id: b"id", value };
        let packed = edge(100, EdgeValue::Packed(b"v"));
        let number = edge(90, EdgeValue::Number(-2));
        let first = [200, 1, 5, b'i', b'd', 1, b'v'];
        let second = [10, 4, b'i', b'd', 3];
        assert_eq!(write(9, &[number, packed], &[]), [&first[..], &second].concat());
    }

    #[test]
    fn no_bytes_do_harm() {
        let mut prng = Prng::stream(laws::seed(), "bytes of newest");
        let valid =
            [false, true].map(|is_packed| write(16, &events(&mut prng, 30, is_packed), &[]));
        laws::assert_safe_from_bytes("newest", &valid, |bytes| {
            let mut newest = Newest::new(16);
            newest.merge_bytes(bytes)?;
            let mut out = Vec::new();
            newest.write(&mut out);
            Some(out)
        });
    }
}
