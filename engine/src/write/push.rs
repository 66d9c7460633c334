//! Push events: decode and route, admit one by one, then one record and one pass over the shards.
//!
//! ```text
//! event ── malformed, wrong type, null time or id, too far ahead ──► rejected
//!       ── no window can see it any more ──────────────────────────► late
//!       ── its id arrived within `dedup` ──────────────────────────► duplicate
//!       ── otherwise ──────────────────────────────────────────────► accepted
//! ```

use model::definition::Stream;
use smallvec::SmallVec;
use storage::{Lsn, Vfs};

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
    catalog::Catalog,
    memory_limit::push_bytes,
    mutation::{self, Header, Push, PushEvent},
    producer::{Outcome, ProducerId},
    route::{Draft, EventParts, RoutedEvent, Router, shards_of},
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

/// Memory of a push: whoever keeps it for the next one makes that allocate next to nothing.
#[derive(Debug, Default)]
pub struct PushSpace {
    events: Vec<RoutedEvent>,
    parts: EventParts,
    draft: Draft,
    record: Vec<u8>,
}

impl PushSpace {
    /// Bytes that are kept for the next push; without those in which one event is put together: they are no more than it takes in
    /// the record.
    #[must_use]
    pub fn allocated(&self) -> usize {
        let events = self.events.capacity() * size_of::<RoutedEvent>();
        events + self.parts.allocated() + self.record.capacity()
    }

    /// Nothing of the last push is left, long ids included, which have memory of their own.
    fn clear(&mut self) {
        self.events.clear();
        self.parts.clear();
        self.record.clear();
    }
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
        self.push_in(request, options, &mut PushSpace::default())
    }

    /// As [`Database::push`], in the memory of `space`.
    ///
    /// # Errors
    /// As [`Database::push`].
    pub fn push_in(
        &self,
        request: &PushRequest<'_>,
        options: &WriteOptions,
        space: &mut PushSpace,
    ) -> Result<Written, Error> {
        check_batch(request.events.len())?;
        // Whoever catches a panic may come with what that left.
        space.clear();
        let written = once(self, options, || self.push_new(request, options, space));
        space.clear();
        written
    }

    fn push_new(
        &self,
        request: &PushRequest<'_>,
        options: &WriteOptions,
        PushSpace { events, parts, draft, record }: &mut PushSpace,
    ) -> Result<(Lsn, Outcome, Vec<Reject>), Error> {
        let bytes = record_bytes_max(request.events.iter().map(|event| event.len()));
        self.wal.reserve(bytes)?;
        let catalog = self.catalog.read();
        let (stream, runtime) = catalog.stream(request.stream)?;
        check_fields(stream, request.fields)?;
        let sequence = self.sequence_of(options);
        let hasher = self.shards.hasher();
        let (fields, writer) = (request.fields, (options.producer, sequence));
        let mut router =
            Router { catalog: &catalog, hasher, stream, runtime, fields, writer, draft };
        let mut rejects = Vec::new();
        route_events(&mut router, request, (events, parts), &mut rejects);
        // Before anything is logged. Events that are all refused need no room to be told so.
        let ids = stream.dedup_ms.map_or(0, |_| events.len());
        let needed = if events.is_empty() { 0 } else { push_bytes(parts, ids, bytes) };
        let room = self.admit(&catalog, needed)?;
        let wall_ms = self.clock.wall_ms();
        let admission = Admission { catalog: &catalog, stream, state: &runtime.state, wall_ms };
        let (clock, mut ids) = admission.admit((events, parts), &mut rejects);
        let outcome = tally(events.len(), &rejects);
        if events.is_empty() {
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
            events: events.iter().map(|event| request.event(event.index)),
        };
        record.reserve(bytes);
        push.encode(record);
        let places = || events.iter().flat_map(RoutedEvent::places);
        let touched = shards_of(events.iter().flat_map(|event| event.parts(parts)));
        let mut guards = self.shards.write(touched);
        admit_push(&catalog, &mut guards, parts, places())?;
        let lsn = self.wal.append(mutation::kind::PUSH, record)?;
        let _applying = Applying::begin(self);
        // Nothing can be refused any more: only now is anything changed. The clock moves first, see `GroupMoment::keep_up`.
        runtime.state.moves(clock, now);
        ids.keep(clock.before(stream, wall_ms));
        let guarded = (&mut guards, Shards::LetGo);
        apply_push(&catalog, guarded, hasher, stream, (parts, places()), now);
        drop(guards);
        room.settle();
        self.counters.events(&outcome);
        runtime.state.tally.count(&outcome);
        Ok((lsn, outcome, rejects))
    }

    /// The writer's sequence, or a fresh number for nobody's writes: derived event ids need one.
    fn sequence_of(&self, options: &WriteOptions) -> u64 {
        if options.producer == ProducerId::default() {
            self.anonymous.lock().next_u64()
        } else {
            options.sequence
        }
    }
}

