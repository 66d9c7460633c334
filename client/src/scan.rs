//! Scanning a group page by page.

use std::sync::Arc;

use model::{
    Error as ModelError,
    column::Column,
    key::{self, KeyPart, KeyType},
    status::Status,
    value::ValueRef,
};
use protocol::{Opcode, ScanReply, ScanRequest};

use crate::{Error, Schema, prepared::Handle};

/// A scan under way. An entity written or deleted meanwhile may or may not be seen; every other one is seen once.
pub struct Scan {
    handle: Arc<Handle>,
    page: u32,
    /// Where to go on; `None` at the end.
    cursor: Option<Vec<u8>>,
}

impl Scan {
    pub(crate) fn new(handle: Arc<Handle>, page: u32) -> Self {
        Self { handle, page, cursor: Some(Vec::new()) }
    }

    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// See [`Error`]. The same page may be asked for again.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let answer = self
            .handle
            .call(Opcode::Scan, |schema, out| {
                ScanRequest { handle: schema.handle(), cursor, limit: self.page }.encode(out);
                Ok(())
            })
            .await?;
        let schema = answer.schema;
        let decoded = ScanReply::decode(answer.reply.body(), schema.types());
        let mut reply = self.handle.client.decoded(decoded)?;
        self.cursor = reply.next.take();
        Ok(Some(Page { schema, reply }))
    }
}

/// Some entities of a group with what is stored of them.
#[derive(Debug, Clone)]
pub struct Page {
    schema: Arc<Schema>,
    reply: ScanReply,
}

impl Page {
    /// Number of entities.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reply.keys.len()
    }

    /// True without entities.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reply.keys.is_empty()
    }

    /// Entity and features of the group.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The parts of the `row`-th key.
    ///
    /// # Errors
    /// [`ModelError`] when there is no such row or the server sent no key.
    pub fn key(&self, row: usize) -> Result<Vec<KeyPart>, ModelError> {
        let key = self.reply.keys.get(row).map(|key| &**key).unwrap_or_default();
        key::decode_parts(key, self.key_types())
    }

    /// The `row`-th key as people read it: its parts joined by `|`.
    #[must_use]
    pub fn key_text(&self, row: usize) -> String {
        let key = self.reply.keys.get(row).map(|key| &**key).unwrap_or_default();
        key::format_key(key, self.key_types())
    }

    fn key_types(&self) -> &[KeyType] {
        self.schema.entities().first().map_or(&[], |entity| entity.key.as_slice())
    }

    /// The event time in ms of the `row`-th entity's row; `None` for windows.
    #[must_use]
    pub fn event_time(&self, row: usize) -> Option<i64> {
        self.reply.event_times.get(row).copied().filter(|time| *time != i64::MIN)
    }

    /// Name, status and value of everything in the `row`-th entity's row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (&str, Status, Option<ValueRef<'_>>)> {
        self.schema.columns().iter().zip(&self.reply.columns).filter_map(move |(column, values)| {
            let (status, value) = values.get(row).ok()?;
            Some((column.name.as_str(), status, value))
        })
    }

    /// The values column by column, as they came.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.reply.columns
    }
}
