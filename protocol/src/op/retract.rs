//! Retract: events of one stream are taken back.
//!
//! ```text
//! request    handle u64, write options (see `write`), fields u16 (how many the rows hold),
//!            list of events: bytes of a packed row, of which event id, event time and keys count
//! reply      receipt (see `write`), retracted u32, late u32 (before the floor), rejected u32, list of rejects
//! ```

use model::limits::BATCH_MAX;
use stdx::cursor::{Reader, Writer};

use crate::{
    Error, checked,
    write::{Receipt, Reject, WriteOptions, decode_rejects, encode_rejects},
};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetractRequest<'a> {
    /// The stream: from `prepare`.
    pub handle: u64,
    /// Who writes and how sure they want to be.
    pub options: WriteOptions,
    /// How many fields the writer knows: a prefix of the stream's.
    pub fields: u16,
    /// Packed rows of the first `fields` fields.
    pub events: Vec<&'a [u8]>,
}

impl<'a> RetractRequest<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.handle);
        self.options.encode(out);
        out.u16(self.fields);
        checked::write_count(out, self.events.len());
        for event in &self.events {
            out.block(event);
        }
    }

    /// Reads a body; events stay where they are.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let handle = input.u64()?;
        let options = WriteOptions::decode(&mut input)?;
        let fields = input.u16()?;
        let events =
            checked::list(&mut input, ("events", BATCH_MAX, 4), |input| Ok(input.block()?))?;
        checked::end(&input)?;
        Ok(Self { handle, options, fields, events })
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetractReply {
    /// Where the write is and how safe.
    pub receipt: Receipt,
    /// Events retracted.
    pub retracted: u32,
    /// Events before the floor: they may be folded into tiles.
    pub late: u32,
    /// Rows refused, those included that name an event which is not there.
    pub rejected: u32,
    /// The events not retracted; empty when the write was applied before.
    pub rejects: Vec<Reject>,
}

impl RetractReply {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        self.receipt.encode(out);
        out.u32(self.retracted).u32(self.late).u32(self.rejected);
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
            retracted: input.u32()?,
            late: input.u32()?,
            rejected: input.u32()?,
            rejects: decode_rejects(&mut input)?,
        };
        checked::end(&input)?;
        Ok(reply)
    }
}
