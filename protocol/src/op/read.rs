//! Read: the feature vectors of many entities in one round trip.
//!
//! ```text
//! request    handle u64, as-of i64 (-2^63 for now), flags u16 (1 exclusive, 2 snap, 4 times),
//!            entities u16 (keys of one tuple), list of key tuples: for each entity, short bytes of the canonical key,
//!            list of request rows: bytes of a packed row; none, one for all tuples, or one for each
//! reply      as-of i64, rows u32, columns u16, flags u16 (1 snapped, 4 times)
//!            columns: see `columns`
//!            with flag times: groups u32, 0 u32, group times groups × rows i64, window starts columns × i64
//!            (-2^63 for none)
//! ```

use model::{
    columns::Columns,
    limits::{BATCH_MAX, DEFINITIONS_MAX, KEY_BYTES_MAX, READ_KEYS_MAX},
    value::DataType,
};
use smallvec::SmallVec;
use stdx::cursor::{Reader, Writer};

use crate::{Error, checked, columns};

const EXCLUSIVE: u16 = 1;
const SNAP: u16 = 2;
const SNAPPED: u16 = 1;
const TIMES: u16 = 4;
const NONE: i64 = i64::MIN;

/// When to look and what to add to the reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The time asked about, in ms; `None` is now.
    pub as_of: Option<i64>,
    /// Events exactly at the as-of do not count.
    pub exclusive: bool,
    /// An as-of before the floor is answered at or below the floor instead of refused, as `docs/semantics.md` says.
    pub snap: bool,
    /// Also return event times of groups and starts of windows.
    pub times: bool,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest<'a> {
    /// What to read: from `prepare`.
    pub handle: u64,
    /// When to look.
    pub options: ReadOptions,
    /// Keys of one tuple: the number of entities in the schema.
    pub entities: u16,
    /// Canonical keys, tuple by tuple. A multiple of `entities`. Few need no memory of their own.
    pub keys: SmallVec<[&'a [u8]; 4]>,
    /// Packed rows of the request's values: none, one for all tuples, or one for each.
    pub request_rows: Vec<&'a [u8]>,
}

impl<'a> ReadRequest<'a> {
    /// Appends the body.
    ///
    /// # Panics
    /// When `keys` is no multiple of `entities`, or a key has 64 KiB or more.
    pub fn encode(&self, out: &mut Writer<'_>) {
        let options = &self.options;
        let flags = [(options.exclusive, EXCLUSIVE), (options.snap, SNAP), (options.times, TIMES)];
        let flags = flags.iter().filter(|(on, _)| *on).fold(0, |flags, (_, bit)| flags | bit);
        let entities = usize::from(self.entities);
        assert_eq!(self.keys.len() % entities.max(1), 0, "every tuple has {entities} keys");
        out.u64(self.handle).i64(options.as_of.unwrap_or(NONE)).u16(flags).u16(self.entities);
        checked::write_count(out, self.keys.len() / entities.max(1));
        for key in &self.keys {
            checked::write_short(out, key);
        }
        checked::write_count(out, self.request_rows.len());
        for row in &self.request_rows {
            out.block(row);
        }
    }

