//! Delete: entities of one group, rows or windows.
//!
//! ```text
//! request    handle u64, write options (see `write`), list of keys: short bytes of the canonical key
//! reply      receipt (see `write`), deleted u32 (how many were there), rejected u32, list of rejects
//! ```

use model::limits::BATCH_MAX;
use stdx::cursor::{Reader, Writer};

use super::read::key;
use crate::{
    Error, checked,
    write::{Receipt, Reject, WriteOptions, decode_rejects, encode_rejects},
};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRequest<'a> {
    /// The group: from `prepare`.
    pub handle: u64,
    /// Who writes and how sure they want to be.
    pub options: WriteOptions,
    /// Canonical keys.
    pub keys: Vec<&'a [u8]>,
}

impl<'a> DeleteRequest<'a> {
    /// Appends the body.
    ///
    /// # Panics
    /// When a key has 64 KiB or more.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.handle);
        self.options.encode(out);
        checked::write_count(out, self.keys.len());
        for key in &self.keys {
            checked::write_short(out, key);
        }
    }

    /// Reads a body; keys stay where they are.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let handle = input.u64()?;
        let options = WriteOptions::decode(&mut input)?;
        let keys = checked::list(&mut input, ("keys", BATCH_MAX, 2), key)?;
        checked::end(&input)?;
        Ok(Self { handle, options, keys })
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteReply {
    /// Where the write is and how safe.
    pub receipt: Receipt,
    /// Entities that were there.
    pub deleted: u32,
    /// Keys refused.
    pub rejected: u32,
    /// The refused keys; empty when the write was applied before.
    pub rejects: Vec<Reject>,
}

impl DeleteReply {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        self.receipt.encode(out);
        out.u32(self.deleted).u32(self.rejected);
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
            deleted: input.u32()?,
            rejected: input.u32()?,
            rejects: decode_rejects(&mut input)?,
        };
        checked::end(&input)?;
        Ok(reply)
    }
}
