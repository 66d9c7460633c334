//! Scan: one page of the entities of a group.
//!
//! ```text
//! request    handle u64, limit u32, cursor: short bytes, as the reply before gave them; empty for the first page
//! reply      rows u32, columns u16, 0 u16, next: short bytes, empty at the end; rows × short bytes of the canonical key;
//!            zeros to a multiple of 8; event times rows × i64 (-2^63 for none); columns: see `columns`
//! ```

use model::{
    column::Column,
    limits::{SCAN_CURSOR_BYTES_MAX, SCAN_PAGE_MAX},
    value::DataType,
};
use stdx::cursor::{Reader, Writer};

use super::read::key;
use crate::{Error, checked, columns};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRequest<'a> {
    /// The group: from `prepare`.
    pub handle: u64,
    /// Where to go on; empty for the first page.
    pub cursor: &'a [u8],
    /// Most rows of the page; the server has a limit of its own.
    pub limit: u32,
}

impl<'a> ScanRequest<'a> {
    /// Appends the body.
    ///
    /// # Panics
    /// When the cursor has 64 KiB or more.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.handle).u32(self.limit);
        checked::write_short(out, self.cursor);
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let (handle, limit) = (input.u64()?, input.u32()?);
        let cursor = cursor(&mut input)?;
        checked::end(&input)?;
        Ok(Self { handle, cursor, limit })
    }
}

fn cursor<'a>(input: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let cursor = checked::short(input)?;
    if cursor.len() <= SCAN_CURSOR_BYTES_MAX {
        return Ok(cursor);
    }
    let (what, count) = ("bytes of a cursor", cursor.len());
    Err(Error::TooMany { what, count, max: SCAN_CURSOR_BYTES_MAX })
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanReply {
    /// Canonical keys.
    pub keys: Vec<Box<[u8]>>,
    /// Event time of each row in ms; `i64::MIN` for none.
    pub event_times: Vec<i64>,
    /// One column for each of the schema, one row for each key.
    pub columns: Vec<Column>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Vec<u8>>,
}

impl ScanReply {
    /// Appends the body.
    ///
    /// # Panics
    /// When there are 2^16 columns or more.
    pub fn encode(&self, out: &mut Writer<'_>) {
        let body = out.position();
        let Ok(count) = u16::try_from(self.columns.len()) else {
            panic!("{} columns in a reply", self.columns.len())
        };
        checked::write_count(out, self.keys.len());
        out.u16(count).u16(0);
        checked::write_short(out, self.next.as_deref().unwrap_or_default());
        for key in &self.keys {
            checked::write_short(out, key);
        }
        columns::pad(out, body);
        columns::encode_times(out, &self.event_times);
        columns::encode(out, body, &self.columns);
    }

    /// Reads a body whose columns have `types`: those of [`super::prepare::Prepared::types`].
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &[u8], types: &[DataType]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let rows = checked::count(&mut input, "rows of a page", SCAN_PAGE_MAX, 2)?;
        columns::check_count(usize::from(input.u16()?), types)?;
        checked::flags(&mut input, 0)?;
        let next = Some(cursor(&mut input)?).filter(|next| !next.is_empty()).map(<[u8]>::to_vec);
        let mut keys = Vec::with_capacity(rows);
        for _ in 0..rows {
            keys.push(key(&mut input)?.into());
        }
        columns::skip_padding(&mut input)?;
        let event_times = columns::decode_times(&mut input, rows)?;
        let columns = columns::decode(&mut input, rows, types)?;
        checked::end(&input)?;
        Ok(Self { keys, event_times, columns, next })
    }
}
