//! The raw event log of one entity: packed records in order of arrival, about 9 bytes for an event with one number.
//!
//! ```text
//! time       varint of 2 · zigzag(ms) + full: ms of the first record as they are, of every other one relative to the first
//! presence   unless full: one bit for each cell with an input or filter, lowest first: the event counts in that cell
//! columns    those that a counted cell reads: number zigzag varint | token 4 bytes | packed length and bytes
//! event id   length and bytes, only in groups that break ties
//! ```
//!
//! Full says that every bit is set, as it mostly is. The order of records means nothing. The log is never searched: every
//! read passes over it once.

use crate::{
    partial::{Edge, EdgeValue},
    plan::{Cell, Column, ColumnKind, StoredEvent, WindowPlan},
    varint,
};

/// The value of one column in one event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum ColumnValue<'a> {
    #[default]
    Absent,
    Number(i64),
    Token(u32),
    Packed(&'a [u8]),
}

impl ColumnValue<'_> {
    /// Its number; `None` where it has none.
    #[inline]
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            ColumnValue::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// An event that is a number, or nothing but its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberRecord {
    pub(crate) time: i64,
    /// 0 where there is none.
    pub(crate) number: i64,
    /// Presence bits.
    word: u64,
    /// It counts in every cell.
    pub(crate) is_full: bool,
    /// What it takes without its time.
    pub(crate) body_bytes: usize,
}

impl NumberRecord {
    /// True when the event counts in the cell of a presence bit.
    #[inline]
    pub(crate) fn counts_in(&self, bit: Option<usize>) -> bool {
        bit.is_none_or(|bit| self.word >> bit & 1 == 1)
    }
}

/// One event of the log; its column values are beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) time: i64,
    /// Presence bits, the first 64 also as a word.
    bits: &'a [u8],
    word: u64,
    pub(crate) id: &'a [u8],
    /// The record without its time.
    pub(crate) is_full: bool,
    pub(crate) body: &'a [u8],
}

impl<'a> Record<'a> {
    /// True when the event counts in the cell of a presence bit.
    #[inline]
    pub(crate) fn counts_in(&self, bit: Option<usize>) -> bool {
        match bit {
            None => true,
            Some(bit @ 0..64) => self.word >> bit & 1 == 1,
            Some(bit) => is_set(self.bits, bit),
        }
    }

