//! From the fields of an event to what it changes in each window group of its stream, or why it is refused.

use aggregate::{
    DirectEvents, DirectFields, PreparedEvent, StoredEvent, expr::decimal_from_f64, ingest,
};
use model::{
    definition::Stream,
    key,
    limits::{EVENT_TIME_ABS_MAX, FLOAT_FIELD_SCALE},
    packed_row::Cell,
    value::{DataType, ValueRef},
};

use crate::{
    Error,
    catalog::{Catalog, StreamRuntime},
    producer::ProducerId,
    read::ReadPlan,
    route::{
        EventId, declared_id_of, derive_id, event_time_of, key_values, no_key, ordered_bytes,
        prepare_part,
    },
    stream::{
        StreamState,
        admission::{Refusal, refuse_for_id, refuse_for_time},
        fingerprint,
    },
};

/// Who pushed an event: what its id is derived from where its stream declares none.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventOrigin {
    /// The writer.
    pub producer: ProducerId,
    /// The writer's number of the push; of an event of a file, its number there.
    pub sequence: u64,
    /// The event's place in the push.
    pub index: u32,
}

/// A float as events have it: the nearest decimal of [`FLOAT_FIELD_SCALE`] places; `None` when none is.
#[must_use]
pub fn exact_float(float: f64) -> Option<i64> {
    decimal_from_f64(float, FLOAT_FIELD_SCALE)
}

/// An event that is well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenEvent {
    /// When it happened, in ms.
    pub event_time: i64,
    /// Tells its id from others, as [`TakenEvent::id_of`] does: `None` where nobody asks for it.
    pub id: Option<u128>,
}

impl TakenEvent {
    /// A number for the bytes of a declared id. Two ids have the same with probability 2^-128.
    #[must_use]
    pub fn id_of(declared: &[u8]) -> u128 {
        fingerprint(declared)
    }
}

/// Events of one stream, one after the other. Memory of one event is used again for the next.
#[derive(Debug)]
pub struct EventIntake<'p> {
    catalog: &'p Catalog,
    stream: &'p Stream,
    runtime: &'p StreamRuntime,
    /// Clock and ids of this replay alone.
    state: StreamState,
    parts: Vec<Part<'p>>,
    /// Of the current event, where it is asked for.
    id: Vec<u8>,
}

/// What the current event changes in one group.
#[derive(Debug)]
struct Part<'p> {
    group: usize,
    /// The fields of its key, and what it asks of events that it takes as they are.
    direct: Option<(&'p [usize], &'p DirectEvents)>,
    /// Its place among the groups of the target, where that reads it.
    place: Option<usize>,
    /// False when the event describes no entity of the group.
    is_there: bool,
    key: Vec<u8>,
    prepared: PreparedEvent,
}

/// Writes the key that `fields` make; false when one is null, or they make none.
fn write_key<'a>(key: &mut Vec<u8>, fields: &[usize], values: &impl DirectFields<'a>) -> bool {
    let parts = fields.iter().map(|field| values.value(*field));
    matches!(key::write_values(key, parts), Ok(true))
}

/// The current event as a whole.
struct Prepared {
    /// In ms.
    event_time: i64,
    /// The id that it declares.
    declared: Option<EventId>,
    /// Whether it describes an entity of any group that is wanted, or there are no groups.
    is_somewhere: bool,
}

/// What an event changes in a group that the target reads.
#[derive(Debug, Clone, Copy)]
pub struct TakenPart<'a> {
    /// The group's place among those of the target.
    pub place: usize,
    /// Canonical bytes of its entity's key.
    pub key: &'a [u8],
    /// What to add; `None` for an event that no aggregate of the group counts.
    pub event: Option<StoredEvent<'a>>,
}

impl<'p> EventIntake<'p> {
    pub(super) fn new(catalog: &'p Catalog, read: &ReadPlan, index: usize) -> Result<Self, Error> {
        let (stream, runtime) = catalog.stream(index)?;
        let direct = |group: usize| {
            let windows = catalog.windows(group).ok()?;
            Some((windows.key.as_slice(), windows.direct.as_ref()?))
        };
        let part = |group: &usize| Part {
            group: *group,
            direct: direct(*group),
            place: read.groups().position(|read| read.group == *group),
            is_there: false,
            key: Vec::new(),
            prepared: PreparedEvent::default(),
        };
        let parts = runtime.groups.iter().map(part).collect();
        Ok(Self { catalog, stream, runtime, state: StreamState::default(), parts, id: Vec::new() })
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &'p Stream {
        self.stream
    }

