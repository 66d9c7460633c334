//! Count, sum, minimum and maximum of each value of `by`.
//!
//! Only the [`GROUPS_MAX`] smallest keys, in byte order, are kept apart; all other events are summed up together.
//!
//! **Why no order shows.** Of a multiset of events, the keys kept are its 64 smallest, and everything else is one
//! sum. A key leaves a part only when that part has 64 smaller keys. Those never leave unless for smaller ones still,
//! so that from then on, in that part and in every union with it, there are 64 smaller keys: the key is never kept
//! again, and all its events, from before and after, are in the sum. A key among the 64 smallest of the whole is
//! among the 64 smallest of each part that has it, so none of its events is ever in a sum. Numbers themselves are
//! sums, minima and maxima.
//!
//! ```text
//! bytes     numbers of the others | for each key, ascending: length, key | its numbers
//! numbers   count · 2 + (0: no event has a number, 1: some have) | if some have: zigzag min
//!           | if they have and count > 1: max − min, sum as in `int192`
//! ```

use std::borrow::Cow;

use super::int192::Int192;
use crate::{partial::Numbers, varint};

/// Most keys that are kept apart.
pub(crate) const GROUPS_MAX: usize = 64;

/// Numbers by key.
#[derive(Debug, Default)]
pub(crate) struct Groups<'a> {
    /// Ascending by key.
    kept: Vec<(Cow<'a, [u8]>, Numbers)>,
    other: Numbers,
}

impl<'a> Groups<'a> {
    /// Adds one event. `key` is the value of `by`, in bytes of the same order; `number` is what is summed, if
    /// anything is.
    pub(crate) fn update(&mut self, key: impl Into<Cow<'a, [u8]>>, number: Option<i64>) {
        let mut numbers = Numbers { count: 1, ..Numbers::default() };
        if let Some(number) = number {
            numbers.update(number, false);
        }
        self.add(key.into(), &numbers);
    }

    fn add(&mut self, key: Cow<'a, [u8]>, numbers: &Numbers) {
        let place = match self.kept.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(place) => {
                if let Some((_, kept)) = self.kept.get_mut(place) {
                    kept.merge(numbers);
                }
                return;
            }
            Err(place) => place,
        };
        if place >= GROUPS_MAX {
            return self.other.merge(numbers);
        }
        if self.kept.len() >= GROUPS_MAX
            && let Some((_, left)) = self.kept.pop()
        {
            self.other.merge(&left);
        }
        self.kept.insert(place, (key, *numbers));
    }

    /// Keys that are kept apart with their numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &Numbers)> {
        self.kept.iter().map(|(key, numbers)| (key.as_ref(), numbers))
    }

    /// The numbers of all other events; their count is 0 when there are none.
    pub(crate) fn other(&self) -> &Numbers {
        &self.other
    }

    /// Adds what another one wrote. `None` when those are not such bytes.
    pub(crate) fn merge_bytes(&mut self, mut bytes: &'a [u8]) -> Option<()> {
        if bytes.is_empty() {
            return Some(());
        }
        let input = &mut bytes;
        let other = take_numbers(input)?;
        let mut keys = 0;
        let mut before = None;
        while !input.is_empty() {
            let key = varint::take_block(input)?;
            let numbers = take_numbers(input)?;
            if before.is_some_and(|before| before >= key) || numbers.count == 0 {
                return None;
            }
            self.add(Cow::Borrowed(key), &numbers);
            before = Some(key);
            keys += 1;
        }
        self.other.merge(&other);
        let is_full = keys == GROUPS_MAX;
        (is_full || (0 < keys && keys < GROUPS_MAX && other.count == 0)).then_some(())
    }

    /// Appends all of it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        put_numbers(out, &self.other);
        for (key, numbers) in &self.kept {
            varint::put_block(out, key);
            put_numbers(out, numbers);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Forgets all events.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.other = Numbers::default();
    }
}

/// Counts of events stay below 2^63, so that the flag has room.
const COUNT_MAX: u64 = u64::MAX >> 1;

fn put_numbers(out: &mut Vec<u8>, numbers: &Numbers) {
    let has_numbers = numbers.min <= numbers.max;
    let count = numbers.count & COUNT_MAX;
    varint::put(out, count << 1 | u64::from(has_numbers));
    if !has_numbers {
        return;
    }
    varint::put(out, varint::zigzag(numbers.min));
    if count > 1 {
        varint::put(out, numbers.max.abs_diff(numbers.min));
        Int192::from(numbers.sum).put(out);
    }
}