    /// Reads a body; keys and rows stay where they are.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let handle = input.u64()?;
        let as_of = Some(input.i64()?).filter(|as_of| *as_of != NONE);
        let flags = checked::flags(&mut input, EXCLUSIVE | SNAP | TIMES)?;
        let (exclusive, snap, times) =
            (flags & EXCLUSIVE != 0, flags & SNAP != 0, flags & TIMES != 0);
        let options = ReadOptions { as_of, exclusive, snap, times };
        let entities = input.u16()?;
        if entities == 0 {
            return Err(Error::Malformed("a tuple has at least one key".to_owned()));
        }
        // Each key takes at least its length.
        let tuples =
            checked::count(&mut input, "entities to read", BATCH_MAX, 2 * usize::from(entities))?;
        let count = tuples * usize::from(entities);
        if count > READ_KEYS_MAX {
            return Err(Error::TooMany { what: "keys", count, max: READ_KEYS_MAX });
        }
        let mut keys = SmallVec::with_capacity(count);
        for _ in 0..count {
            keys.push(key(&mut input)?);
        }
        let request_rows =
            checked::list(&mut input, ("request rows", BATCH_MAX, 4), |input| Ok(input.block()?))?;
        checked::end(&input)?;
        if request_rows.len() > 1 && request_rows.len() != tuples {
            let given = request_rows.len();
            let reason =
                format!("{given} request rows for {tuples} entities: none, one or {tuples}");
            return Err(Error::Malformed(reason));
        }
        Ok(Self { handle, options, entities, keys, request_rows })
    }

    /// Number of vectors asked for.
    #[must_use]
    pub fn tuples(&self) -> usize {
        self.keys.len() / usize::from(self.entities.max(1))
    }
}

/// Reads a key in place, at most [`KEY_BYTES_MAX`] long.
pub(crate) fn key<'a>(input: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let key = checked::short(input)?;
    if key.len() <= KEY_BYTES_MAX {
        return Ok(key);
    }
    Err(Error::TooMany { what: "bytes of a key", count: key.len(), max: KEY_BYTES_MAX })
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadReply {
    /// The as-of that was used, in ms.
    pub as_of: i64,
    /// True when a window was read at a tile edge instead of the as-of asked for.
    pub snapped: bool,
    /// One column for each of the schema, one row for each key tuple.
    pub columns: Columns,
    /// When asked for.
    pub times: Option<ReadTimes>,
}

/// Event times and window starts of a reply, in ms; `i64::MIN` for none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadTimes {
    /// For each group of the schema the event time of each vector's row.
    pub groups: Vec<Vec<i64>>,
    /// For each column the start of its window.
    pub window_starts: Vec<i64>,
}

impl ReadReply {
    /// Appends the body.
    ///
    /// # Panics
    /// When there are 2^16 columns or more.
    pub fn encode(&self, out: &mut Writer<'_>) {
        let body = out.position();
        let Ok(count) = u16::try_from(self.columns.len()) else {
            panic!("{} columns in a reply", self.columns.len())
        };
        let snapped = if self.snapped { SNAPPED } else { 0 };
        let flags = if self.times.is_some() { snapped | TIMES } else { snapped };
        checked::write_count(out.i64(self.as_of), self.columns.rows());
        out.u16(count).u16(flags);
        columns::encode_all(out, body, &self.columns);
        if let Some(times) = &self.times {
            checked::write_count(out, times.groups.len());
            columns::pad(out, body);
            for group in &times.groups {
                columns::encode_times(out, group);
            }
            columns::encode_times(out, &times.window_starts);
        }
    }

    /// Reads a body whose columns have `types`: those of [`super::prepare::Prepared::types`].
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &[u8], types: &[DataType]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let as_of = input.i64()?;
        let rows = checked::count(&mut input, "vectors", BATCH_MAX, 0)?;
        columns::check_count(usize::from(input.u16()?), types)?;
        let flags = checked::flags(&mut input, SNAPPED | TIMES)?;
        let columns = columns::decode_all(&mut input, rows, types)?;
        let mut times = None;
        if flags & TIMES != 0 {
            let count = checked::count(&mut input, "groups", DEFINITIONS_MAX, rows * 8)?;
            columns::skip_padding(&mut input)?;
            let mut groups = Vec::with_capacity(count);
            for _ in 0..count {
                groups.push(columns::decode_times(&mut input, rows)?);
            }
            let window_starts = columns::decode_times(&mut input, types.len())?;
            times = Some(ReadTimes { groups, window_starts });
        }
        checked::end(&input)?;
        Ok(Self { as_of, snapped: flags & SNAPPED != 0, columns, times })
    }
}