    /// Takes the fields of an event, as a push would: every window group of the stream must be able to hold it, also those that
    /// the target does not read. `values` is memory to be used again.
    ///
    /// # Errors
    /// What is wrong with the event, for its sender.
    pub fn take<'a>(
        &mut self,
        cells: &[Cell<'a>],
        origin: EventOrigin,
        values: &mut Vec<Option<ValueRef<'a>>>,
    ) -> Result<TakenEvent, model::Error> {
        let Prepared { event_time, declared, is_somewhere } =
            self.prepare(cells, origin, values, |_| true)?;
        if !is_somewhere {
            return Err(no_key(self.stream));
        }
        let declared = self.stream.dedup_ms.and(declared.as_deref());
        Ok(TakenEvent { event_time, id: declared.map(fingerprint) })
    }

    /// Takes the fields of an event that was accepted when the first `groups` groups were defined: those defined later never got it,
    /// and what the target does not read is left out. It has an id even where none is declared: that of no bytes.
    ///
    /// # Errors
    /// What is wrong with the event: it cannot have been accepted.
    pub fn take_accepted<'a>(
        &mut self,
        cells: &[Cell<'a>],
        origin: EventOrigin,
        groups: usize,
        values: &mut Vec<Option<ValueRef<'a>>>,
    ) -> Result<TakenEvent, model::Error> {
        let wanted = |part: &Part<'_>| part.place.is_some() && part.group < groups;
        let Prepared { event_time, declared, .. } = self.prepare(cells, origin, values, wanted)?;
        let id = TakenEvent::id_of(declared.as_deref().unwrap_or_default());
        Ok(TakenEvent { event_time, id: Some(id) })
    }

    /// Takes the row of a retraction, of which time, id and keys count: the time in ms and the id of what goes, from each of
    /// [`EventIntake::parts`], which add nothing.
    ///
    /// # Errors
    /// What is wrong with the row: it cannot have been accepted.
    pub fn take_retraction<'a>(
        &mut self,
        cells: &[Cell<'a>],
        values: &mut Vec<Option<ValueRef<'a>>>,
    ) -> Result<(i64, Box<[u8]>), model::Error> {
        ingest::exact_fields(self.stream, cells, values)?;
        let time = event_time_of(self.stream, values)?;
        let id = declared_id_of(self.stream, values)?.unwrap_or_default().into_boxed_slice();
        for part in &mut self.parts {
            let windows = part.place.and_then(|_| self.catalog.windows(part.group).ok());
            let key = windows.map(|windows| key_values(values, &windows.key));
            part.is_there =
                key.map_or(Ok(false), |values| key::write_values(&mut part.key, values))?;
            part.prepared = PreparedEvent::default();
        }
        Ok((time, id))
    }

