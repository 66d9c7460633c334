//! Pushing events into a stream, and taking them back.

use std::sync::Arc;
use std::time::Duration;

use model::value::Value;
use protocol::{
    Opcode, PushReply, PushRequest, RetractReply, RetractRequest, SyncLevel, WriteOptions,
};
use stdx::cursor::Writer;

use crate::{
    Error, Input,
    group::{check_batch, pack_cells, set_cell},
    prepared::{Handle, Manner, Schema},
};

/// A prepared stream. Stays valid when definitions change. Clones share one handle.
#[derive(Clone)]
pub struct StreamWriter {
    handle: Arc<Handle>,
    manner: Manner,
}

impl StreamWriter {
    pub(crate) fn new(handle: Arc<Handle>) -> Self {
        Self { handle, manner: Manner::default() }
    }

    /// Asks that every push be at least this safe before it is acknowledged; the server's policy may give more.
    #[must_use]
    pub fn sync(mut self, level: SyncLevel) -> Self {
        self.manner.sync = Some(level);
        self
    }

    /// How long every push may take in all, instead of the client's request timeout.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.manner.timeout = Some(timeout);
        self
    }

    /// Its fields just now.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        self.handle.schema()
    }

    /// An event to fill.
    pub fn event(&self) -> Event {
        let schema = self.handle.schema();
        let cells = vec![None; schema.fields().len()];
        Event { schema, cells, error: None }
    }

    /// Pushes events. Each is refused or accepted on its own; the reply says which and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an event that was filled wrongly (nothing is sent then); others see [`Error`].
    pub async fn push(&self, events: impl IntoIterator<Item = Event>) -> Result<PushReply, Error> {
        let (fields, packed) = self.pack(events)?;
        let rows: Vec<_> = packed.iter().map(Vec::as_slice).collect();
        self.push_packed(fields, &rows, None).await
    }

    /// Pushes events that are packed already, each holding the first `fields` fields. `sequence` is the number of this write
    /// when the caller numbers its writes itself (see [`crate::ClientBuilder::producer`]); otherwise the client does.
    ///
    /// # Errors
    /// As [`StreamWriter::push`].
    pub async fn push_packed(
        &self,
        fields: usize,
        events: &[&[u8]],
        sequence: Option<u64>,
    ) -> Result<PushReply, Error> {
        check_batch(events.len(), "events")?;
        let fields = u16::try_from(fields).unwrap_or(u16::MAX);
        let encode = |schema: &Schema, options: WriteOptions, out: &mut Writer<'_>| {
            let (handle, events) = (schema.handle(), events.to_vec());
            PushRequest { handle, options, fields, events }.encode(out);
            Ok(())
        };
        let reply = self.handle.write(Opcode::Push, (self.manner, sequence), encode).await?;
        self.handle.client.decoded(PushReply::decode(reply.body()))
    }

    /// Takes events back, of a stream that declares `retract = true`: each must carry its event id, its event time and the key
    /// fields it was pushed with, and lie within the stream's horizon. Each is refused or retracted on its own; the reply says
    /// which and why. A corrected event may then be pushed under the same id.
    ///
    /// # Errors
    /// As [`StreamWriter::push`]; [`Error::Fix`] when the stream does not declare `retract`.
    pub async fn retract(
        &self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<RetractReply, Error> {
        let (fields, packed) = self.pack(events)?;
        let rows: Vec<_> = packed.iter().map(Vec::as_slice).collect();
        self.retract_packed(fields, &rows, None).await
    }

    /// Takes events back that are packed already; see [`StreamWriter::retract`] and [`StreamWriter::push_packed`].
    ///
    /// # Errors
    /// As [`StreamWriter::retract`].
    pub async fn retract_packed(
        &self,
        fields: usize,
        events: &[&[u8]],
        sequence: Option<u64>,
    ) -> Result<RetractReply, Error> {
        check_batch(events.len(), "events")?;
        let fields = u16::try_from(fields).unwrap_or(u16::MAX);
        let encode = |schema: &Schema, options: WriteOptions, out: &mut Writer<'_>| {
            let (handle, events) = (schema.handle(), events.to_vec());
            RetractRequest { handle, options, fields, events }.encode(out);
            Ok(())
        };
        let reply = self.handle.write(Opcode::Retract, (self.manner, sequence), encode).await?;
        self.handle.client.decoded(RetractReply::decode(reply.body()))
    }

    /// Events as bytes, and how many fields each holds.
    fn pack(
        &self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<(usize, Vec<Vec<u8>>), Error> {
        let events: Vec<_> = events.into_iter().collect();
        let fields = events.first().map_or(0, |event| event.cells.len());
        if events.iter().any(|event| event.cells.len() != fields) {
            let allowed = "made after the definitions changed: make all events again";
            return Err(model::Error::invalid("events", self.handle.name(), allowed).into());
        }
        let packed = events.into_iter().map(Event::pack).collect::<Result<_, _>>()?;
        Ok((fields, packed))
    }
}

/// One event to push or retract. Errors of its parts are kept until then.
#[derive(Debug, Clone)]
#[must_use]
pub struct Event {
    schema: Arc<Schema>,
    cells: Vec<Option<Option<Value>>>,
    error: Option<model::Error>,
}

impl Event {
    /// Sets a field. What is not set is null.
    pub fn set(mut self, field: &str, value: impl Into<Input>) -> Self {
        let result = set_cell(&self.schema, &mut self.cells, field, value.into());
        self.error = self.error.or(result.err());
        self
    }

    /// The event as bytes, for [`StreamWriter::push_packed`].
    ///
    /// # Errors
    /// The first thing that was set wrongly.
    pub fn pack(self) -> Result<Vec<u8>, model::Error> {
        match self.error {
            Some(error) => Err(error),
            None => pack_cells(&self.schema, &self.cells),
        }
    }
}