fn take_numbers(input: &mut &[u8]) -> Option<Numbers> {
    let head = varint::take(input)?;
    let mut numbers = Numbers { count: head >> 1, ..Numbers::default() };
    if head & 1 == 0 {
        return Some(numbers);
    }
    numbers.min = varint::unzigzag(varint::take(input)?);
    (numbers.max, numbers.sum) = match numbers.count {
        0 => return None,
        1 => (numbers.min, numbers.min.into()),
        _ => {
            let max = numbers.min.checked_add_unsigned(varint::take(input)?)?;
            (max, Int192::take(input)?.narrow()?)
        }
    };
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stdx::prng::Prng;

    use super::*;
    use crate::sketch::laws;

    type Event = (Vec<u8>, Option<i64>);

    fn groups<'a>(events: &'a [Event], parts: &'a [Vec<u8>]) -> Groups<'a> {
        let mut groups = Groups::default();
        events.iter().for_each(|(key, number)| groups.update(key, *number));
        parts.iter().for_each(|part| groups.merge_bytes(part).expect("written"));
        groups
    }

    fn write(events: &[Event], parts: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        groups(events, parts).write(&mut out);
        out
    }

    fn events(prng: &mut Prng, count: usize, keys: u64, has_numbers: bool) -> Vec<Event> {
        let draw = |prng: &mut Prng| {
            let key = prng.below(keys);
            let number = prng.next_u64().cast_signed() >> (key % 64);
            (format!("{}", key * 7 % 101 + key).into_bytes(), has_numbers.then_some(number))
        };
        (0..count).map(|_| draw(prng)).collect()
    }

    #[test]
    fn the_smallest_keys_are_apart_and_all_else_is_one_sum() {
        let seed = laws::seed();
        let mut prng = Prng::stream(seed, "apart");
        for keys in [1, 63, 64, 65, 66, 300] {
            for has_numbers in [false, true] {
                let events = events(&mut prng, 3_000, keys, has_numbers);
                let mut expected: BTreeMap<&[u8], Numbers> = BTreeMap::new();
                for (key, number) in &events {
                    let numbers = expected.entry(key).or_default();
                    numbers.count += 1;
                    number.iter().for_each(|number| numbers.update(*number, false));
                }
                let mut other = Numbers::default();
                expected.values().skip(GROUPS_MAX).for_each(|numbers| other.merge(numbers));
                let expected: Vec<_> =
                    expected.iter().take(GROUPS_MAX).map(|(k, n)| (*k, n)).collect();
                let bytes = [write(&events, &[])];
                for found in [groups(&events, &[]), groups(&[], &bytes)] {
                    let kept: Vec<_> = found.iter().collect();
                    assert_eq!(kept, expected, "LARDER_SEED={seed} {keys} keys");
                    assert_eq!(*found.other(), other, "LARDER_SEED={seed} {keys} keys");
                }
            }
        }
    }

    #[test]
    fn any_order_and_grouping_gives_the_same_bytes() {
        let mut prng = Prng::stream(laws::seed(), "groups");
        for (keys, has_numbers) in [(10, true), (65, false), (65, true), (400, true)] {
            let events = events(&mut prng, 1_000, keys, has_numbers);
            laws::assert_order_free("groups", &events, 50, write);
        }
    }

    #[test]
    fn of_no_events_there_is_no_byte() {
        let mut groups = Groups::default();
        groups.update(&b"key"[..], Some(1));
        groups.update(b"other".to_vec(), None);
        assert_eq!((groups.is_empty(), groups.iter().count()), (false, 2));
        groups.clear();
        let mut out = Vec::new();
        groups.write(&mut out);
        assert_eq!((groups.is_empty(), groups.other().count, out), (true, 0, Vec::new()));
    }

    #[test]
    fn extreme_sums_round_trip() {
        let events = vec![(vec![1], Some(i64::MIN)); 5];
        let bytes = [write(&events, &[])];
        let found = groups(&[], &bytes);
        let (_, numbers) = found.iter().next().expect("one key");
        assert_eq!((numbers.count, numbers.sum), (5, 5 * i128::from(i64::MIN)));
        assert_eq!((numbers.min, numbers.max), (i64::MIN, i64::MIN));
    }

    #[test]
    fn bytes_are_as_documented() {
        let events = [("b", Some(5)), ("a", Some(-1)), ("a", Some(3)), ("c", None)];
        let events = events.map(|(key, number)| (key.into(), number));
        let (a, b, c) = ([1, b'a', 5, 1, 4, 1, 2], [1, b'b', 3, 10], [1, b'c', 2]);
        assert_eq!(write(&events, &[]), [&[0][..], &a, &b, &c].concat());
    }

    #[test]
    fn no_bytes_do_harm() {
        let mut prng = Prng::stream(laws::seed(), "bytes of groups");
        let valid = [(1, 1), (40, 10), (300, 200)]
            .map(|(count, keys)| write(&events(&mut prng, count, keys, true), &[]));
        laws::assert_safe_from_bytes("groups", &valid, |bytes| {
            let mut groups = Groups::default();
            groups.merge_bytes(bytes)?;
            let mut out = Vec::new();
            groups.write(&mut out);
            Some(out)
        });
        // Others without 64 keys, a key twice, and a key without events are written by nothing.
        for bytes in [&[2, 1, 7, 2][..], &[0, 1, 7, 2, 1, 7, 2], &[0, 1, 7, 0], &[0]] {
            assert_eq!(Groups::default().merge_bytes(bytes), None);
        }
    }
}