    /// Prepares the event for the groups that are `wanted`.
    fn prepare<'a>(
        &mut self,
        cells: &[Cell<'a>],
        origin: EventOrigin,
        values: &mut Vec<Option<ValueRef<'a>>>,
        wanted: impl Fn(&Part<'_>) -> bool,
    ) -> Result<Prepared, model::Error> {
        ingest::exact_fields(self.stream, cells, values)?;
        let event_time = event_time_of(self.stream, values)?;
        let declared = declared_id_of(self.stream, values)?;
        let derived;
        let id: &[u8] = match &declared {
            Some(id) => id,
            None if !self.runtime.has_ids => &[],
            None => {
                derived = derive_id(origin.producer, origin.sequence, origin.index);
                &derived
            }
        };
        let mut is_somewhere = self.runtime.groups.is_empty();
        for part in &mut self.parts {
            let event = (values.as_slice(), event_time, id);
            let (group, is_wanted) = (part.group, wanted(part));
            let (key, prepared) = (&mut part.key, &mut part.prepared);
            part.is_there = is_wanted && prepare_part(self.catalog, group, event, key, prepared)?;
            is_somewhere |= part.is_there;
        }
        Ok(Prepared { event_time, declared, is_somewhere })
    }

    /// As [`EventIntake::take`], of an event with a value in every field that somebody reads, where these are read as they are.
    /// `fields` has floats made exact as [`ingest::exact_fields`] does. `None` for every other event, and for one that may not be
    /// valid: take it.
    #[inline]
    pub fn take_direct<'a>(
        &mut self,
        values: &impl DirectFields<'a>,
        origin: EventOrigin,
    ) -> Option<TakenEvent> {
        let event_time = values.number(self.stream.event_time, DataType::Timestamp)?;
        let is_possible = (-EVENT_TIME_ABS_MAX..=EVENT_TIME_ABS_MAX).contains(&event_time);
        if !is_possible || self.parts.is_empty() {
            return None;
        }
        self.id.clear();
        match self.stream.event_id.map(|field| values.value(field)) {
            Some(Some(ValueRef::String(id))) => self.id.extend_from_slice(id.as_bytes()),
            Some(Some(ValueRef::Bytes(id))) => self.id.extend_from_slice(id),
            Some(Some(ValueRef::I64(id))) => self.id.extend_from_slice(&ordered_bytes(id)),
            Some(_) => return None,
            None if !self.runtime.has_ids => {}
            None => {
                let id = derive_id(origin.producer, origin.sequence, origin.index);
                self.id.extend_from_slice(&id);
            }
        }
        for part in &mut self.parts {
            let (fields, plan) = part.direct?;
            let is_whole = match fields {
                // Nearly all keys that are numbers: the canonical bytes of one.
                [field] if let Some(number) = values.number(*field, DataType::I64) => {
                    part.key.clear();
                    part.key.extend_from_slice(&number.to_le_bytes());
                    true
                }
                fields => write_key(&mut part.key, fields, values),
            };
            part.is_there =
                is_whole && plan.prepare(values, event_time, &self.id, &mut part.prepared);
            if !part.is_there {
                return None;
            }
        }
        let is_told_apart = self.stream.dedup_ms.and(self.stream.event_id).is_some();
        Some(TakenEvent { event_time, id: is_told_apart.then(|| fingerprint(&self.id)) })
    }

    /// Decides about the event taken last, which arrived at `arrival_ms` of the wall clock, no earlier than the one before it:
    /// `None` when it is accepted.
    pub fn admit(&mut self, event: TakenEvent, arrival_ms: i64) -> Option<Refusal> {
        let parts = self.parts.iter().filter(|part| part.is_there);
        let oldest = |now: i64| {
            let windows = parts.filter_map(|part| self.catalog.windows(part.group).ok());
            windows.map(|windows| windows.plan.late_before(now)).min()
        };
        let times = (event.event_time, arrival_ms);
        if let Some(refusal) = refuse_for_time(self.stream, self.state.clock(), times, oldest) {
            return Some(refusal);
        }
        if let Some((id, span_ms)) = event.id.zip(self.stream.dedup_ms) {
            let arrival = self.state.arrival(self.stream, arrival_ms, event.event_time);
            if !self.state.dedup.lock([id].into_iter()).insert(id, arrival, span_ms) {
                return Some(refuse_for_id(span_ms));
            }
        }
        self.state.advance(event.event_time);
        let now = self.state.now(self.stream, arrival_ms).unwrap_or(arrival_ms);
        self.state.applies(now);
        None
    }

    /// The event of this id was retracted: the id is free again.
    pub fn forget(&mut self, id: &[u8]) {
        let id = fingerprint(id);
        self.state.dedup.lock([id].into_iter()).forget(id);
    }

    /// What the event taken last changes, group by group.
    pub fn parts(&self) -> impl Iterator<Item = TakenPart<'_>> {
        self.parts.iter().filter(|part| part.is_there).filter_map(|part| {
            let (key, event) = (part.key.as_slice(), part.prepared.stored());
            Some(TakenPart { place: part.place?, key, event })
        })
    }
}
