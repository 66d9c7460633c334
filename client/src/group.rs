//! Writing to a group: rows put, entities deleted; and its pages scanned.

use std::sync::Arc;
use std::time::Duration;

use model::{
    key::EntityKey,
    limits::BATCH_MAX,
    packed_row::{self, Cell},
    value::Value,
};
use protocol::{
    DeleteReply, DeleteRequest, Opcode, PutReply, PutRequest, PutRow, SyncLevel, WriteOptions,
};
use stdx::cursor::Writer;

use crate::{
    Error, Input, Key, Scan,
    prepared::{Handle, Manner, Schema},
};

/// A prepared group. Stays valid when definitions change. Clones share one handle.
#[derive(Clone)]
pub struct GroupWriter {
    handle: Arc<Handle>,
    manner: Manner,
}

impl GroupWriter {
    pub(crate) fn new(handle: Arc<Handle>) -> Self {
        Self { handle, manner: Manner::default() }
    }

    /// Asks that every write be at least this safe before it is acknowledged; the server's policy may give more.
    #[must_use]
    pub fn sync(mut self, level: SyncLevel) -> Self {
        self.manner.sync = Some(level);
        self
    }

    /// How long every write may take in all, instead of the client's request timeout.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.manner.timeout = Some(timeout);
        self
    }

    /// Its entity and features just now.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        self.handle.schema()
    }

    /// A row to fill.
    pub fn row(&self) -> Row {
        let schema = self.handle.schema();
        let cells = vec![None; schema.fields().len()];
        Row { schema, key: None, event_time: None, cells, error: None }
    }

    /// Puts rows. Each is refused or applied on its own; the reply says which and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a row that was filled wrongly (nothing is sent then); others see [`Error`].
    pub async fn put(&self, rows: impl IntoIterator<Item = Row>) -> Result<PutReply, Error> {
        let packed: Vec<_> = rows.into_iter().map(Row::pack).collect::<Result<_, _>>()?;
        let features = packed.iter().map(|row| row.features).min().unwrap_or(0);
        if packed.iter().any(|row| row.features != features) {
            let allowed = "made after the definitions changed: make all rows again";
            return Err(model::Error::invalid("rows", self.handle.name(), allowed).into());
        }
        let rows: Vec<_> = packed.iter().map(PackedRow::as_put).collect();
        self.put_packed(features, &rows, None).await
    }

    /// Puts rows that are packed already, each holding the first `features` features. `sequence` is the number of this write
    /// when the caller numbers its writes itself (see [`crate::ClientBuilder::producer`]); otherwise the client does.
    ///
    /// # Errors
    /// As [`GroupWriter::put`].
    pub async fn put_packed(
        &self,
        features: usize,
        rows: &[PutRow<'_>],
        sequence: Option<u64>,
    ) -> Result<PutReply, Error> {
        check_batch(rows.len(), "rows")?;
        let features = u16::try_from(features).unwrap_or(u16::MAX);
        let encode = |schema: &Schema, options: WriteOptions, out: &mut Writer<'_>| {
            let (handle, rows) = (schema.handle(), rows.to_vec());
            PutRequest { handle, options, features, rows }.encode(out);
            Ok(())
        };
        let reply = self.handle.write(Opcode::Put, (self.manner, sequence), encode).await?;
        self.handle.client.decoded(PutReply::decode(reply.body()))
    }

    /// Deletes entities from the group. The reply says how many were there.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a key that does not fit (nothing is sent then); others see [`Error`].
    pub async fn delete<K: Into<Key>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<DeleteReply, Error> {
        let schema = self.handle.schema();
        let keys: Vec<EntityKey> =
            keys.into_iter().map(|key| schema.key(0, key.into())).collect::<Result<_, _>>()?;
        check_batch(keys.len(), "keys")?;
        let encode = |schema: &Schema, options: WriteOptions, out: &mut Writer<'_>| {
            let keys = keys.iter().map(EntityKey::as_bytes).collect();
            DeleteRequest { handle: schema.handle(), options, keys }.encode(out);
            Ok(())
        };
        let reply = self.handle.write(Opcode::Delete, (self.manner, None), encode).await?;
        self.handle.client.decoded(DeleteReply::decode(reply.body()))
    }

    /// Scans the group, `page` entities at a time.
    #[must_use]
    pub fn scan(&self, page: u32) -> Scan {
        Scan::new(Arc::clone(&self.handle), page)
    }
}

