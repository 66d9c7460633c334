//! Retract events: decode and route, decide under the locks of their entities, then one record and one pass.
//!
//! ```text
//! row ── malformed, null time, id or keys ─────────────────► rejected
//!     ── its time is before the floor, now − horizon ──────► late
//!     ── no entity it names has an event of id and time ───► rejected
//!     ── otherwise ────────────────────────────────────────► retracted
//! ```
//!
//! The floor is looked at while the entities are locked: no event from there on can be folded away meanwhile, so the verdict
//! does not depend on what memory looks like.

use std::collections::BTreeSet;

use model::{definition::Stream, time};
use storage::Vfs;

use super::{
    Reject, RejectKind, WriteOptions, Written,
    applying::Applying,
    once,
    push::check_fields,
    put::{check_batch, to_u32},
    record_bytes_max,
};
use crate::{
    Database, Error,
    apply::apply_retract,
    catalog::Catalog,
    mutation::{self, Header, Retract},
    producer::Outcome,
    retraction::{Retraction, parts_of, route_retraction, shards_of},
    shard::WriteGuards,
    stream::fingerprint,
};

/// Events of one stream to retract.
#[derive(Debug, Clone)]
pub struct RetractRequest<'a> {
    /// Index of the stream.
    pub stream: usize,
    /// How many fields the writer knows.
    pub fields: usize,
    /// Packed rows of the first `fields` fields, of which event id, event time and keys count; at most
    /// [`model::limits::BATCH_MAX`].
    pub events: Vec<&'a [u8]>,
}

impl<V: Vfs> Database<V> {
    /// Retracts events: each is refused or retracted on its own, all that are retracted are one record in the log. `applied` of
    /// the outcome says how many were retracted, `late` how many lie before the floor.
    ///
    /// # Errors
    /// As [`Database::put`]; [`Error::Invalid`] also when the stream does not declare `retract`.
    pub fn retract(
        &self,
        request: &RetractRequest<'_>,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        check_batch(request.events.len())?;
        once(self, options, || {
            let bytes = record_bytes_max(request.events.iter().map(|event| event.len()));
            self.wal.reserve(bytes)?;
            let catalog = self.catalog.read();
            let (stream, runtime) = catalog.stream(request.stream)?;
            check_fields(stream, request.fields)?;
            if !stream.retract {
                let allowed = "its events cannot be retracted: it does not declare retract = true";
                return Err(model::Error::invalid("stream", stream.name.as_str(), allowed).into());
            }
            let (hasher, mut rejects, mut routed) =
                (self.shards.hasher(), Vec::new(), Vec::with_capacity(request.events.len()));
            for (index, row) in (0..).zip(request.events.iter().copied()) {
                let of = (stream, runtime);
                match route_retraction(&catalog, hasher, of, request.fields, (index, row)) {
                    Ok(retraction) => routed.push(retraction),
                    Err(error) => rejects.push(reject(index, error.to_string())),
                }
            }
            let mut ids = runtime.state.dedup.lock(routed.iter().map(|one| fingerprint(&one.id)));
            let mut guards = self.shards.write(shards_of(&routed));
            let wall_ms = self.clock.wall_ms();
            let now = runtime.state.now(stream, wall_ms);
            let decision = Decision { catalog: &catalog, stream, now };
            let retracted = decision.decide(&mut guards, hasher, routed, &mut rejects)?;
            let outcome = tally(retracted.len(), &rejects);
            if retracted.is_empty() {
                self.counters.retractions(&outcome);
                return Ok((self.wal.appended_lsn(), outcome, rejects));
            }
            let record = Retract {
                header: Header { producer: options.producer, sequence: options.sequence, outcome },
                stream: to_u32(request.stream),
                fields: to_u32(request.fields),
                events: retracted.iter().map(|one| one.row).collect(),
                at: Some(now.unwrap_or(wall_ms)),
            };
            let mut payload = Vec::with_capacity(bytes);
            record.encode(&mut payload);
            let lsn = self.wal.append(mutation::kind::RETRACT, &payload)?;
            let _applying = Applying::begin(self);
            apply_retract(&catalog, &mut guards, hasher, parts_of(&retracted));
            retracted.iter().for_each(|one| ids.forget(fingerprint(&one.id)));
            self.counters.retractions(&outcome);
            Ok((lsn, outcome, rejects))
        })
    }
}

/// Decides about the retractions of one request, in their order.
struct Decision<'a> {
    catalog: &'a Catalog,
    stream: &'a Stream,
    /// The stream's, in ms; `None` before the first event of an event clock.
    now: Option<i64>,
}

/// An event in one window group: group, entity key, event time and id.
type Place = (usize, Box<[u8]>, i64, Box<[u8]>);

impl Decision<'_> {
    /// Those that find their event, each with the groups that hold it only.
    fn decide<'e>(
        &self,
        guards: &mut WriteGuards<'_>,
        hasher: &stdx::hash::KeyHasher,
        routed: Vec<Retraction<'e>>,
        rejects: &mut Vec<Reject>,
    ) -> Result<Vec<Retraction<'e>>, Error> {
        let mut retracted = Vec::with_capacity(routed.len());
        let mut taken: BTreeSet<Place> = BTreeSet::new();
        for mut one in routed {
            if let Some(reason) = self.before_floor(one.event_time) {
                rejects.push(Reject { index: one.index, kind: RejectKind::Late, reason });
                continue;
            }
            let mut damage = None;
            one.parts.retain(|part| {
                let (key, id) = (part.key.as_bytes(), &one.id);
                let Ok(windows) = self.catalog.windows(part.group) else { return false };
                let table = guards.shard(part.shard).windows(part.group);
                let holds = table.map_or(Ok(false), |table| {
                    table.holds(hasher, key, &windows.plan, one.event_time, id)
                });
                holds.unwrap_or_else(|error| {
                    damage = Some(error);
                    false
                })
                    // Not when an earlier row of the request takes it.
                    && taken.insert((part.group, key.into(), one.event_time, id.clone()))
            });
            if let Some(error) = damage {
                return Err(error.into());
            }
            if one.parts.is_empty() {
                let at = time::format_timestamp(one.event_time);
                let reason = format!("no event of this id and time ({at}) is there");
                rejects.push(reject(one.index, reason));
            } else {
                retracted.push(one);
            }
        }
        rejects.sort_by_key(|reject| reject.index);
        Ok(retracted)
    }

    /// Why an event of this time cannot be retracted any more.
    fn before_floor(&self, event_time: i64) -> Option<String> {
        let floor = self.now?.saturating_sub(self.stream.horizon_ms);
        (event_time < floor).then(|| {
            format!(
                "its time {} is before the floor {}: it may be folded into tiles; only events within `horizon` ({}) can be \
                 retracted",
                time::format_timestamp(event_time),
                time::format_timestamp(floor),
                time::format_span(self.stream.horizon_ms),
            )
        })
    }
}

fn reject(index: u32, reason: String) -> Reject {
    Reject { index, kind: RejectKind::Rejected, reason }
}

fn tally(retracted: usize, rejects: &[Reject]) -> Outcome {
    let of = |kind| to_u32(rejects.iter().filter(|reject| reject.kind == kind).count());
    Outcome {
        applied: to_u32(retracted),
        late: of(RejectKind::Late),
        rejected: of(RejectKind::Rejected),
        ..Outcome::default()
    }
}