    /// What `first` and `last` of `cell` see.
    pub(crate) fn edge(&self, cell: &Cell, values: &[ColumnValue<'a>]) -> Option<Edge<'a>> {
        let value = match *values.get(cell.number.or(cell.packed)?)? {
            ColumnValue::Number(number) => EdgeValue::Number(number),
            ColumnValue::Packed(bytes) => EdgeValue::Packed(bytes),
            ColumnValue::Absent | ColumnValue::Token(_) => return None,
        };
        Some(Edge { time: self.time, id: self.id, value })
    }
}

/// True when presence bits ask for `column`; `word` is the first 64 of `bits`.
#[inline]
pub(crate) fn is_stored(word: u64, bits: &[u8], column: &Column) -> bool {
    word & column.mask != 0 || column.high_bits.iter().any(|bit| is_set(bits, *bit))
}

/// The first 64 of presence bits.
#[inline]
pub(crate) fn word_of(bits: &[u8]) -> u64 {
    bits.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[inline]
fn is_set(bits: &[u8], bit: usize) -> bool {
    bits.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
}

/// Appends a record; `log` is empty or holds whole records.
pub(crate) fn append(log: &mut Vec<u8>, time: i64, is_full: bool, body: &[u8]) {
    varint::put(log, head(time.wrapping_sub(base(log)), is_full));
    log.extend_from_slice(body);
}

/// Writes a record at `used` of a log with room for it; the new length, `None` when there is not enough.
pub(crate) fn append_within(log: &mut [u8], used: usize, event: StoredEvent<'_>) -> Option<usize> {
    let time = event.time.wrapping_sub(base(log.get(..used)?));
    let mut head = head(time, event.is_full);
    let body = used + varint::length(head);
    let end = body + event.body.len();
    log.get_mut(body..end)?.copy_from_slice(event.body);
    for place in log.get_mut(used..body)? {
        let more = if head >= 0x80 { 0x80 } else { 0 };
        *place = head.to_le_bytes()[0] & 0x7f | more;
        head >>= 7;
    }
    Some(end)
}

fn head(time: i64, is_full: bool) -> u64 {
    // Times have at most 50 bits with their sign: see `model::limits`.
    varint::zigzag(time) << 1 | u64::from(is_full)
}

/// The most bytes that [`append`] adds for an event whose body has `body` bytes.
pub(crate) fn record_bytes_max(body: usize) -> usize {
    8 + body
}

/// The time that records are relative to: the first one's, 0 for the first itself.
pub(crate) fn base(mut log: &[u8]) -> i64 {
    varint::take(&mut log).map_or(0, |head| varint::unzigzag(head >> 1))
}

/// How the records of a group's logs are laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout<'p> {
    columns: &'p [Column],
    has_ids: bool,
    presence_bytes: usize,
    /// Every presence bit, the first 64 as a word and all as bytes.
    full_word: u64,
    /// A full record is its time and one number, and nothing else.
    is_pair: bool,
}

/// Presence bytes of an event that counts everywhere; their unused bits are not looked at.
const FULL: [u8; FULL_BYTES] = [0xff; FULL_BYTES];
const FULL_BYTES: usize = model::limits::FEATURES_PER_GROUP_MAX / 8;

impl<'p> Layout<'p> {
    pub(crate) fn new(plan: &'p WindowPlan) -> Self {
        let (bits, columns, has_ids) = (plan.presence_bits(), plan.columns(), plan.has_ids());
        let full_word = u64::MAX
            .checked_shr(64_u32.saturating_sub(u32::try_from(bits).unwrap_or(64)))
            .unwrap_or(0);
        let is_pair = match columns {
            [only] => {
                !has_ids && only.kind == ColumnKind::Number && is_stored(full_word, &FULL, only)
            }
            _ => false,
        };
        Self { columns, has_ids, presence_bytes: bits.div_ceil(8), full_word, is_pair }
    }

    /// The record of an event of `time` at the front of `rest`, which begins without its time: its columns in `values`. `None` at
    /// bytes that are no record.
    #[inline]
    pub(crate) fn record<'a>(
        &self,
        (time, is_full): (i64, bool),
        rest: &mut &'a [u8],
        values: &mut Vec<ColumnValue<'a>>,
    ) -> Option<Record<'a>> {
        let start = *rest;
        let (bits, word) = if is_full {
            (FULL.get(..self.presence_bytes)?, self.full_word)
        } else {
            let (bits, after) = rest.split_at_checked(self.presence_bytes)?;
            *rest = after;
            (bits, word_of(bits))
        };
        values.resize(self.columns.len(), ColumnValue::Absent);
        for (value, column) in values.iter_mut().zip(self.columns) {
            *value = if is_full || is_stored(word, bits, column) {
                take_column(rest, column.kind)?
            } else {
                ColumnValue::Absent
            };
        }
        let id = if self.has_ids { varint::take_block(rest)? } else { &[] };
        let (body, _) = start.split_at_checked(start.len() - rest.len())?;
        Some(Record { time, bits, word, id, is_full, body })
    }

    /// True when records are at most one number and few presence bits: [`Layout::number`] reads them.
    pub(crate) fn is_number(&self) -> bool {
        let is_number = |column: &Column| column.kind == ColumnKind::Number;
        !self.has_ids
            && self.presence_bytes <= 8
            && self.columns.len() <= 1
            && self.columns.iter().all(is_number)
    }

