//! Reading vectors: a prepared service, and one read of any number of key tuples.

use std::sync::Arc;
use std::time::Duration;

use model::{
    key::EntityKey,
    packed_row::{self, Cell},
    value::Value,
};
use protocol::{Frame, Opcode, ReadOptions, ReadReply, ReadRequest};
use stdx::cursor::Writer;

use crate::{
    Error, Hedge, Input, Key, OnMissing, Vectors,
    degrade::Policy,
    prepared::{Handle, Schema, unknown},
};

/// A prepared service or list of features. Stays valid when definitions change. Clones share one handle.
#[derive(Clone)]
pub struct ServiceReader {
    handle: Arc<Handle>,
    policy: Policy,
}

impl ServiceReader {
    pub(crate) fn new(handle: Arc<Handle>) -> Self {
        let policy = Policy::none(handle.schema());
        Self { handle, policy }
    }

    /// Sets a default for the value called `name`, for all reads made from here on: see [`OnMissing::Default`] and
    /// [`Read::or_defaults`].
    ///
    /// # Errors
    /// [`Error::Invalid`] when nothing is called so, or the default is of another type.
    pub fn default_value(mut self, name: &str, value: impl Into<Input>) -> Result<Self, Error> {
        self.policy.set(name, value.into())?;
        Ok(self)
    }

    /// What all reads made from here on do about missing values.
    #[must_use]
    pub fn on_missing(mut self, on_missing: OnMissing) -> Self {
        self.policy.on_missing = on_missing;
        self
    }

    /// All reads made from here on are as after [`Read::or_defaults`].
    #[must_use]
    pub fn or_defaults(mut self) -> Self {
        self.policy.or_defaults = true;
        self
    }

    /// What it reads just now.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        self.handle.schema()
    }

    /// A read to fill with keys.
    pub fn read(&self) -> Read {
        let schema = self.handle.schema();
        Read {
            shared: Values::none(&schema),
            handle: Arc::clone(&self.handle),
            schema,
            keys: Vec::new(),
            tuple: Vec::new(),
            own: Vec::new(),
            options: ReadOptions::default(),
            policy: self.policy.clone(),
            timeout: self.handle.client.config.request_timeout,
            hedge: self.handle.client.config.hedge,
            error: None,
        }
    }
}

/// Values that come with a read, one place for each the service declares.
#[derive(Debug, Clone)]
struct Values(Vec<Option<Option<Value>>>);

impl Values {
    fn none(schema: &Schema) -> Self {
        Self(vec![None; schema.request().len()])
    }

    fn is_none(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// One read. Errors of its parts are kept until [`Read::send`].
#[must_use]
pub struct Read {
    handle: Arc<Handle>,
    schema: Arc<Schema>,
    /// Whole tuples, in schema order.
    keys: Vec<EntityKey>,
    /// The tuple being filled.
    tuple: Vec<Option<EntityKey>>,
    /// Request values given before the first key: for every tuple.
    shared: Values,
    /// Request values given after a key: for the tuple it belongs to.
    own: Vec<(usize, Values)>,
    options: ReadOptions,
    policy: Policy,
    timeout: Duration,
    hedge: Hedge,
    error: Option<Error>,
}

impl Read {
    /// Gives the key of `entity`. When every entity has its key, the next one begins another tuple.
    pub fn key(mut self, entity: &str, key: impl Into<Key>) -> Self {
        let entities = self.schema.entities();
        let Some(position) = entities.iter().position(|candidate| candidate.name == entity) else {
            let error = unknown("entity", entity, entities.iter().map(|it| it.name.as_str()));
            return self.fail(error);
        };
        self.tuple.resize(entities.len(), None);
        match (self.schema.key(position, key.into()), self.tuple.get_mut(position)) {
            (Ok(key), Some(place @ None)) => *place = Some(key),
            (Ok(_), _) => {
                let allowed = "once in a tuple: give the keys of its other entities first";
                return self.fail(model::Error::invalid("entity", entity, allowed));
            }
            (Err(error), _) => return self.fail(error),
        }
        if self.tuple.iter().all(Option::is_some) {
            self.keys.extend(self.tuple.drain(..).flatten());
        }
        self
    }

    /// Gives the keys of many tuples of a service with one entity.
    pub fn keys<K: Into<Key>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        let entities = self.schema.entities();
        if entities.len() != 1 {
            let names: Vec<_> = entities.iter().map(|entity| entity.name.as_str()).collect();
            let allowed = format!("one for each of {}: use key(entity, key)", names.join(", "));
            return self.fail(model::Error::invalid("keys", "without an entity", allowed));
        }
        for key in keys {
            match self.schema.key(0, key.into()) {
                Ok(key) => self.keys.push(key),
                Err(error) => return self.fail(error),
            }
        }
        self
    }

    /// Gives a request value: before the first key for every tuple, after a key for that key's tuple.
    pub fn request(mut self, name: &str, value: impl Into<Input>) -> Self {
        let fields = self.schema.request();
        let mut places = fields.iter().enumerate();
        let Some((position, field)) = places.find(|(_, field)| field.name.as_str() == name) else {
            let known = fields.iter().map(|field| field.name.as_str());
            let error = unknown("request value", name, known);
            return self.fail(error);
        };
        let value = match value.into().convert(&format!("request.{name}"), field.data_type) {
            Ok(value) => value,
            Err(error) => return self.fail(error),
        };
        let values = match self.current_tuple() {
            None => &mut self.shared,
            Some(tuple) => {
                if self.own.last().is_none_or(|(last, _)| *last != tuple) {
                    self.own.push((tuple, self.shared.clone()));
                }
                match self.own.last_mut() {
                    Some((_, values)) => values,
                    None => return self,
                }
            }
        };
        if let Some(place) = values.0.get_mut(position) {
            *place = Some(value);
        }
        self
    }

    /// The tuple that the last key belongs to.
    fn current_tuple(&self) -> Option<usize> {
        let whole = self.tuples();
        if self.tuple.is_empty() { whole.checked_sub(1) } else { Some(whole) }
    }

    fn tuples(&self) -> usize {
        self.keys.len() / self.schema.entities().len().max(1)
    }

    /// Asks about the time `as_of`, in ms; now by default.
    pub fn as_of(mut self, as_of: i64) -> Self {
        self.options.as_of = Some(as_of);
        self
    }

    /// Events exactly at the as-of do not count: for a row that is itself an event.
    pub fn exclusive(mut self) -> Self {
        self.options.exclusive = true;
        self
    }

    /// An as-of that is too old is answered at the oldest time that can be answered, and flagged.
    pub fn snap(mut self) -> Self {
        self.options.snap = true;
        self
    }

    /// Also returns event times of groups and starts of windows.
    pub fn times(mut self) -> Self {
        self.options.times = true;
        self
    }

    /// How long this read may take in all, instead of the client's request timeout.
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// When this read goes out a second time, instead of what the client was built with.
    pub fn hedge(mut self, hedge: Hedge) -> Self {
        self.hedge = hedge;
        self
    }

    /// What this read does about missing values.
    pub fn on_missing(mut self, on_missing: OnMissing) -> Self {
        self.policy.on_missing = on_missing;
        self
    }

    /// Sets a default for the value called `name`; see [`ServiceReader::default_value`].
    pub fn default_value(mut self, name: &str, value: impl Into<Input>) -> Self {
        match self.policy.set(name, value.into()) {
            Ok(()) => self,
            Err(error) => self.fail(error),
        }
    }

    /// When the read fails because the server does not answer, does not answer in time, is left alone by the circuit breaker or
    /// cannot do its part, it gives vectors of nothing but defaults, every value with status ERROR, and [`Vectors::failure`] says
    /// why. A request that is wrong fails as ever.
    pub fn or_defaults(mut self) -> Self {
        self.policy.or_defaults = true;
        self
    }

    fn fail(mut self, error: model::Error) -> Self {
        self.error.get_or_insert(Error::Invalid(error));
        self
    }

    /// Reads: one vector for each tuple, in the order given.
    ///
    /// # Errors
    /// [`Error::Invalid`] for keys or values that do not fit; [`Error::Missing`] with [`OnMissing::Error`]; others see [`Error`].
    pub async fn send(mut self) -> Result<Vectors, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if !self.tuple.is_empty() || self.keys.is_empty() {
            return Err(Error::Invalid(self.missing_keys()));
        }
        match self.ask().await {
            Ok(vectors) => self.policy.judge(vectors),
            Err(error) => {
                let (schema, as_of) = (&self.schema, self.options.as_of);
                self.policy.instead(error, schema, self.tuples(), as_of)
            }
        }
    }

