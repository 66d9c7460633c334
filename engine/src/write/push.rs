//! Push events: decode and route, admit one by one, then one record and one pass over the shards.
//!
//! ```text
//! event ── malformed, wrong type, null time or id, too far ahead ──► rejected
//!       ── no window can see it any more ──────────────────────────► late
//!       ── its id arrived within `dedup` ──────────────────────────► duplicate
//!       ── otherwise ──────────────────────────────────────────────► accepted
//! ```

use model::{
    definition::{Stream, StreamClock},
    time,
};
use storage::Vfs;

use super::{
    Reject, RejectKind, WriteOptions, Written, once,
    put::{check_batch, to_u32},
    record_bytes_max,
};
use crate::{
    Database, Error,
    apply::{admit_events, apply_push},
    catalog::{Catalog, StreamRuntime},
    memory_limit::push_bytes,
    mutation::{self, Header, Push, PushEvent},
    producer::{Outcome, ProducerId},
    route::{RoutedEvent, parts_of, route_event, shards_of},
    stream::{DedupGuards, fingerprint},
};

/// Events to push into one stream.
#[derive(Debug, Clone)]
pub struct PushRequest<'a> {
    /// Index of the stream.
    pub stream: usize,
    /// How many fields the writer knows.
    pub fields: usize,
    /// Packed rows of the first `fields` fields; at most [`model::limits::BATCH_MAX`].
    pub events: Vec<&'a [u8]>,
}

impl<V: Vfs> Database<V> {
    /// Pushes events: each is refused or accepted on its own, all that are accepted are one record in the log.
    ///
    /// # Errors
    /// As [`Database::put`].
    pub fn push(
        &self,
        request: &PushRequest<'_>,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        check_batch(request.events.len())?;
        once(self, options, || {
            // Before ids are remembered: they must not be, unless their events are logged.
            let bytes = record_bytes_max(request.events.iter().map(|event| event.len()));
            self.wal.reserve(bytes)?;
            let catalog = self.catalog.read();
            let (stream, runtime) = catalog.stream(request.stream)?;
            check_fields(stream, request.fields)?;
            let sequence = self.sequence_of(options);
            let mut rejects = Vec::new();
            let routed = self.route_events(
                &catalog,
                (stream, runtime),
                request,
                (options.producer, sequence),
                &mut rejects,
            );
            // Before ids are remembered, and before anything is logged.
            let needed = push_bytes(&routed, stream.dedup_ms.is_some(), bytes);
            let room = self.admit(&catalog, needed)?;
            let admission =
                Admission { catalog: &catalog, stream, runtime, wall_ms: self.clock.wall_ms() };
            let (accepted, mut ids) = admission.admit(routed, &mut rejects);
            let outcome = tally(accepted.len(), &rejects);
            self.counters.events(&outcome);
            if accepted.is_empty() {
                return Ok((self.wal.appended_lsn(), outcome, rejects));
            }
            let now = runtime.state.now(stream, admission.wall_ms).unwrap_or(admission.wall_ms);
            let push = Push {
                header: Header { producer: options.producer, sequence, outcome },
                stream: to_u32(request.stream),
                fields: to_u32(request.fields),
                now,
                events: accepted.iter().map(|event| event.source).collect(),
            };
            let mut record = Vec::with_capacity(bytes);
            push.encode(&mut record);
            runtime.state.applies(now);
            let mut guards = self.shards.write(shards_of(&accepted));
            let admitted =
                admit_events(&mut guards, accepted.iter().flat_map(|event| &event.parts))
                    .map_err(Error::from);
            let logged =
                admitted.and_then(|()| Ok(self.wal.append(mutation::kind::PUSH, &record)?));
            let lsn = logged.inspect_err(|_| admission.forget(&mut ids, &accepted))?;
            let parts = parts_of(&accepted);
            apply_push(&catalog, &mut guards, self.shards.hasher(), stream, parts, now);
            drop(guards);
            room.settle();
            Ok((lsn, outcome, rejects))
        })
    }

    /// The writer's sequence, or a fresh number for nobody's writes: derived event ids need one.
    fn sequence_of(&self, options: &WriteOptions) -> u64 {
        if options.producer == ProducerId::default() {
            self.anonymous.lock().next_u64()
        } else {
            options.sequence
        }
    }

