//! Handles: names that the server turned into numbers, renewed by themselves when definitions change.

use std::sync::Arc;

use model::{definition::Field, key::EntityKey, name::Name, value::DataType};
use protocol::{
    CallStatus, Frame, Opcode, PrepareRequest, Prepared, PreparedColumn, PreparedEntity, SyncLevel,
    Target, WriteOptions,
};
use stdx::{cursor::Writer, sync::Mutex};

use crate::{Error, Key, client::Inner, retry::Doubt};

/// What a server says of a service, group or stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    prepared: Prepared,
    types: Vec<DataType>,
    /// The columns as fields, for writing; empty where names are not plain (`group:feature` of a service).
    fields: Vec<Field>,
}

impl Schema {
    fn new(prepared: Prepared) -> Self {
        let field = |column: &PreparedColumn| {
            let name = Name::new(&column.name)?;
            Ok::<_, model::Error>(Field { name, data_type: column.data_type })
        };
        let fields = prepared.columns.iter().map(field).collect::<Result<_, _>>();
        Self { types: prepared.types(), fields: fields.unwrap_or_default(), prepared }
    }

    /// Version of the definitions.
    #[must_use]
    pub fn catalog_version(&self) -> u64 {
        self.prepared.catalog_version
    }

    /// The entities whose keys a request gives, in order; one for a group, none for a stream.
    #[must_use]
    pub fn entities(&self) -> &[PreparedEntity] {
        &self.prepared.entities
    }

    /// The groups that are read, in order.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.prepared.groups
    }

    /// The values of a vector, the features of a group or the fields of a stream, in order.
    #[must_use]
    pub fn columns(&self) -> &[PreparedColumn] {
        &self.prepared.columns
    }

    /// How many of the last columns are derived.
    #[must_use]
    pub fn derived_count(&self) -> usize {
        self.prepared.derived as usize
    }

    /// The values that come with a read.
    #[must_use]
    pub fn request(&self) -> &[Field] {
        &self.prepared.request
    }

    /// The features of a group or fields of a stream, as a writer gives them.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of a stream that holds the event time.
    #[must_use]
    pub fn event_time(&self) -> Option<&Field> {
        self.prepared.event_time.and_then(|position| self.fields.get(position as usize))
    }

    /// The field of a stream that holds the event id.
    #[must_use]
    pub fn event_id(&self) -> Option<&Field> {
        self.prepared.event_id.and_then(|position| self.fields.get(position as usize))
    }

    /// The position of the column called `name`.
    ///
    /// # Errors
    /// [`model::Error::Invalid`] lists the columns there are.
    pub fn position(&self, name: &str) -> Result<usize, model::Error> {
        let columns = self.columns();
        columns.iter().position(|column| column.name == name).ok_or_else(|| {
            unknown("column", name, columns.iter().map(|column| column.name.as_str()))
        })
    }

    /// The canonical key of the `entity`-th entity.
    pub(crate) fn key(&self, entity: usize, key: Key) -> Result<EntityKey, model::Error> {
        let Some(entity) = self.entities().get(entity) else {
            let allowed = "keys only where an entity is read or written";
            return Err(model::Error::invalid("entity", "", allowed));
        };
        key.encode(&entity.key)
    }

    pub(crate) fn handle(&self) -> u64 {
        self.prepared.handle
    }

    pub(crate) fn types(&self) -> &[DataType] {
        &self.types
    }
}

/// Says that there is no such name, and which there are.
pub(crate) fn unknown<'a>(
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> model::Error {
    const SHOWN: usize = 20;
    let known: Vec<_> = known.collect();
    let list = known.get(..SHOWN).unwrap_or(&known).join(", ");
    let more = if known.len() > SHOWN { ", …" } else { "" };
    model::Error::invalid(what, name, format!("one of {list}{more}"))
}

/// A prepared target and the schema it has just now.
pub(crate) struct Handle {
    pub(crate) client: Arc<Inner>,
    target: Target,
    current: Mutex<Arc<Schema>>,
}

impl Handle {
    pub(crate) async fn prepare(client: Arc<Inner>, target: Target) -> Result<Self, Error> {
        let schema = fetch(&client, &target).await?;
        Ok(Self { client, target, current: Mutex::new(schema) })
    }

    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.current.lock())
    }

    /// Name of what was prepared, for messages.
    pub(crate) fn name(&self) -> String {
        match &self.target {
            Target::Service(name) => format!("service {name}"),
            Target::Features(names) => format!("features {}", names.join(", ")),
            Target::Group(name) => format!("group {name}"),
            Target::Stream(name) => format!("stream {name}"),
        }
    }

    /// Calls with the current handle; when it is stale, prepares again and calls once more. `encode` must cope with a newer
    /// schema or say why it cannot.
    pub(crate) async fn call(
        &self,
        operation: Opcode,
        encode: impl Fn(&Schema, &mut Writer<'_>) -> Result<(), model::Error>,
    ) -> Result<(Frame, Arc<Schema>), Error> {
        let mut doubt = Doubt::default();
        let schema = self.schema();
        let first = self.call_under(&schema, operation, &encode, &mut doubt).await;
        let outcome = match first {
            // Also what follows a server's restart, when the first attempt may have been lost with it.
            Err(error) if error.status() == Some(CallStatus::StaleHandle) => {
                match self.renew(&schema).await {
                    Ok(fresh) => self.call_under(&fresh, operation, &encode, &mut doubt).await,
                    Err(error) => Err(error),
                }
            }
            other => other,
        };
        outcome.map_err(|error| doubt.settle(error))
    }

    async fn call_under(
        &self,
        schema: &Arc<Schema>,
        operation: Opcode,
        encode: impl Fn(&Schema, &mut Writer<'_>) -> Result<(), model::Error>,
        doubt: &mut Doubt,
    ) -> Result<(Frame, Arc<Schema>), Error> {
        let mut body = Vec::new();
        encode(schema, &mut Writer::new(&mut body))?;
        let reply = self.client.call_in_doubt(operation, body, doubt).await?;
        Ok((reply, Arc::clone(schema)))
    }

    /// The schema that follows `stale`: what another call fetched meanwhile, or a new one.
    async fn renew(&self, stale: &Arc<Schema>) -> Result<Arc<Schema>, Error> {
        let current = self.schema();
        if !Arc::ptr_eq(&current, stale) {
            return Ok(current);
        }
        let fresh = fetch(&self.client, &self.target).await?;
        *self.current.lock() = Arc::clone(&fresh);
        Ok(fresh)
    }

    /// Calls a write under `given` or the client's next number. The number is the same in every attempt.
    pub(crate) async fn write(
        &self,
        operation: Opcode,
        (sync, given): (Option<SyncLevel>, Option<u64>),
        encode: impl Fn(&Schema, WriteOptions, &mut Writer<'_>) -> Result<(), model::Error>,
    ) -> Result<Frame, Error> {
        let own = match given {
            Some(_) => None,
            None => Some(self.client.sequences.next().await),
        };
        let sequence = given.or(own.as_ref().map(|own| own.number())).unwrap_or_default();
        let options = WriteOptions { sync, producer: self.client.config.producer, sequence };
        let reply = self.call(operation, |schema, out| encode(schema, options, out)).await;
        reply.map(|(frame, _)| frame)
    }
}

async fn fetch(client: &Inner, target: &Target) -> Result<Arc<Schema>, Error> {
    let request = PrepareRequest { target: target.clone() };
    let reply = client.call_with(Opcode::Prepare, |out| request.encode(out)).await?;
    client.decoded(Prepared::decode(reply.body())).map(|prepared| Arc::new(Schema::new(prepared)))
}
