//! Handles: names that the server turned into numbers, renewed by themselves when definitions change.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use model::{definition::Field, key::EntityKey, name::Name, value::DataType};
use protocol::{
    CallStatus, Frame, Opcode, PrepareRequest, Prepared, PreparedColumn, PreparedEntity, SyncLevel,
    Target, WriteOptions,
};
use stdx::{cursor::Writer, sync::Mutex};
use tokio::time::{Instant, sleep};

use crate::{
    Error, Hedge, Key,
    call::{Call, checked_body},
    client::Inner,
    deadline::Deadline,
    endpoint::Route,
    hedge::Latencies,
};

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

/// A prepared target and the schemas it has just now: handles are numbers of one server, so each address has its own.
pub(crate) struct Handle {
    pub(crate) client: Arc<Inner>,
    request: PrepareRequest,
    schemas: Mutex<Schemas>,
    latencies: Latencies,
}

struct Schemas {
    latest: Arc<Schema>,
    /// By address; those that were asked.
    of: Vec<Option<Arc<Schema>>>,
}

/// How a writer writes, where it was told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// How safe a write is to be before it is acknowledged, at least.
    pub(crate) sync: Option<SyncLevel>,
    /// How long one may take, instead of the client's request timeout.
    pub(crate) timeout: Option<Duration>,
}

/// A reply, and the schema its request was made under.
pub(crate) struct Answer<T> {
    pub(crate) reply: T,
    pub(crate) schema: Arc<Schema>,
}

