//! First step of a replay: records are decoded, their keys routed to shards, their events prepared. Nothing is changed here, so
//! that ranges of records are routed side by side.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use storage::Lsn;

use super::{
    Memory,
    chunk::{Chunk, Record},
};
use crate::{
    Error,
    mutation::{Delete, Header, Push, PushEvent, Put, PutRow, Retract, kind},
    producer::Outcome,
    retraction::{Retraction, RetractionPart, route_retraction},
    route::{Draft, EventParts, RoutedRow, Router, cells_of},
    shard::SHARD_COUNT,
    stream::fingerprint,
};

/// A range of records, routed.
pub(super) struct Routed<'a> {
    /// What each record changes in shards; up to one that cannot be routed.
    pub(super) changes: Vec<Change<'a>>,
    /// What else each record says.
    pub(super) endings: Vec<Ending>,
    /// For each shard what of the changes is there, in log order.
    pub(super) by_shard: Vec<Vec<Item>>,
    /// Why there are no more.
    pub(super) failed: Option<Error>,
}

/// A part of a record that one shard has to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// Index of its record in the range.
    pub(super) record: usize,
    /// Index of the part in the change.
    pub(super) part: usize,
}

/// What a record changes in shards.
pub(super) enum Change<'a> {
    Put { group: usize, rows: Vec<RoutedRow<'a>> },
    Delete { group: usize, keys: Vec<(usize, &'a [u8])> },
    Push { stream: usize, now: i64, parts: EventParts },
    Retract { rows: Vec<Retraction<'a>>, parts: Vec<(usize, RetractionPart)> },
}

/// What a record says beside changes in shards: done in log order.
pub(super) struct Ending {
    pub(super) lsn: Lsn,
    pub(super) header: Header,
    pub(super) ids: Ids,
    /// What shards counted of a put.
    applied: AtomicU32,
    duplicate: AtomicU32,
}

/// What a record says of a stream.
pub(super) enum Ids {
    Unchanged,
    /// Events arrived, each with its time in ms and with its id, if that is to be remembered.
    Arrived {
        stream: usize,
        now: i64,
        events: Vec<(Option<u128>, i64)>,
    },
    /// Events of these ids were taken back.
    Forgotten {
        stream: usize,
        ids: Vec<u128>,
    },
}

impl Ending {
    /// Shards had so many rows with something new, and so many with nothing new.
    pub(super) fn count(&self, applied: u32, duplicate: u32) {
        self.applied.fetch_add(applied, Ordering::Relaxed);
        self.duplicate.fetch_add(duplicate, Ordering::Relaxed);
    }

    /// What the record did, once all shards counted.
    pub(super) fn outcome(&self) -> Outcome {
        let Outcome { applied, duplicate, .. } = self.header.outcome;
        Outcome {
            applied: applied + self.applied.load(Ordering::Relaxed),
            duplicate: duplicate + self.duplicate.load(Ordering::Relaxed),
            ..self.header.outcome
        }
    }
}

impl Memory {
    /// Routes the records of `range`, up to the first that cannot be.
    pub(super) fn route<'a>(&self, chunk: &'a Chunk, range: Range<usize>) -> Routed<'a> {
        let mut routed = Routed {
            changes: Vec::with_capacity(range.len()),
            endings: Vec::with_capacity(range.len()),
            by_shard: vec![Vec::new(); SHARD_COUNT],
            failed: None,
        };
        let mut draft = Draft::default();
        for record in chunk.records(range) {
            match self.route_record(&record, &mut draft) {
                Ok((change, header, ids)) => {
                    index(&change, routed.changes.len(), &mut routed.by_shard);
                    routed.changes.push(change);
                    let (applied, duplicate) = Default::default();
                    let lsn = record.lsn;
                    routed.endings.push(Ending { lsn, header, ids, applied, duplicate });
                }
                Err(error) => {
                    routed.failed = Some(error);
                    break;
                }
            }
        }
        routed
    }

    fn route_record<'a>(
        &self,
        record: &Record<'a>,
        draft: &mut Draft,
    ) -> Result<(Change<'a>, Header, Ids), Error> {
        let Record { lsn, kind, payload } = *record;
        let malformed = |error| Error::Format(format!("record {lsn} of kind {kind}: {error}"));
        match kind {
            kind::PUT => self.route_put(lsn, Put::decode(payload).map_err(malformed)?),
            kind::PUSH => self.route_push(lsn, &Push::decode(payload).map_err(malformed)?, draft),
            kind::DELETE => {
                Ok(self.route_delete(lsn, &Delete::decode(payload).map_err(malformed)?))
            }
            kind::RETRACT => self.route_retract(lsn, &Retract::decode(payload).map_err(malformed)?),
            other => Err(Error::Format(format!("record {lsn} is of unknown kind {other}"))),
        }
    }

    fn route_put<'a>(
        &self,
        lsn: Lsn,
        put: Put<Vec<PutRow<'a>>>,
    ) -> Result<(Change<'a>, Header, Ids), Error> {
        let group = put.group as usize;
        let layout = &self.catalog.rows(group)?.layout;
        let mut rows = Vec::with_capacity(put.rows.len());
        for row in put.rows {
            let shard = self.shards.route(row.key);
            if self.fences.covers(shard, lsn) {
                continue;
            }
            let cells = cells_of(layout, put.features as usize, row.row)?;
            let (key, event_time, packed) = (row.key, row.event_time, row.row);
            rows.push(RoutedRow { key, event_time, packed, cells, shard });
        }
        // How many had something new is counted again: it was not known yet when the record was written.
        let outcome = Outcome { applied: 0, duplicate: 0, ..put.header.outcome };
        let header = Header { outcome, ..put.header };
        Ok((Change::Put { group, rows }, header, Ids::Unchanged))
    }

    fn route_delete<'a>(&self, lsn: Lsn, delete: &Delete<'a>) -> (Change<'a>, Header, Ids) {
        let keys = delete.keys.iter().map(|key| (self.shards.route(key), *key));
        let keys = keys.filter(|(shard, _)| !self.fences.covers(*shard, lsn)).collect();
        (Change::Delete { group: delete.group as usize, keys }, delete.header, Ids::Unchanged)
    }

    fn route_push<'a>(
        &self,
        lsn: Lsn,
        push: &Push<Vec<PushEvent<'a>>>,
        draft: &mut Draft,
    ) -> Result<(Change<'a>, Header, Ids), Error> {
        let index = push.stream as usize;
        let (stream, runtime) = self.catalog.stream(index)?;
        let mut router = Router {
            catalog: &self.catalog,
            hasher: self.shards.hasher(),
            stream,
            runtime,
            fields: push.fields as usize,
            writer: (push.header.producer, push.header.sequence),
            draft,
        };
        let (mut parts, mut events) =
            (EventParts::default(), Vec::with_capacity(push.events.len()));
        for event in &push.events {
            let wanted = |shard| !self.fences.covers(shard, lsn);
            let event = router.route(*event, &mut parts, wanted)?;
            let id = stream.dedup_ms.and(event.declared_id).map(|id| fingerprint(&id));
            let id = id.filter(|id| !self.fences.covers_id(push.stream, *id, lsn));
            events.push((id, event.event_time));
        }
        let change = Change::Push { stream: index, now: push.now, parts };
        Ok((change, push.header, Ids::Arrived { stream: index, now: push.now, events }))
    }

    fn route_retract<'a>(
        &self,
        lsn: Lsn,
        retract: &Retract<'a>,
    ) -> Result<(Change<'a>, Header, Ids), Error> {
        let stream = retract.stream as usize;
        let of = self.catalog.stream(stream)?;
        let (hasher, fields) = (self.shards.hasher(), retract.fields as usize);
        let route = |row| route_retraction(&self.catalog, hasher, of, fields, row);
        let rows = (0..).zip(retract.events.iter().copied());
        let mut rows = rows.map(route).collect::<Result<Vec<_>, _>>()?;
        let mut parts = Vec::new();
        for (index, row) in rows.iter_mut().enumerate() {
            let of_row = row.parts.drain(..).filter(|p| !self.fences.covers(p.shard, lsn));
            parts.extend(of_row.map(|part| (index, part)));
        }
        let ids = rows.iter().map(|row| fingerprint(&row.id));
        let ids = ids.filter(|id| !self.fences.covers_id(retract.stream, *id, lsn)).collect();
        let change = Change::Retract { rows, parts };
        Ok((change, retract.header, Ids::Forgotten { stream, ids }))
    }
}

/// Notes for each shard what `change`, that of record `record`, does there.
fn index(change: &Change<'_>, record: usize, by_shard: &mut [Vec<Item>]) {
    let mut note = |(part, shard): (usize, usize)| {
        if let Some(items) = by_shard.get_mut(shard) {
            items.push(Item { record, part });
        }
    };
    match change {
        Change::Put { rows, .. } => rows.iter().map(|row| row.shard).enumerate().for_each(note),
        Change::Delete { keys, .. } => {
            keys.iter().map(|(shard, _)| *shard).enumerate().for_each(note);
        }
        Change::Push { parts, .. } => {
            parts.iter().map(|part| part.shard).enumerate().for_each(note);
        }
        Change::Retract { parts, .. } => {
            parts.iter().map(|(_, part)| part.shard).enumerate().for_each(&mut note);
        }
    }
}
