//! Larder's side: operations become calls of its client, one connection each, never sent twice.

use std::sync::Arc;
use std::time::Duration;

use client::{Client, GroupWriter, PutRow, Schema, ServiceReader, StreamWriter, Vectors};
use model::{
    key::{EntityKey, KeyPart, KeyType},
    packed_row::{Cell, write_row},
    status::Status,
    value::{DataType, Value, ValueRef},
};
use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
};

use super::{
    Error,
    caller::Caller,
    operation::Operation,
    side::Outcome,
    workload::{self, Kind, Table},
};

/// A service of the user's, and whom to ask it about.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name, or single features.
    pub name: String,
    /// Whole key tuples, in the order of the service's entities.
    pub keys: Arc<Vec<Vec<EntityKey>>>,
}

/// One connection.
pub(super) struct Larder {
    rows: Option<(ServiceReader, GroupWriter)>,
    windows: Option<(ServiceReader, StreamWriter)>,
    distinct: Option<(ServiceReader, StreamWriter)>,
    service: Option<(ServiceReader, Service)>,
    clock: SystemClock,
    /// After which a request has failed.
    timeout: Duration,
}

/// How long each step of setting up may take: measured requests are given less.
const PATIENCE: Duration = Duration::from_secs(10);

impl Larder {
    /// Connects to the server at `addr` and prepares what `tables` and `service` need.
    pub(super) async fn connect(
        (addr, caller): (&str, &Caller),
        tables: &[Table],
        service: Option<&Service>,
        timeout: Duration,
    ) -> Result<Self, Error> {
        // A request that is sent again has two latencies: none is.
        let client = caller.client(addr).retries(0).request_timeout(PATIENCE).build();
        Self::prepare(&client, tables, service, timeout).await
    }

    /// As [`Larder::connect`], with the client's usual patience: for filling.
    pub(super) async fn connect_patient(
        (addr, caller): (&str, &Caller),
        tables: &[Table],
    ) -> Result<Self, Error> {
        Self::prepare(&caller.client(addr).build(), tables, None, PATIENCE).await
    }

    async fn prepare(
        client: &Client,
        tables: &[Table],
        service: Option<&Service>,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let mut larder = Self {
            rows: None,
            windows: None,
            distinct: None,
            service: None,
            clock: SystemClock::new(),
            timeout,
        };
        for table in tables {
            match table {
                Table::Rows => {
                    let reader = client.features(&[table.reference()]).await?;
                    larder.rows = Some((reader, client.group("bench_rows").await?.within(timeout)));
                }
                Table::Windows => {
                    let reader = client.features(&[table.reference()]).await?;
                    let stream = client.stream("bench_payments").await?.within(timeout);
                    larder.windows = Some((reader, stream));
                }
                Table::Distinct => {
                    let reader = client.features(&[table.reference()]).await?;
                    let stream = client.stream("bench_visits").await?.within(timeout);
                    larder.distinct = Some((reader, stream));
                }
            }
        }
        if let Some(service) = service {
            larder.service = Some((reader_of(client, &service.name).await?, service.clone()));
        }
        Ok(larder)
    }

    /// Asks, and waits for the answer.
    pub(super) async fn call(&self, operation: &Operation) -> Outcome {
        let entities = &operation.entities;
        let now = self.clock.wall_ms();
        let done = match operation.kind {
            Kind::ReadRow | Kind::ReadBatch => self.read(self.rows.as_ref(), entities).await,
            Kind::ReadWindows => self.read(self.windows.as_ref(), entities).await,
            Kind::ReadDistinct => self.read(self.distinct.as_ref(), entities).await,
            Kind::Put | Kind::PutBatch => self.put(entities, operation.seed).await,
            Kind::Push | Kind::PushBatch => {
                let events = entities.iter().map(|entity| (*entity, now));
                self.push(Table::Windows, events, operation.seed).await
            }
            Kind::PushDistinct => {
                let events = entities.iter().map(|entity| (*entity, now));
                self.push(Table::Distinct, events, operation.seed).await
            }
            Kind::Service => self.read_service(operation, now).await,
        };
        done.unwrap_or_else(|error| Outcome::failed(word(&error)))
    }

    async fn read<W>(
        &self,
        table: Option<&(ServiceReader, W)>,
        entities: &[u64],
    ) -> Result<Outcome, client::Error> {
        let Some((reader, _)) = table else { return Ok(unprepared()) };
        let keys = entities.iter().map(|entity| key(*entity));
        let vectors = reader.read().within(self.timeout).keys(keys).send().await?;
        Ok(all_of(&vectors, entities.len()))
    }

    /// Puts rows of these entities.
    pub(super) async fn put(&self, entities: &[u64], seed: u64) -> Result<Outcome, client::Error> {
        let Some((_, group)) = &self.rows else { return Ok(unprepared()) };
        let schema = group.schema();
        let mut prng = Prng::new(seed);
        let packed: Vec<(EntityKey, Vec<u8>)> = entities
            .iter()
            .map(|entity| {
                let mut row = Vec::with_capacity(16 + 9 * schema.fields().len());
                let cells = (0..schema.fields().len())
                    .map(|_| Cell::Value(ValueRef::F64(prng.unit() * 1000.0)));
                write_row(&mut row, schema.fields(), cells).map(|()| (key(*entity), row))
            })
            .collect::<Result<_, _>>()?;
        let rows: Vec<_> = packed
            .iter()
            .map(|(key, row)| PutRow { key: key.as_bytes(), event_time: None, row })
            .collect();
        let reply = group.put_packed(schema.fields().len(), &rows, None).await?;
        Ok(Outcome::Answered { units: rows.len() as u64, refused: u64::from(reply.rejected) })
    }

