//! Put: rows of one row group.
//!
//! ```text
//! request    handle u64, write options (see `write`), features u16 (how many the rows hold), list of rows
//! row        event time i64 (-2^63 for the server's now), short bytes of the canonical key, bytes of a packed row
//! reply      receipt (see `write`), applied u32, stale u32, rejected u32, list of rejects
//! ```

use model::limits::BATCH_MAX;
use stdx::cursor::{Reader, Writer};

use super::read::key;
use crate::{
    Error, checked,
    write::{Receipt, Reject, WriteOptions, decode_rejects, encode_rejects},
};

const NOW: i64 = i64::MIN;
/// Least bytes of a row.
const ROW_BYTES: usize = 8 + 2 + 4;

/// One row to put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutRow<'a> {
    /// Canonical entity key.
    pub key: &'a [u8],
    /// Event time in ms; `None` is the server's now.
    pub event_time: Option<i64>,
    /// A packed row of the first `features` features.
    pub row: &'a [u8],
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutRequest<'a> {
    /// The group: from `prepare`.
    pub handle: u64,
    /// Who writes and how sure they want to be.
    pub options: WriteOptions,
    /// How many features the writer knows: a prefix of the group's.
    pub features: u16,
    /// The rows.
    pub rows: Vec<PutRow<'a>>,
}

impl<'a> PutRequest<'a> {
    /// Appends the body.
    ///
    /// # Panics
    /// When a key has 64 KiB or more.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.handle);
        self.options.encode(out);
        out.u16(self.features);
        checked::write_count(out, self.rows.len());
        for row in &self.rows {
            out.i64(row.event_time.unwrap_or(NOW));
            checked::write_short(out, row.key);
            out.block(row.row);
        }
    }

    /// Reads a body; keys and rows stay where they are.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let handle = input.u64()?;
        let options = WriteOptions::decode(&mut input)?;
        let features = input.u16()?;
        let rows = checked::list(&mut input, ("rows", BATCH_MAX, ROW_BYTES), |input| {
            let event_time = Some(input.i64()?).filter(|time| *time != NOW);
            Ok(PutRow { event_time, key: key(input)?, row: input.block()? })
        })?;
        checked::end(&input)?;
        Ok(Self { handle, options, features, rows })
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutReply {
    /// Where the write is and how safe.
    pub receipt: Receipt,
    /// Rows of which at least one feature was stored.
    pub applied: u32,
    /// Rows with nothing newer than what is stored.
    pub stale: u32,
    /// Rows refused.
    pub rejected: u32,
    /// The refused rows; empty when the write was applied before.
    pub rejects: Vec<Reject>,
}

impl PutReply {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        self.receipt.encode(out);
        out.u32(self.applied).u32(self.stale).u32(self.rejected);
        encode_rejects(out, &self.rejects);
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let reply = Self {
            receipt: Receipt::decode(&mut input)?,
            applied: input.u32()?,
            stale: input.u32()?,
            rejected: input.u32()?,
            rejects: decode_rejects(&mut input)?,
        };
        checked::end(&input)?;
        Ok(reply)
    }
}
