//! Recovery: the log from its start, record by record, through the same functions as live writes.
//!
//! The seam for snapshots: [`Memory`] is what a snapshot will fill before the log's suffix is replayed.

use std::sync::Arc;

use model::{definition::Definitions, packed_row};
use stdx::clock::Clock;
use storage::{Directory, Lsn, Vfs, Wal};

use crate::{
    Config, Database, Error,
    apply::{apply_delete, apply_push, apply_put, apply_retract},
    catalog::{Catalog, CatalogRecord},
    mutation::{Delete, Push, Put, Retract, kind},
    producer::{Outcome, ProducerId, Producers},
    retraction::{self, route_retraction},
    route::{RoutedEvent, RoutedRow, route_event, shards_of},
    shard::{ShardMask, ShardSet},
    stream::fingerprint,
};

/// Everything that is restored.
pub(crate) struct Memory {
    pub(crate) catalog: Catalog,
    pub(crate) shards: ShardSet,
    pub(crate) producers: Producers,
}

/// See [`Database::open`].
pub(crate) fn open<V: Vfs>(
    vfs: V,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<Database<V>, Error> {
    let mut memory = Memory {
        catalog: Catalog::default(),
        shards: ShardSet::new(config.seed),
        producers: Producers::default(),
    };
    let mut failed = None;
    let directory = Directory::open(vfs, config.seed)?;
    let opened = Wal::open(&directory, config.wal(), Arc::clone(&clock), &mut |lsn, kind, payload| {
        memory.replay(lsn, kind, payload).map_err(|error| {
            let message = error.to_string();
            failed = Some(error);
            message.into()
        })
    });
    // What failed here says more than the log's "replay stopped".
    let (wal, report) = match (opened, failed) {
        (_, Some(error)) => return Err(error),
        (opened, None) => opened?,
    };
    Ok(Database::assemble(memory, config, clock, wal, report))
}

impl Memory {
    fn replay(&mut self, lsn: Lsn, kind: u8, payload: &[u8]) -> Result<(), Error> {
        let malformed = |error| Error::Format(format!("record {lsn} of kind {kind}: {error}"));
        match kind {
            kind::DEFINITIONS => self.definitions(&CatalogRecord::decode(payload)?),
            kind::PUT => self.put(lsn, &Put::decode(payload).map_err(malformed)?),
            kind::PUSH => self.push(lsn, &Push::decode(payload).map_err(malformed)?),
            kind::DELETE => self.delete(lsn, &Delete::decode(payload).map_err(malformed)?),
            kind::RETRACT => self.retract(lsn, &Retract::decode(payload).map_err(malformed)?),
            other => Err(Error::Format(format!("record {lsn} is of unknown kind {other}"))),
        }
    }

    fn definitions(&mut self, record: &CatalogRecord) -> Result<(), Error> {
        let definitions =
            Definitions::parse(&record.file, &record.text, &self.catalog.definitions)?;
        self.catalog.adopt(definitions, record.applied_at_ms, &self.shards)
    }

    fn put(&mut self, lsn: Lsn, put: &Put<'_>) -> Result<(), Error> {
        let group = put.group as usize;
        let layout = &self.catalog.rows(group)?.layout;
        let types = layout.types().get(..put.features as usize).unwrap_or(layout.types());
        let mut mask = ShardMask::default();
        let mut rows = Vec::with_capacity(put.rows.len());
        for row in &put.rows {
            let shard = self.shards.route(row.key);
            mask.insert(shard);
            let cells = packed_row::read_row(row.row, types)?;
            rows.push(RoutedRow {
                key: row.key,
                event_time: row.event_time,
                packed: row.row,
                cells,
                shard,
            });
        }
        let mut guards = self.shards.write(mask);
        let (applied, duplicate) = apply_put(&mut guards, self.shards.hasher(), group, &rows);
        drop(guards);
        let outcome = Outcome { applied, duplicate, ..put.header.outcome };
        self.remember(lsn, put.header.producer, put.header.sequence, outcome);
        Ok(())
    }

    fn push(&mut self, lsn: Lsn, push: &Push<'_>) -> Result<(), Error> {
        let (stream, runtime) = self.catalog.stream(push.stream as usize)?;
        let hasher = self.shards.hasher();
        let writer = (push.header.producer, push.header.sequence);
        let route = |event: &_| {
            let stream = (stream, runtime);
            route_event(&self.catalog, hasher, stream, push.fields as usize, *event, writer)
        };
        let events = push.events.iter().map(route).collect::<Result<Vec<_>, _>>()?;
        let id = |event: &RoutedEvent<'_>| event.declared_id.as_deref().map(fingerprint);
        let mut ids = runtime.state.dedup.lock(events.iter().filter_map(id));
        for event in &events {
            if let Some((id, span_ms)) = id(event).zip(stream.dedup_ms) {
                ids.insert(id, runtime.state.arrival(stream, push.now, event.event_time), span_ms);
            }
            runtime.state.advance(event.event_time);
        }
        drop(ids);
        runtime.state.applies(push.now);
        let mut guards = self.shards.write(shards_of(&events));
        apply_push(&self.catalog, &mut guards, hasher, stream, &events, push.now);
        drop(guards);
        self.remember(lsn, push.header.producer, push.header.sequence, push.header.outcome);
        Ok(())
    }

    fn delete(&mut self, lsn: Lsn, delete: &Delete<'_>) -> Result<(), Error> {
        let mut mask = ShardMask::default();
        let mut keys = Vec::with_capacity(delete.keys.len());
        for key in &delete.keys {
            let shard = self.shards.route(key);
            mask.insert(shard);
            keys.push((shard, *key));
        }
        let mut guards = self.shards.write(mask);
        let applied = apply_delete(&mut guards, self.shards.hasher(), delete.group as usize, &keys);
        drop(guards);
        let outcome = Outcome { applied, ..delete.header.outcome };
        self.remember(lsn, delete.header.producer, delete.header.sequence, outcome);
        Ok(())
    }

    fn retract(&mut self, lsn: Lsn, retract: &Retract<'_>) -> Result<(), Error> {
        let of @ (_, runtime) = self.catalog.stream(retract.stream as usize)?;
        let (hasher, fields) = (self.shards.hasher(), retract.fields as usize);
        let route = |row| route_retraction(&self.catalog, hasher, of, fields, row);
        let rows = (0..).zip(retract.events.iter().copied());
        let retracted = rows.map(route).collect::<Result<Vec<_>, _>>()?;
        let mut guards = self.shards.write(retraction::shards_of(&retracted));
        apply_retract(&self.catalog, &mut guards, hasher, &retracted);
        drop(guards);
        let ids = || retracted.iter().map(|one| fingerprint(&one.id));
        let mut known = runtime.state.dedup.lock(ids());
        ids().for_each(|id| known.forget(id));
        drop(known);
        self.remember(
            lsn,
            retract.header.producer,
            retract.header.sequence,
            retract.header.outcome,
        );
        Ok(())
    }

    fn remember(&self, lsn: Lsn, producer: ProducerId, sequence: u64, outcome: Outcome) {
        if producer != ProducerId::default() {
            self.producers.get(producer).lock().record(sequence, lsn, outcome);
        }
    }
}