    async fn ask(&self) -> Result<Vectors, Error> {
        let rows = self.request_rows()?;
        let entities = u16::try_from(self.schema.entities().len()).unwrap_or(u16::MAX);
        let encode = |schema: &Schema, out: &mut Writer<'_>| {
            self.check_same_inputs(schema)?;
            let request = ReadRequest {
                handle: schema.handle(),
                options: self.options,
                entities,
                keys: self.keys.iter().map(EntityKey::as_bytes).collect(),
                request_rows: rows.iter().map(Vec::as_slice).collect(),
            };
            request.encode(out);
            Ok(())
        };
        let decode =
            |schema: &Schema, reply: Frame| ReadReply::decode(reply.body(), schema.types());
        let body = (&encode, &decode);
        let answer = self.handle.call_within(Opcode::Read, self.timeout, self.hedge, body).await?;
        Ok(Vectors::new(answer.schema, answer.reply))
    }

    fn missing_keys(&self) -> model::Error {
        let entities = self.schema.entities().iter().enumerate();
        let missing = entities
            .filter(|(position, _)| !matches!(self.tuple.get(*position), Some(Some(_))))
            .map(|(_, entity)| entity.name.as_str())
            .collect::<Vec<_>>();
        let allowed = format!("{} needs a key of each entity", self.handle.name());
        model::Error::invalid("keys missing", missing.join(", "), allowed)
    }

    /// No row when no request value was given, one when all tuples share it, else one for each.
    fn request_rows(&self) -> Result<Vec<Vec<u8>>, Error> {
        if self.own.is_empty() {
            let given = !self.shared.is_none();
            return given.then(|| self.pack(&self.shared)).into_iter().collect();
        }
        let mut own = self.own.iter().peekable();
        (0..self.tuples())
            .map(|tuple| match own.next_if(|(of, _)| *of == tuple) {
                Some((_, values)) => self.pack(values),
                None => self.pack(&self.shared),
            })
            .collect()
    }

    fn pack(&self, values: &Values) -> Result<Vec<u8>, Error> {
        let mut row = Vec::new();
        let cells = values.0.iter().map(|value| match value {
            None => Cell::Absent,
            Some(None) => Cell::Null,
            Some(Some(value)) => Cell::Value(value.borrow()),
        });
        packed_row::write_row(&mut row, self.schema.request(), cells)?;
        Ok(row)
    }

    /// A schema fetched since must take the same keys and request values.
    fn check_same_inputs(&self, schema: &Schema) -> Result<(), model::Error> {
        let same = schema.entities() == self.schema.entities()
            && schema.request() == self.schema.request();
        if same {
            return Ok(());
        }
        let allowed = "the same entities and request values; they changed just now: read again";
        Err(model::Error::invalid("definition", self.handle.name(), allowed))
    }
}
