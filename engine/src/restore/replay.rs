//! The log's records, one after the other, through the same functions as live writes. What the snapshot holds already is left out.

use model::{definition::Definitions, packed_row};
use storage::Lsn;

use super::Memory;
use crate::{
    Error,
    apply::{admit_events, admit_keys, apply_delete, apply_push, apply_put, apply_retract},
    catalog::CatalogRecord,
    mutation::{Delete, Push, Put, Retract, kind},
    producer::{Outcome, ProducerId},
    retraction::{self, route_retraction},
    route::{RoutedEvent, RoutedRow, route_event, shards_of},
    shard::ShardMask,
    stream::fingerprint,
};

impl Memory {
    /// Does what one record says.
    pub(super) fn replay(&mut self, lsn: Lsn, kind: u8, payload: &[u8]) -> Result<(), Error> {
        let malformed = |error| Error::Format(format!("record {lsn} of kind {kind}: {error}"));
        if lsn.0 < self.fences.replay_from() {
            return Ok(());
        }
        match kind {
            kind::DEFINITIONS => self.definitions(CatalogRecord::decode(payload)?),
            kind::PUT => self.put(lsn, &Put::decode(payload).map_err(malformed)?),
            kind::PUSH => self.push(lsn, &Push::decode(payload).map_err(malformed)?),
            kind::DELETE => self.delete(lsn, &Delete::decode(payload).map_err(malformed)?),
            kind::RETRACT => self.retract(lsn, &Retract::decode(payload).map_err(malformed)?),
            other => Err(Error::Format(format!("record {lsn} is of unknown kind {other}"))),
        }
    }

    /// Makes a version of the definitions valid.
    pub(super) fn definitions(&mut self, record: CatalogRecord) -> Result<(), Error> {
        let definitions =
            Definitions::parse(&record.file, &record.text, &self.catalog.definitions)?;
        self.catalog.adopt(definitions, record, &self.shards)
    }

    fn put(&mut self, lsn: Lsn, put: &Put<'_>) -> Result<(), Error> {
        let group = put.group as usize;
        let layout = &self.catalog.rows(group)?.layout;
        let types = layout.types().get(..put.features as usize).unwrap_or(layout.types());
        let mut mask = ShardMask::default();
        let mut rows = Vec::with_capacity(put.rows.len());
        for row in &put.rows {
            let shard = self.shards.route(row.key);
            if self.fences.covers(shard, lsn) {
                continue;
            }
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
        let keys = rows.iter().map(|row| (row.shard, row.key));
        admit_keys(&mut guards, self.shards.hasher(), group, keys)?;
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
        let mut events = push.events.iter().map(route).collect::<Result<Vec<_>, _>>()?;
        let id = |event: &RoutedEvent<'_>| {
            let id = event.declared_id.as_deref().map(fingerprint)?;
            (!self.fences.covers_id(push.stream, id, lsn)).then_some(id)
        };
        let mut ids = runtime.state.dedup.lock(events.iter().filter_map(id));
        for event in &events {
            if let Some((id, span_ms)) = id(event).zip(stream.dedup_ms) {
                ids.insert(id, runtime.state.arrival(stream, push.now, event.event_time), span_ms);
            }
            runtime.state.advance(event.event_time);
        }
        drop(ids);
        runtime.state.applies(push.now);
        for event in &mut events {
            event.parts.retain(|part| !self.fences.covers(part.shard, lsn));
        }
        let mut guards = self.shards.write(shards_of(&events));
        admit_events(&mut guards, &events)?;
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
            if self.fences.covers(shard, lsn) {
                continue;
            }
            mask.insert(shard);
            keys.push((shard, *key));
        }
        let group = delete.group as usize;
        let mut guards = self.shards.write(mask);
        admit_keys(&mut guards, self.shards.hasher(), group, keys.iter().copied())?;
        let applied = apply_delete(&mut guards, self.shards.hasher(), group, &keys);
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
        let mut retracted = rows.map(route).collect::<Result<Vec<_>, _>>()?;
        for one in &mut retracted {
            one.parts.retain(|part| !self.fences.covers(part.shard, lsn));
        }
        let mut guards = self.shards.write(retraction::shards_of(&retracted));
        for (one, part) in retracted.iter().flat_map(|one| one.parts.iter().map(move |p| (one, p)))
        {
            let table = guards.shard(part.shard).windows(part.group);
            let plan = &self.catalog.windows(part.group)?.plan;
            let (key, time) = (part.key.as_bytes(), one.event_time);
            table.map_or(Ok(false), |table| table.holds(hasher, key, plan, time, &one.id))?;
        }
        apply_retract(&self.catalog, &mut guards, hasher, &retracted);
        drop(guards);
        let is_new = |id: &u128| !self.fences.covers_id(retract.stream, *id, lsn);
        let ids = || retracted.iter().map(|one| fingerprint(&one.id)).filter(is_new);
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
        if producer != ProducerId::default() && lsn.0 > self.fences.everything() {
            self.producers.get(producer).lock().record(sequence, lsn, outcome);
        }
    }
}
