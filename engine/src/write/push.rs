//! Push events: decode and route, admit one by one, then one record and one pass over the shards.
//!
//! ```text
//! event ── malformed, wrong type, null time or id, too far ahead ──► rejected
//!       ── no window can see it any more ──────────────────────────► late
//!       ── its id arrived within `dedup` ──────────────────────────► duplicate
//!       ── otherwise ──────────────────────────────────────────────► accepted
//! ```

use model::definition::Stream;
use storage::Vfs;

use super::{
    Reject, RejectKind, WriteOptions, Written,
    applying::Applying,
    once,
    put::{check_batch, to_u32},
    record_bytes_max,
};
use crate::{
    Database, Error,
    apply::{Shards, admit_push, apply_push},
    catalog::{Catalog, StreamRuntime, WindowsRuntime},
    memory_limit::push_bytes,
    mutation::{self, Header, Push, PushEvent},
    producer::{Outcome, ProducerId},
    route::{EventPart, RouteSpace, RoutedEvent, parts_of, route_event, shards_of},
    stream::{
        ClockReading, DedupGuards, StreamState,
        admission::{Refusal, refuse_for_id, refuse_for_time},
        fingerprint,
    },
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
            // Before anything is logged.
            let needed = push_bytes(&routed, stream.dedup_ms.is_some(), bytes);
            let room = self.admit(&catalog, needed)?;
            let wall_ms = self.clock.wall_ms();
            let admission = Admission { catalog: &catalog, stream, state: &runtime.state, wall_ms };
            let (accepted, clock, mut ids) = admission.admit(routed, &mut rejects);
            let outcome = tally(accepted.len(), &rejects);
            if accepted.is_empty() {
                self.counters.events(&outcome);
                runtime.state.tally.count(&outcome);
                return Ok((self.wal.appended_lsn(), outcome, rejects));
            }
            let now = clock.now(stream, wall_ms).unwrap_or(wall_ms);
            let push = Push {
                header: Header { producer: options.producer, sequence, outcome },
                stream: to_u32(request.stream),
                fields: to_u32(request.fields),
                now,
                events: accepted.iter().map(|event| event.source).collect(),
            };
            let mut record = Vec::with_capacity(bytes);
            push.encode(&mut record);
            let mut guards = self.shards.write(shards_of(&accepted));
            admit_push(&catalog, &mut guards, accepted.iter().flat_map(|event| &event.parts))?;
            let lsn = self.wal.append(mutation::kind::PUSH, &record)?;
            let _applying = Applying::begin(self);
            // Nothing can be refused any more: only now is anything changed. The clock moves first, see `GroupMoment::keep_up`.
            runtime.state.moves(clock, now);
            ids.keep(clock.before(stream, wall_ms));
            let parts = parts_of(&accepted);
            let guarded = (&mut guards, Shards::LetGo);
            apply_push(&catalog, guarded, self.shards.hasher(), stream, parts, now);
            drop(guards);
            room.settle();
            self.counters.events(&outcome);
            runtime.state.tally.count(&outcome);
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
        let mut space = RouteSpace::default();
        for (index, event) in (0..).zip(&request.events) {
            let source = PushEvent { index, event };
            let fields = request.fields;
            match route_event(catalog, hasher, stream, fields, source, writer, &mut space) {
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

/// Decides about the events of one request, in their order. Nothing is changed: the request may be refused yet.
struct Admission<'a> {
    catalog: &'a Catalog,
    stream: &'a Stream,
    state: &'a StreamState,
    wall_ms: i64,
}

impl<'a> Admission<'a> {
    /// The events accepted, what the stream's clock shows with them, and the locks on their ids, to be kept until the record is in
    /// the log buffer.
    fn admit<'e>(
        &self,
        mut events: Vec<RoutedEvent<'e>>,
        rejects: &mut Vec<Reject>,
    ) -> (Vec<RoutedEvent<'e>>, ClockReading, DedupGuards<'a>) {
        let dedup_ms = self.stream.dedup_ms;
        let id =
            |event: &RoutedEvent<'_>| dedup_ms.and(event.declared_id.as_deref()).map(fingerprint);
        let mut ids = self.state.dedup.lock(events.iter().filter_map(id));
        let mut clock = self.state.clock();
        // Where they are: they are long, and mostly all are accepted.
        events.retain(|event| {
            let verdict = self.refuse_for_time(clock, event).or_else(|| {
                let (fingerprint, span_ms) = id(event).zip(dedup_ms)?;
                let arrival = clock.arrival(self.stream, self.wall_ms, event.event_time);
                let fresh = ids.note(fingerprint, arrival, span_ms);
                (!fresh).then(|| refuse_for_id(span_ms))
            });
            match verdict {
                None => clock.advance(event.event_time),
                Some((kind, reason)) => {
                    rejects.push(Reject { index: event.source.index, kind, reason });
                    return false;
                }
            }
            true
        });
        rejects.sort_by_key(|reject| reject.index);
        (events, clock, ids)
    }

    fn refuse_for_time(&self, clock: ClockReading, event: &RoutedEvent<'_>) -> Option<Refusal> {
        let times = (event.event_time, self.wall_ms);
        refuse_for_time(self.stream, clock, times, |now| {
            let windows = |part: &EventPart| self.catalog.windows(part.group).ok();
            let late_before = |windows: &WindowsRuntime| windows.plan.late_before(now);
            event.parts.iter().filter_map(windows).map(late_before).min()
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