/// How a request's body is written under a schema: it must cope with a newer one or say why it cannot.
pub(crate) trait Encode: Fn(&Schema, &mut Writer<'_>) -> Result<(), model::Error> {}
impl<F: Fn(&Schema, &mut Writer<'_>) -> Result<(), model::Error>> Encode for F {}

/// How a reply is read, before anybody says that the address works: bytes that make no sense are a failure of it.
pub(crate) trait Decode<T>: Fn(&Schema, Frame) -> Result<T, protocol::Error> {}
impl<T, F: Fn(&Schema, Frame) -> Result<T, protocol::Error>> Decode<T> for F {}

impl Handle {
    pub(crate) async fn prepare(
        client: Arc<Inner>,
        request: PrepareRequest,
    ) -> Result<Self, Error> {
        let timeout = client.config.request_timeout;
        let mut call =
            Call::new(&client, Opcode::Prepare, timeout).anywhere(is_read(&request.target));
        let (index, schema) = loop {
            let error = match prepare_once(&call, &request).await {
                Ok(prepared) => break prepared,
                Err(error) => error,
            };
            call.again(error.1, error.0).await?;
        };
        let mut of = vec![None; client.endpoints.count()];
        if let Some(place) = of.get_mut(index) {
            *place = Some(Arc::clone(&schema));
        }
        let schemas = Mutex::new(Schemas { latest: schema, of });
        Ok(Self { client, request, schemas, latencies: Latencies::new() })
    }

    /// What was heard last.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schemas.lock().latest)
    }

    /// Name of what was prepared, for messages.
    pub(crate) fn name(&self) -> String {
        match &self.request.target {
            Target::Service(name) => format!("service {name}"),
            Target::Features(names) => format!("features {}", names.join(", ")),
            Target::Group(name) => format!("group {name}"),
            Target::Stream(name) => format!("stream {name}"),
        }
    }

    /// Calls with the current handle, within the request timeout; when it is stale, prepares again and calls once more.
    pub(crate) async fn call(
        &self,
        operation: Opcode,
        encode: impl Encode,
    ) -> Result<Answer<Frame>, Error> {
        let timeout = self.client.config.request_timeout;
        let decode = |_: &Schema, reply: Frame| Ok::<_, protocol::Error>(reply);
        self.call_within(operation, timeout, Hedge::Never, (&encode, &decode)).await
    }

    /// As [`Handle::call`], with a timeout of its own, and perhaps a second request beside a slow one.
    pub(crate) async fn call_within<T>(
        &self,
        operation: Opcode,
        timeout: Duration,
        hedge: Hedge,
        body: (&impl Encode, &impl Decode<T>),
    ) -> Result<Answer<T>, Error> {
        let call =
            Call::new(&self.client, operation, timeout).anywhere(is_read(&self.request.target));
        self.run(call, hedge, body).await
    }

    async fn run<T>(
        &self,
        mut call: Call<'_>,
        hedge: Hedge,
        body: (&impl Encode, &impl Decode<T>),
    ) -> Result<Answer<T>, Error> {
        loop {
            let (error, index) = match call.route() {
                Err(error) => (error, None),
                Ok((route, deadline)) => {
                    let index = route.index();
                    match self.attempt(&call, route, deadline, hedge, body).await {
                        Ok(answer) => return Ok(answer),
                        Err(error) => (error, Some(index)),
                    }
                }
            };
            call.again(error, index).await?;
        }
    }

    /// One attempt, and perhaps a second request beside it: the first answer counts.
    async fn attempt<T>(
        &self,
        call: &Call<'_>,
        first: Route<'_>,
        deadline: Deadline,
        hedge: Hedge,
        body: (&impl Encode, &impl Decode<T>),
    ) -> Result<Answer<T>, Error> {
        if hedge == Hedge::Never {
            return self.on(&first, call, deadline, body).await;
        }
        self.client.hedges.earn();
        let begun = Instant::now();
        let outcome = match hedge.delay(&self.latencies) {
            None => self.on(&first, call, deadline, body).await,
            Some(delay) => self.hedged(call, &first, (deadline, delay), body).await,
        };
        // What took too long took at least as long.
        if matches!(outcome, Ok(_) | Err(Error::Timeout { .. })) {
            self.latencies.note(begun.elapsed());
        }
        outcome
    }

    async fn hedged<T>(
        &self,
        call: &Call<'_>,
        first: &Route<'_>,
        (deadline, delay): (Deadline, Duration),
        body: (&impl Encode, &impl Decode<T>),
    ) -> Result<Answer<T>, Error> {
        let mut one = pin!(self.on(first, call, deadline, body));
        tokio::select! {
            biased;
            outcome = &mut one => return outcome,
            () = sleep(delay) => {}
        }
        let second = self.client.endpoints.pick_beside(first);
        let Some(second) = second.filter(|_| self.client.hedges.spend()) else {
            return one.await;
        };
        let mut two = pin!(self.on(&second, call, deadline, body));
        // Whichever fails leaves the outcome to the other.
        tokio::select! {
            outcome = &mut one => if outcome.is_ok() { outcome } else { two.await },
            outcome = &mut two => {
                if outcome.is_err() {
                    return one.await;
                }
                if second.index() != first.index() {
                    first.overtaken(call.operation);
                }
                outcome
            }
        }
    }

    /// One request on `route`, prepared there before if need be.
    async fn on<T>(
        &self,
        route: &Route<'_>,
        call: &Call<'_>,
        deadline: Deadline,
        body: (&impl Encode, &impl Decode<T>),
    ) -> Result<Answer<T>, Error> {
        let outcome = self.on_current(route, call, deadline, body).await;
        route.settle(call.operation, &outcome);
        outcome
    }

    async fn on_current<T>(
        &self,
        route: &Route<'_>,
        call: &Call<'_>,
        deadline: Deadline,
        body: (&impl Encode, &impl Decode<T>),
    ) -> Result<Answer<T>, Error> {
        let known = self.known(route.index());
        let schema = match &known {
            Some(schema) => Arc::clone(schema),
            None => self.renew(route, call, deadline, None).await?,
        };
        match under(&schema, route, call, deadline, body).await {
            // Also what follows a server's restart, when an earlier attempt may have been lost with it.
            Err(error) if error.status() == Some(CallStatus::StaleHandle) && known.is_some() => {
                let fresh = self.renew(route, call, deadline, Some(&schema)).await?;
                under(&fresh, route, call, deadline, body).await
            }
            other => other,
        }
    }

    fn known(&self, index: usize) -> Option<Arc<Schema>> {
        self.schemas.lock().of.get(index).cloned().flatten()
    }

    /// The schema at `route` that follows `stale`: what another call fetched meanwhile, or a new one.
    async fn renew(
        &self,
        route: &Route<'_>,
        call: &Call<'_>,
        deadline: Deadline,
        stale: Option<&Arc<Schema>>,
    ) -> Result<Arc<Schema>, Error> {
        let index = route.index();
        let current = self.known(index);
        if let Some(current) = current.filter(|it| stale.is_none_or(|old| !Arc::ptr_eq(it, old))) {
            return Ok(current);
        }
        let fresh = fetch(call, route, deadline, &self.request).await?;
        let mut schemas = self.schemas.lock();
        schemas.latest = Arc::clone(&fresh);
        if let Some(place) = schemas.of.get_mut(index) {
            *place = Some(Arc::clone(&fresh));
        }
        Ok(fresh)
    }

    /// Calls a write under `given` or the client's next number. The number is the same in every attempt.
    pub(crate) async fn write(
        &self,
        operation: Opcode,
        (manner, given): (Manner, Option<u64>),
        encode: impl Fn(&Schema, WriteOptions, &mut Writer<'_>) -> Result<(), model::Error>,
    ) -> Result<Frame, Error> {
        let timeout = manner.timeout.unwrap_or(self.client.config.request_timeout);
        let call = Call::new(&self.client, operation, timeout);
        let own = match given {
            Some(_) => None,
            None => {
                let next = call.deadline().hold(self.client.sequences.next()).await;
                Some(next.ok_or_else(|| call.expired())?)
            }
        };
        let sequence = given.or(own.as_ref().map(|own| own.number())).unwrap_or_default();
        let sync = manner.sync;
        let options = WriteOptions { sync, producer: self.client.config.producer, sequence };
        let encode = |schema: &Schema, out: &mut Writer<'_>| encode(schema, options, out);
        let decode = |_: &Schema, reply: Frame| Ok::<_, protocol::Error>(reply);
        self.run(call, Hedge::Never, (&encode, &decode)).await.map(|answer| answer.reply)
    }
}

/// True for what is only ever read, as vectors.
fn is_read(target: &Target) -> bool {
    matches!(target, Target::Service(_) | Target::Features(_))
}

/// One request under `schema`.
async fn under<T>(
    schema: &Arc<Schema>,
    route: &Route<'_>,
    call: &Call<'_>,
    deadline: Deadline,
    (encode, decode): (&impl Encode, &impl Decode<T>),
) -> Result<Answer<T>, Error> {
    let mut body = Vec::new();
    encode(schema, &mut Writer::new(&mut body))?;
    let reply = call.send(route, call.operation, checked_body(body)?, deadline).await?;
    let reply = call.client.decoded_from(route.index(), decode(schema, reply))?;
    Ok(Answer { reply, schema: Arc::clone(schema) })
}

/// One attempt to prepare `target` wherever `call` leads, and where that was.
async fn prepare_once(
    call: &Call<'_>,
    request: &PrepareRequest,
) -> Result<(usize, Arc<Schema>), (Option<usize>, Error)> {
    let (route, deadline) = call.route().map_err(|error| (None, error))?;
    let outcome = fetch(call, &route, deadline, request).await;
    route.settle(call.operation, &outcome);
    let index = route.index();
    outcome.map(|schema| (index, schema)).map_err(|error| (Some(index), error))
}

async fn fetch(
    call: &Call<'_>,
    route: &Route<'_>,
    deadline: Deadline,
    request: &PrepareRequest,
) -> Result<Arc<Schema>, Error> {
    let mut body = Vec::new();
    request.encode(&mut Writer::new(&mut body));
    let reply = call.send(route, Opcode::Prepare, checked_body(body)?, deadline).await?;
    let prepared = call.client.decoded_from(route.index(), Prepared::decode(reply.body()))?;
    Ok(Arc::new(Schema::new(prepared)))
}