/// Refuses a batch that the server would refuse.
pub(crate) fn check_batch(count: usize, what: &str) -> Result<(), Error> {
    if count <= BATCH_MAX {
        return Ok(());
    }
    let allowed = format!("at most {BATCH_MAX} in one request: send several");
    Err(model::Error::invalid("batch", format!("{count} {what}"), allowed).into())
}

/// One row to put. Errors of its parts are kept until it is put.
#[derive(Debug, Clone)]
#[must_use]
pub struct Row {
    schema: Arc<Schema>,
    key: Option<EntityKey>,
    event_time: Option<i64>,
    cells: Vec<Option<Option<Value>>>,
    error: Option<model::Error>,
}

impl Row {
    /// Whose row it is.
    pub fn key(mut self, key: impl Into<Key>) -> Self {
        match self.schema.key(0, key.into()) {
            Ok(key) => self.key = Some(key),
            Err(error) => self.error = self.error.or(Some(error)),
        }
        self
    }

    /// Its event time in ms; the server's now by default.
    pub fn at(mut self, event_time: i64) -> Self {
        self.event_time = Some(event_time);
        self
    }

    /// Sets a feature. What is not set stays as it is stored.
    pub fn set(mut self, feature: &str, value: impl Into<Input>) -> Self {
        let result = set_cell(&self.schema, &mut self.cells, feature, value.into());
        self.error = self.error.or(result.err());
        self
    }

    /// Sets a feature to null.
    pub fn set_null(self, feature: &str) -> Self {
        self.set(feature, Input::Null)
    }

    /// The row as bytes, for [`GroupWriter::put_packed`].
    ///
    /// # Errors
    /// The first thing that was set wrongly, or a missing key.
    pub fn pack(self) -> Result<PackedRow, model::Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let Some(key) = self.key else {
            return Err(model::Error::invalid("row", "without a key", "key(…) says whose it is"));
        };
        let row = pack_cells(&self.schema, &self.cells)?;
        Ok(PackedRow { key, event_time: self.event_time, row, features: self.cells.len() })
    }
}

/// Converts `value` to the type of `field` and puts it into its cell.
pub(crate) fn set_cell(
    schema: &Schema,
    cells: &mut [Option<Option<Value>>],
    field: &str,
    value: Input,
) -> Result<(), model::Error> {
    let position = schema.position(field)?;
    let (Some(column), Some(cell)) = (schema.columns().get(position), cells.get_mut(position))
    else {
        return Ok(());
    };
    *cell = Some(value.convert(field, column.data_type)?);
    Ok(())
}

/// The packed row of `cells`.
pub(crate) fn pack_cells(
    schema: &Schema,
    cells: &[Option<Option<Value>>],
) -> Result<Vec<u8>, model::Error> {
    let mut row = Vec::new();
    let cells = cells.iter().map(|cell| match cell {
        None => Cell::Absent,
        Some(None) => Cell::Null,
        Some(Some(value)) => Cell::Value(value.borrow()),
    });
    packed_row::write_row(&mut row, schema.fields(), cells)?;
    Ok(row)
}

/// A row as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedRow {
    /// Whose it is.
    pub key: EntityKey,
    /// Its event time in ms; `None` is the server's now.
    pub event_time: Option<i64>,
    /// Packed as `model::packed_row` says.
    pub row: Vec<u8>,
    /// How many features it holds.
    pub features: usize,
}

impl PackedRow {
    /// As a row of a request.
    #[must_use]
    pub fn as_put(&self) -> PutRow<'_> {
        PutRow { key: self.key.as_bytes(), event_time: self.event_time, row: &self.row }
    }
}