    /// As [`Layout::record`]: the number (0 where there is none) and presence bits, where that is all there is.
    #[inline]
    pub(crate) fn number(&self, is_full: bool, rest: &mut &[u8]) -> Option<(i64, u64)> {
        let word = if is_full {
            self.full_word
        } else {
            let (bits, after) = rest.split_at_checked(self.presence_bytes)?;
            *rest = after;
            word_of(bits)
        };
        let mask = self.columns.first().map_or(0, |column| column.mask);
        let number = if word & mask == 0 { 0 } else { varint::unzigzag(varint::take(rest)?) };
        Some((number, word))
    }
}

/// Passes over a log.
#[derive(Debug)]
pub(crate) struct Records<'p, 'a> {
    layout: Layout<'p>,
    base: i64,
    is_first: bool,
    rest: &'a [u8],
}

impl<'p, 'a> Records<'p, 'a> {
    pub(crate) fn new(plan: &'p WindowPlan, log: &'a [u8]) -> Self {
        Self { layout: Layout::new(plan), base: base(log), is_first: true, rest: log }
    }

    /// The next record, its columns in `values`. `None` at the end, and at bytes that are no record: see
    /// [`Records::is_at_end`].
    #[inline]
    pub(crate) fn next(&mut self, values: &mut Vec<ColumnValue<'a>>) -> Option<Record<'a>> {
        let mut rest = self.rest;
        let head = self.head(&mut rest)?;
        let record = self.layout.record(head, &mut rest, values)?;
        self.is_first = false;
        self.rest = rest;
        Some(record)
    }

    /// The time of the record at the front of `rest`, and whether it is full.
    #[inline]
    fn head(&self, rest: &mut &'a [u8]) -> Option<(i64, bool)> {
        varint::take(rest).map(|head| self.time(head))
    }

    /// What the head of a record says.
    #[inline]
    fn time(&self, head: u64) -> (i64, bool) {
        let time = varint::unzigzag(head >> 1);
        (if self.is_first { time } else { time.wrapping_add(self.base) }, head & 1 == 1)
    }

    /// True when [`Records::next_number`] reads the records.
    pub(crate) fn are_numbers(&self) -> bool {
        self.layout.is_number()
    }

    /// The next record, where a number is all there is.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a read of a thousand raw events is this and little else"
    )]
    pub(crate) fn next_number(&mut self) -> Option<NumberRecord> {
        let mut rest = self.rest;
        let before = rest.len();
        let pair = if self.layout.is_pair { varint::take_pair(&mut rest) } else { None };
        let (head, number, word) = match pair {
            Some((head, number)) if head & 1 == 1 => {
                (head, varint::unzigzag(number), self.layout.full_word)
            }
            _ => {
                rest = self.rest;
                let head = varint::take(&mut rest)?;
                let (number, word) = self.layout.number(head & 1 == 1, &mut rest)?;
                (head, number, word)
            }
        };
        let (time, is_full) = self.time(head);
        self.is_first = false;
        self.rest = rest;
        let body_bytes = before - rest.len() - varint::length(head);
        Some(NumberRecord { time, number, word, is_full, body_bytes })
    }

    /// True when every byte was part of a record.
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

#[inline]
fn take_column<'a>(rest: &mut &'a [u8], kind: ColumnKind) -> Option<ColumnValue<'a>> {
    match kind {
        ColumnKind::Number => varint::take(rest).map(varint::unzigzag).map(ColumnValue::Number),
        ColumnKind::Token => {
            let (token, after) = rest.split_first_chunk::<4>()?;
            *rest = after;
            Some(ColumnValue::Token(u32::from_le_bytes(*token)))
        }
        ColumnKind::Packed => varint::take_block(rest).map(ColumnValue::Packed),
    }
}

#[cfg(test)]
mod tests {
    use model::value::ValueRef;
    use stdx::prng::Prng;

    use super::*;
    use crate::{PreparedEvent, plan::tests::plan};