impl<'a> PushRequest<'a> {
    /// One of the events.
    fn event(&self, index: u32) -> PushEvent<'a> {
        let event = self.events.get(index as usize).copied().unwrap_or_default();
        PushEvent { index, event }
    }
}

fn route_events(
    router: &mut Router<'_>,
    request: &PushRequest<'_>,
    (events, parts): (&mut Vec<RoutedEvent>, &mut EventParts),
    rejects: &mut Vec<Reject>,
) {
    events.reserve(request.events.len());
    for index in 0..to_u32(request.events.len()) {
        match router.route(request.event(index), parts, |_| true) {
            Ok(event) => events.push(event),
            Err(error) => {
                let (kind, reason) = (RejectKind::Rejected, error.to_string());
                rejects.push(Reject { index, kind, reason });
            }
        }
    }
}

/// Decides about the events of one request, in their order. Nothing is changed: the request may be refused yet.
struct Admission<'a> {
    catalog: &'a Catalog,
    stream: &'a Stream,
    state: &'a StreamState,
    wall_ms: i64,
}

/// What [`WindowPlan::late_before`] said last of each group: the group, the now it was asked about, the answer.
///
/// [`WindowPlan::late_before`]: aggregate::WindowPlan::late_before
type LateBefore = SmallVec<[(usize, i64, i64); 2]>;

impl<'a> Admission<'a> {
    /// Leaves those `events` that are accepted, and adds the others to `rejects`. Returns what the stream's clock shows with the
    /// accepted ones, and the locks on their ids, which are to be held until the record is in the log buffer.
    fn admit(
        &self,
        (events, parts): (&mut Vec<RoutedEvent>, &EventParts),
        rejects: &mut Vec<Reject>,
    ) -> (ClockReading, DedupGuards<'a>) {
        let dedup_ms = self.stream.dedup_ms;
        let id = |event: &RoutedEvent| dedup_ms.and(event.declared_id.as_deref()).map(fingerprint);
        let mut ids = self.state.dedup.lock(events.iter().filter_map(id));
        let (mut clock, mut late) = (self.state.clock(), LateBefore::new());
        events.retain(|event| {
            let verdict = self.refuse_for_time(clock, (event, parts), &mut late).or_else(|| {
                let (fingerprint, span_ms) = id(event).zip(dedup_ms)?;
                let arrival = clock.arrival(self.stream, self.wall_ms, event.event_time);
                let fresh = ids.note(fingerprint, arrival, span_ms);
                (!fresh).then(|| refuse_for_id(span_ms))
            });
            match verdict {
                None => clock.advance(event.event_time),
                Some((kind, reason)) => {
                    rejects.push(Reject { index: event.index, kind, reason });
                    return false;
                }
            }
            true
        });
        rejects.sort_by_key(|reject| reject.index);
        (clock, ids)
    }

    fn refuse_for_time(
        &self,
        clock: ClockReading,
        (event, parts): (&RoutedEvent, &EventParts),
        late: &mut LateBefore,
    ) -> Option<Refusal> {
        let times = (event.event_time, self.wall_ms);
        refuse_for_time(self.stream, clock, times, |now| {
            let groups = event.parts(parts).iter().map(|part| part.group);
            groups.filter_map(|group| self.late_before(group, now, late)).min()
        })
    }

    /// The earliest time that some window of `group` can still see at `now`; `late` knows it from the event before, mostly.
    fn late_before(&self, group: usize, now: i64, late: &mut LateBefore) -> Option<i64> {
        let known = late.iter().position(|(known, ..)| *known == group);
        if let Some((_, _, before)) =
            known.and_then(|at| late.get(at)).filter(|(_, at, _)| *at == now)
        {
            return Some(*before);
        }
        let before = self.catalog.windows(group).ok()?.plan.late_before(now);
        match known.and_then(|at| late.get_mut(at)) {
            Some(known) => *known = (group, now, before),
            None => late.push((group, now, before)),
        }
        Some(before)
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
