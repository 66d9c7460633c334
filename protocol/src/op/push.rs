//! Push: events of one stream.
//!
//! ```text
//! request    handle u64, write options (see `write`), fields u16 (how many the events hold),
//!            list of events: bytes of a packed row
//! reply      receipt (see `write`), accepted u32, duplicate u32, late u32, rejected u32, list of rejects
//! ```

use model::limits::BATCH_MAX;
use stdx::cursor::{Reader, Writer};

use crate::{
    Error, checked,
    write::{Receipt, Reject, WriteOptions, decode_rejects, encode_rejects},
};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushRequest<'a> {
    /// The stream: from `prepare`.
    pub handle: u64,
    /// Who writes and how sure they want to be.
    pub options: WriteOptions,
    /// How many fields the writer knows: a prefix of the stream's.
    pub fields: u16,
    /// Packed rows of the first `fields` fields.
    pub events: Vec<&'a [u8]>,
}

impl<'a> PushRequest<'a> {
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
pub struct PushReply {
    /// Where the write is and how safe.
    pub receipt: Receipt,
    /// Events accepted.
    pub accepted: u32,
    /// Events whose id arrived before.
    pub duplicate: u32,
    /// Events too old for every window.
    pub late: u32,
    /// Events refused.
    pub rejected: u32,
    /// The events not accepted; empty when the write was applied before.
    pub rejects: Vec<Reject>,
}

impl PushReply {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        self.receipt.encode(out);
        out.u32(self.accepted).u32(self.duplicate).u32(self.late).u32(self.rejected);
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
            accepted: input.u32()?,
            duplicate: input.u32()?,
            late: input.u32()?,
            rejected: input.u32()?,
            rejects: decode_rejects(&mut input)?,
        };
        checked::end(&input)?;
        Ok(reply)
    }
}