    /// What both ways of reading say of a log: time, number, presence, bytes; and whether every byte was read.
    type Seen = (Vec<(i64, i64, Vec<bool>, usize)>, bool);

    fn generally(plan: &WindowPlan, log: &[u8]) -> Seen {
        let (mut records, mut values, mut seen) = (Records::new(plan, log), Vec::new(), Vec::new());
        while let Some(record) = records.next(&mut values) {
            let number = values.first().and_then(ColumnValue::number).unwrap_or(0);
            let counts = |cell: &Cell| record.counts_in(cell.bit);
            let counts = plan.cells().iter().map(counts).collect();
            seen.push((record.time, number, counts, record.body.len()));
        }
        (seen, records.is_at_end())
    }

    fn as_numbers(plan: &WindowPlan, log: &[u8]) -> Seen {
        let (mut records, mut seen) = (Records::new(plan, log), Vec::new());
        while let Some(record) = records.next_number() {
            let counts = |cell: &Cell| record.counts_in(cell.bit);
            let counts = plan.cells().iter().map(counts).collect();
            seen.push((record.time, record.number, counts, record.body_bytes));
        }
        (seen, records.is_at_end())
    }

    fn random_log(plan: &WindowPlan, random: &mut Prng) -> Vec<u8> {
        let mut log = Vec::new();
        for _ in 0..random.between(1, 12) {
            let mut signed = |bits| {
                let most = 1_i64 << random.between(0, bits);
                random.between(-most, most)
            };
            let (time, number) = (signed(40), signed(62));
            let fields = [
                Some(ValueRef::Timestamp(time)),
                random.chance(0.8).then_some(ValueRef::I64(number)),
                random.chance(0.8).then_some(ValueRef::Decimal(number, 2)),
                Some(ValueRef::String("s")),
                random.chance(0.9).then_some(ValueRef::Bool(random.chance(0.8))),
            ];
            let mut event = PreparedEvent::default();
            plan.prepare(&fields, time, b"", &mut event).expect("nothing overflows");
            let Some(event) = event.stored() else { continue };
            append(&mut log, event.time, event.is_full, event.body);
        }
        log
    }

    #[test]
    fn number_records_are_records() {
        let many: Vec<_> =
            (0..9).map(|at| format!("f{at} = \"sum(i) filter (where i > {at})\"")).collect();
        let groups = [
            "n = \"count(*)\"".to_owned(),
            "n = \"count(*)\"\nsum = \"sum(i)\"".to_owned(),
            "sum = \"sum(d)\"\nlow = \"min(d) filter (where b)\"".to_owned(),
            many.join("\n"),
        ];
        let mut read = 0;
        for features in groups {
            let plan = plan("windows = [\"1h\"]", &features);
            assert!(Records::new(&plan, &[]).are_numbers(), "{features}");
            for seed in 0..60 {
                let mut random = Prng::new(seed);
                let mut log = random_log(&plan, &mut random);
                read += generally(&plan, &log).0.len();
                for end in 0..=log.len() {
                    let part = &log[..end];
                    assert_eq!(as_numbers(&plan, part), generally(&plan, part), "seed {seed}");
                }
                for _ in 0..20 {
                    if let Some(byte) = log.iter_mut().max_by_key(|_| random.next_u64()) {
                        *byte = random.next_u64().to_le_bytes()[0];
                    }
                    let [numbers, records] = [as_numbers(&plan, &log), generally(&plan, &log)].map(
                        |(seen, is_whole)| {
                            // A time may be written longer than it has to be now: what it takes is then an estimate.
                            let seen = seen
                                .into_iter()
                                .map(|(time, number, counts, _)| (time, number, counts));
                            (seen.collect::<Vec<_>>(), is_whole)
                        },
                    );
                    assert_eq!(numbers, records, "seed {seed}");
                }
            }
        }
        assert!(read > 1_000, "{read} records");
    }
}