    fn route_events<'a>(
        &self,
        catalog: &Catalog,
        stream: (&Stream, &StreamRuntime),
        request: &PushRequest<'a>,
        writer: (ProducerId, u64),
        rejects: &mut Vec<Reject>,
    ) -> Vec<RoutedEvent<'a>> {
        let hasher = self.shards.hasher();
        let mut routed = Vec::with_capacity(request.events.len());
        for (index, event) in (0..).zip(&request.events) {
            let source = PushEvent { index, event };
            match route_event(catalog, hasher, stream, request.fields, source, writer) {
                Ok(event) => routed.push(event),
                Err(error) => rejects.push(Reject {
                    index,
                    kind: RejectKind::Rejected,
                    reason: error.to_string(),
                }),
            }
        }
        routed
    }
}

/// Decides about the events of one request, in their order.
struct Admission<'a> {
    catalog: &'a Catalog,
    stream: &'a Stream,
    runtime: &'a StreamRuntime,
    wall_ms: i64,
}

impl<'a> Admission<'a> {
    /// The events accepted, and the locks on their ids, to be kept until the record is in the log buffer.
    fn admit<'e>(
        &self,
        events: Vec<RoutedEvent<'e>>,
        rejects: &mut Vec<Reject>,
    ) -> (Vec<RoutedEvent<'e>>, DedupGuards<'a>) {
        let dedup_ms = self.stream.dedup_ms;
        let id =
            |event: &RoutedEvent<'_>| dedup_ms.and(event.declared_id.as_deref()).map(fingerprint);
        let mut ids = self.runtime.state.dedup.lock(events.iter().filter_map(id));
        let mut accepted = Vec::with_capacity(events.len());
        for event in events {
            let verdict = self.refuse_for_time(&event).or_else(|| {
                let (fingerprint, span_ms) = id(&event).zip(dedup_ms)?;
                let state = &self.runtime.state;
                let arrival = state.arrival(self.stream, self.wall_ms, event.event_time);
                let fresh = ids.insert(fingerprint, arrival, span_ms);
                (!fresh).then(|| {
                    let span = time::format_span(span_ms);
                    (RejectKind::Duplicate, format!("its event id arrived within the last {span}"))
                })
            });
            match verdict {
                None => {
                    self.runtime.state.advance(event.event_time);
                    accepted.push(event);
                }
                Some((kind, reason)) => {
                    rejects.push(Reject { index: event.source.index, kind, reason })
                }
            }
        }
        rejects.sort_by_key(|reject| reject.index);
        (accepted, ids)
    }

    /// The ids of events that are not logged after all: when they come again, they are new.
    fn forget(&self, ids: &mut DedupGuards<'_>, events: &[RoutedEvent<'_>]) {
        if self.stream.dedup_ms.is_some() {
            let declared = events.iter().filter_map(|event| event.declared_id.as_deref());
            declared.for_each(|id| ids.forget(fingerprint(id)));
        }
    }

    fn now(&self) -> Option<i64> {
        self.runtime.state.now(self.stream, self.wall_ms)
    }

    fn refuse_for_time(&self, event: &RoutedEvent<'_>) -> Option<(RejectKind, String)> {
        let ahead = event.event_time.saturating_sub(self.wall_ms);
        if self.stream.clock == StreamClock::Wall && ahead > self.stream.max_skew_ms {
            let reason = format!(
                "event time {} is {} ahead of the server's clock; max_skew allows {}",
                time::format_timestamp(event.event_time),
                time::format_span(ahead),
                time::format_span(self.stream.max_skew_ms),
            );
            return Some((RejectKind::Rejected, reason));
        }
        let now = self.now()?;
        let oldest = event.parts.iter().filter_map(|part| {
            self.catalog.windows(part.group).ok().map(|windows| windows.plan.late_before(now))
        });
        let oldest = oldest.min()?;
        (event.event_time < oldest).then(|| {
            let reason = format!(
                "event time {} is before {}, the oldest any window can still see",
                time::format_timestamp(event.event_time),
                time::format_timestamp(oldest),
            );
            (RejectKind::Late, reason)
        })
    }
}

/// Refuses rows of more fields than the stream has.
pub(super) fn check_fields(stream: &Stream, fields: usize) -> Result<(), Error> {
    if fields <= stream.fields.len() {
        return Ok(());
    }
    let allowed = format!("at most {}: prepare the stream again", stream.fields.len());
    Err(model::Error::invalid("field count", fields.to_string(), allowed).into())
}

fn tally(accepted: usize, rejects: &[Reject]) -> Outcome {
    let of = |kind| to_u32(rejects.iter().filter(|reject| reject.kind == kind).count());
    Outcome {
        applied: to_u32(accepted),
        duplicate: of(RejectKind::Duplicate),
        late: of(RejectKind::Late),
        rejected: of(RejectKind::Rejected),
    }
}
