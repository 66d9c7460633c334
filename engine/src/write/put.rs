//! Put rows.

use model::{
    key,
    limits::{BATCH_MAX, EVENT_TIME_ABS_MAX},
    packed_row::Cell,
};
use storage::Vfs;

use super::{
    Reject, RejectKind, WriteOptions, Written, applying::Applying, once, record_bytes_max,
};
use crate::{
    Database, Error,
    apply::{admit_put, apply_put},
    catalog::Catalog,
    memory_limit::put_bytes,
    mutation::{self, Header, Put, PutRow},
    producer::Outcome,
    route::{RoutedRow, cells_of},
    shard::ShardMask,
};

/// One row to put.
#[derive(Debug, Clone, Copy)]
pub struct PutRowRequest<'a> {
    /// Canonical entity key.
    pub key: &'a [u8],
    /// Event time in ms; `None` is the server's now.
    pub event_time: Option<i64>,
    /// A packed row of the first `features` features.
    pub row: &'a [u8],
}

/// Rows to put into one group.
#[derive(Debug, Clone)]
pub struct PutRequest<'a> {
    /// Index of the row group.
    pub group: usize,
    /// How many features the writer knows.
    pub features: usize,
    /// The rows; at most [`BATCH_MAX`].
    pub rows: Vec<PutRowRequest<'a>>,
}

impl<V: Vfs> Database<V> {
    /// Puts rows: each is refused or applied on its own, all that are applied are one record in the log.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the request as a whole is wrong, [`Error::Storage`] when the log refuses: then nothing was
    /// applied.
    pub fn put<'a>(
        &self,
        request: &PutRequest<'a>,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        check_batch(request.rows.len())?;
        once(self, options, || {
            let rows = request.rows.iter().map(|row| row.key.len() + row.row.len());
            let bytes = record_bytes_max(rows);
            self.wal.reserve(bytes)?;
            let catalog = self.catalog.read();
            let now = self.clock.wall_ms();
            let (mut routed, rejects) = self.route_rows(&catalog, request, now)?;
            if routed.is_empty() {
                let outcome = Outcome { rejected: to_u32(rejects.len()), ..Outcome::default() };
                catalog.rows(request.group)?.tally.count(&outcome);
                return Ok((self.wal.appended_lsn(), outcome, rejects));
            }
            let runtime = catalog.rows(request.group)?;
            let needed = put_bytes(&runtime.layout, &routed, bytes);
            let room = self.admit(&catalog, needed)?;
            let outcome = Outcome {
                applied: to_u32(routed.len()),
                rejected: to_u32(rejects.len()),
                ..Outcome::default()
            };
            let row = |row: &RoutedRow<'a>| PutRow {
                key: row.key,
                event_time: row.event_time,
                row: row.packed,
            };
            let header = Header { producer: options.producer, sequence: options.sequence, outcome };
            let put = Put {
                header,
                group: to_u32(request.group),
                features: to_u32(request.features),
                rows: routed.iter().map(row),
                at: Some(now),
            };
            let mut record = Vec::with_capacity(bytes);
            put.encode(&mut record);
            let mut mask = ShardMask::default();
            routed.iter().for_each(|row| mask.insert(row.shard));
            let mut guards = self.shards.write(mask);
            admit_put(&mut guards, self.shards.hasher(), request.group, &routed)?;
            let lsn = self.wal.append(mutation::kind::PUT, &record)?;
            let _applying = Applying::begin(self);
            // Shard by shard, each let go at once, and rows of one entity in the request's order.
            routed.sort_by_key(|row| row.shard);
            let (mut applied, mut stale) = (0, 0);
            for rows in routed.chunk_by(|a, b| a.shard == b.shard) {
                let done = apply_put(&mut guards, self.shards.hasher(), request.group, rows);
                (applied, stale) = (applied + done.0, stale + done.1);
                rows.first().into_iter().for_each(|row| guards.release(row.shard));
            }
            drop(guards);
            room.settle();
            self.counters.rows(applied, stale, outcome.rejected);
            let outcome = Outcome { applied, duplicate: stale, ..outcome };
            runtime.tally.count(&outcome);
            runtime.tally.arrived(routed.iter().map(|row| row.event_time));
            Ok((lsn, outcome, rejects))
        })
    }

    fn route_rows<'a>(
        &self,
        catalog: &Catalog,
        request: &PutRequest<'a>,
        now: i64,
    ) -> Result<(Vec<RoutedRow<'a>>, Vec<Reject>), Error> {
        let layout = &catalog.rows(request.group)?.layout;
        let (_, key_types) = catalog.group_key(request.group)?;
        if request.features > layout.len() {
            let allowed = format!("at most {}: prepare the group again", layout.len());
            let given = request.features.to_string();
            return Err(model::Error::invalid("feature count", given, allowed).into());
        }
        let (mut routed, mut rejects) = (Vec::with_capacity(request.rows.len()), Vec::new());
        for (index, row) in request.rows.iter().enumerate() {
            let event_time = row.event_time.unwrap_or(now);
            let checked = key::validate(row.key, key_types)
                .and_then(|()| check_time(event_time))
                .and_then(|()| cells_of(layout, request.features, row.row))
                .and_then(given);
            match checked {
                Ok(cells) => {
                    let shard = self.shards.route(row.key);
                    routed.push(RoutedRow {
                        key: row.key,
                        event_time,
                        packed: row.row,
                        cells,
                        shard,
                    });
                }
                Err(error) => rejects.push(Reject {
                    index: to_u32(index),
                    kind: RejectKind::Rejected,
                    reason: error.to_string(),
                }),
            }
        }
        Ok((routed, rejects))
    }
}

/// A row that gives no feature would make an entity of nothing.
fn given(cells: Option<Vec<Cell<'_>>>) -> Result<Option<Vec<Cell<'_>>>, model::Error> {
    let is_given = |cells: &Vec<_>| cells.iter().any(|cell| !matches!(cell, Cell::Absent));
    if cells.as_ref().is_none_or(is_given) {
        return Ok(cells);
    }
    Err(model::Error::invalid("row", "no feature", "give at least one feature, or null"))
}

fn check_time(event_time: i64) -> Result<(), model::Error> {
    if (-EVENT_TIME_ABS_MAX..=EVENT_TIME_ABS_MAX).contains(&event_time) {
        return Ok(());
    }
    let allowed = format!("within ±{EVENT_TIME_ABS_MAX} ms of 1970");
    Err(model::Error::invalid("event time", event_time.to_string(), allowed))
}

/// Refuses a batch above [`BATCH_MAX`].
pub(super) fn check_batch(rows: usize) -> Result<(), Error> {
    if rows <= BATCH_MAX {
        return Ok(());
    }
    let allowed = format!("at most {BATCH_MAX} in one request: send several");
    Err(Error::Invalid(model::Error::invalid("batch", format!("{rows} rows"), allowed)))
}

/// Batches and catalogs are bounded far below 2^32.
pub(super) fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