    /// Pushes events of these entities and times.
    pub(super) async fn push(
        &self,
        table: Table,
        events: impl Iterator<Item = (u64, i64)>,
        seed: u64,
    ) -> Result<Outcome, client::Error> {
        let stream = if table == Table::Distinct { &self.distinct } else { &self.windows };
        let Some((_, stream)) = stream else { return Ok(unprepared()) };
        let schema = stream.schema();
        let mut prng = Prng::new(seed);
        let packed: Vec<Vec<u8>> = events
            .map(|(entity, at)| pack_event(&schema, table, (entity, at), &mut prng))
            .collect::<Result<_, _>>()?;
        let rows: Vec<_> = packed.iter().map(Vec::as_slice).collect();
        let reply = stream.push_packed(schema.fields().len(), &rows, None).await?;
        let taken = u64::from(reply.accepted);
        let units = rows.len() as u64;
        Ok(Outcome::Answered { units, refused: units.saturating_sub(taken) })
    }

    async fn read_service(
        &self,
        operation: &Operation,
        now: i64,
    ) -> Result<Outcome, client::Error> {
        let Some((reader, service)) = &self.service else { return Ok(unprepared()) };
        let schema = reader.schema();
        let mut read = reader.read().within(self.timeout);
        let mut prng = Prng::new(operation.seed);
        for entity in &operation.entities {
            let index = usize::try_from(*entity).unwrap_or(usize::MAX);
            let keys = service.keys.get(index).into_iter().flatten();
            for (entity, key) in schema.entities().iter().zip(keys) {
                read = read.key(&entity.name, key);
            }
            for field in schema.request() {
                read = read.request(field.name.as_str(), drawn(field.data_type, now, &mut prng));
            }
        }
        let vectors = read.send().await?;
        Ok(all_of(&vectors, operation.entities.len()))
    }
}

/// Prepares a service, or single features.
///
/// # Errors
/// Those of the client.
pub async fn reader_of(client: &Client, name: &str) -> Result<ServiceReader, client::Error> {
    if name.contains(':') {
        let references: Vec<_> = name.split(',').map(str::trim).collect();
        return client.features(&references).await;
    }
    client.service(name).await
}

/// An answer is one only when it holds all that was asked for; of whom nothing is known is counted.
fn all_of(vectors: &Vectors, asked: usize) -> Outcome {
    if vectors.len() != asked {
        return Outcome::failed("incomplete answer");
    }
    let not_found = Status::NotFound.code();
    let is_unknown = |row: &usize| {
        vectors.columns().any(|column| column.statuses().get(*row) == Some(&not_found))
    };
    Outcome::Answered { units: asked as u64, refused: (0..asked).filter(is_unknown).count() as u64 }
}

/// Of a kind that was not among those that the connection was made for.
fn unprepared() -> Outcome {
    Outcome::failed("not prepared")
}

/// The word that a failure is counted under.
fn word(error: &client::Error) -> String {
    match error {
        client::Error::Connect { .. } => "no connection".to_owned(),
        client::Error::Lost { .. } => "connection lost".to_owned(),
        client::Error::Timeout { .. } | client::Error::Expired { .. } => "timeout".to_owned(),
        // What is wrong with the request is wrong with each: the reason says what to change.
        fix @ (client::Error::Invalid(_) | client::Error::Fix(_)) => {
            fix.to_string().chars().take(WORD_CHARS_MAX).collect()
        }
        other => other.status().map_or_else(|| other.to_string(), |status| status.to_string()),
    }
}

/// Most of a failure's reason that is kept.
const WORD_CHARS_MAX: usize = 200;

fn key(entity: u64) -> EntityKey {
    let part = KeyPart::String(workload::key(entity).into());
    EntityKey::encode(&[part], &[KeyType::String]).unwrap_or_else(|_| EntityKey::from_written(b"?"))
}

fn pack_event(
    schema: &Schema,
    table: Table,
    (entity, at): (u64, i64),
    prng: &mut Prng,
) -> Result<Vec<u8>, model::Error> {
    let (entity, place) = (workload::key(entity), workload::place(prng));
    let second = match table {
        Table::Distinct => ValueRef::String(&place),
        Table::Rows | Table::Windows => ValueRef::Decimal(workload::amount(prng), 2),
    };
    let values = [ValueRef::String(&entity), second, ValueRef::Timestamp(at)];
    let mut row = Vec::with_capacity(64);
    write_row(&mut row, schema.fields(), values.map(Cell::Value))?;
    Ok(row)
}

/// A value of `data_type`.
fn drawn(data_type: DataType, now: i64, prng: &mut Prng) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "any f32 does")]
    let narrow = |value: f64| value as f32;
    match data_type {
        DataType::Bool => Value::Bool(prng.chance(0.5)),
        DataType::I64 => Value::I64(prng.between(0, 1000)),
        DataType::F32 => Value::F32(narrow(prng.unit() * 1000.0)),
        DataType::F64 => Value::F64(prng.unit() * 1000.0),
        DataType::String => Value::String(workload::place(prng).into()),
        DataType::Bytes => Value::Bytes(prng.next_u64().to_le_bytes().as_slice().into()),
        DataType::Timestamp => Value::Timestamp(now),
        DataType::Decimal(scale) => Value::Decimal(workload::amount(prng), scale),
        DataType::Vector(count) => Value::Vector((0..count).map(|_| narrow(prng.unit())).collect()),
    }
}
