//! One group of the target: its changes and the reads of its entities, partition by partition, until both come together.

use engine::replay::{
    EntityReplay, ReplayGroup, ReplayMoment, ReplayPlan, ReplaySource, StoredEvent,
};
use stdx::sync::atomic::{AtomicU64, Ordering};

use super::{
    entry::{Entry, arrange},
    marks::Marks,
    memory::Memory,
    results::{Part, Results},
    store::{Loaded, Store},
    wanted::Wanted,
};
use crate::Error;

/// Since when a group is observed.
#[derive(Debug, Clone)]
pub(super) enum Since {
    /// Always the same, in ms.
    At(i64),
    /// As the earliest event was known: from each order on, in ms.
    Known(Vec<(i64, i64)>),
}

impl Since {
    fn at(&self, order: i64) -> i64 {
        match self {
            Self::At(since) => *since,
            Self::Known(steps) => {
                let after = steps.partition_point(|(from, _)| *from <= order);
                after
                    .checked_sub(1)
                    .and_then(|last| steps.get(last))
                    .map_or(i64::MAX, |last| last.1)
            }
        }
    }
}

/// What the records of a group's changes hold besides an event's own bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// The event time, where events are not in its order.
    pub(super) has_time: bool,
    /// The event's number, where some turn out to be duplicates.
    pub(super) has_number: bool,
    /// What it is, one of [`CHANGE`], [`RETRACTION`] and [`DELETE`], where changes may be undone.
    pub(super) has_kind: bool,
}

/// An event or row.
const CHANGE: u8 = 0;
/// An event is taken back.
const RETRACTION: u8 = 1;
/// The entity is forgotten.
const DELETE: u8 = 2;

/// See the module.
#[derive(Debug)]
pub(super) struct GroupStore<'p> {
    pub(super) group: ReplayGroup<'p>,
    /// Its place among the groups of the plan.
    place: usize,
    shape: Shape,
    changes: Store,
    reads: Store,
    /// What a read's order is less than its as-of, in ms.
    pub(super) behind_ms: i64,
    exclusive: bool,
    pub(super) since: Since,
    pub(super) wanted: Wanted,
    /// Changes outside of this are seen by no read: orders of changes, and times.
    pub(super) last_order: i64,
    pub(super) first_time: i64,
    pub(super) applied: AtomicU64,
    /// There were rows that are not there: an entity without any may have had some.
    pub(super) is_incomplete: bool,
}

impl<'p> GroupStore<'p> {
    /// A group whose reads see changes up to `behind_ms` before their as-of.
    pub(super) fn new(
        (place, group): (usize, ReplayGroup<'p>),
        shape: Shape,
        (behind_ms, exclusive): (i64, bool),
        (bits, memory): (u32, &Memory),
    ) -> Self {
        Self {
            group,
            place,
            shape,
            changes: Store::new(bits, memory),
            reads: Store::new(bits, memory),
            behind_ms,
            exclusive,
            since: Since::At(i64::MAX),
            wanted: Wanted::default(),
            last_order: i64::MIN,
            first_time: i64::MAX,
            applied: AtomicU64::new(0),
            is_incomplete: false,
        }
    }

    /// Notes a read of row `row` of the spine.
    ///
    /// # Errors
    /// [`Error::Io`] when memory is full and the file cannot be written.
    pub(super) fn read(&mut self, key: &[u8], as_of: i64, row: u32) -> Result<(), Error> {
        let (entity, order) = (Entry::entity_of(key), as_of.saturating_sub(self.behind_ms));
        self.last_order = self.last_order.max(order);
        // Until all are known: the earliest as-of.
        self.first_time = self.first_time.min(as_of);
        self.reads.add_number(entity, order, row)
    }

    /// All reads are noted: what no read sees need not be kept.
    ///
    /// # Errors
    /// [`Error::Engine`] never, since the plan has the group.
    pub(super) fn close_reads(&mut self, plan: &ReplayPlan) -> Result<(), Error> {
        let floor = self.first_time;
        self.first_time = plan.entity(self.group.index)?.late_before(floor);
        self.wanted = Wanted::of(&self.reads);
        Ok(())
    }

    /// Adds an event that takes effect at `order`.
    ///
    /// # Errors
    /// As [`GroupStore::read`].
    pub(super) fn event(
        &mut self,
        key: &[u8],
        order: i64,
        event: StoredEvent<'_>,
        number: u32,
    ) -> Result<(), Error> {
        if order > self.last_order || event.time < self.first_time {
            return Ok(());
        }
        let entity = Entry::entity_of(key);
        if !self.wanted.has(entity) {
            return Ok(());
        }
        let shape = self.shape;
        self.changes.add(entity, order, |out| {
            if shape.has_kind {
                out.push(CHANGE);
            }
            if shape.has_time {
                out.extend_from_slice(&event.time.to_le_bytes());
            }
            if shape.has_number {
                out.extend_from_slice(&number.to_le_bytes());
            }
            put_length(out, event.body.len() << 1 | usize::from(event.is_full));
            out.extend_from_slice(event.body);
        })
    }

    /// Adds a packed row that takes effect at `order`.
    ///
    /// # Errors
    /// As [`GroupStore::read`].
    pub(super) fn row(
        &mut self,
        key: &[u8],
        (order, event_time): (i64, i64),
        row: &[u8],
    ) -> Result<(), Error> {
        let entity = Entry::entity_of(key);
        if order > self.last_order || !self.wanted.has(entity) {
            return Ok(());
        }
        let has_kind = self.shape.has_kind;
        self.changes.add(entity, order, |out| {
            if has_kind {
                out.push(CHANGE);
            }
            out.extend_from_slice(&event_time.to_le_bytes());
            put_length(out, row.len());
            out.extend_from_slice(row);
        })
    }

    /// Changes may be undone: said before the first of them.
    pub(super) fn expect_undoing(&mut self) {
        self.shape.has_kind = true;
    }

    /// Undoes, from `order` on, the events of this time and id, or all there is of the entity.
    ///
    /// # Errors
    /// As [`GroupStore::read`].
    pub(super) fn undo(
        &mut self,
        key: &[u8],
        order: i64,
        event: Option<(i64, &[u8])>,
    ) -> Result<(), Error> {
        let entity = Entry::entity_of(key);
        if order > self.last_order || !self.wanted.has(entity) {
            return Ok(());
        }
        self.changes.add(entity, order, |out| match event {
            None => out.push(DELETE),
            Some((time, id)) => {
                out.push(RETRACTION);
                out.extend_from_slice(&time.to_le_bytes());
                put_length(out, id.len());
                out.extend_from_slice(id);
            }
        })
    }

    /// Number of partitions.
    pub(super) fn partitions(&self) -> usize {
        self.reads.partitions()
    }

    /// One who brings changes and reads together.
    ///
    /// # Errors
    /// [`Error::Engine`] never, since the plan has the group.
    pub(super) fn worker(&'p self, plan: &'p ReplayPlan) -> Result<Worker<'p>, Error> {
        let entity = plan.entity(self.group.index)?;
        // In the order of arrival, events are not in that of their times.
        let entity = if self.shape.has_time { entity } else { entity.in_order() };
        let horizon_ms = match self.group.source {
            ReplaySource::Stream(stream) => plan.stream(stream)?.horizon_ms,
            ReplaySource::Rows => 0,
        };
        Ok(Worker { store: self, entity, horizon_ms, spare: Vec::new() })
    }
}

/// A length in the fewest bytes, seven bits each, the lowest first.
fn put_length(out: &mut Vec<u8>, mut length: usize) {
    let low = |length: usize| u8::try_from(length & 0x7f).unwrap_or(0);
    while length >= 0x80 {
        out.push(low(length) | 0x80);
        length >>= 7;
    }
    out.push(low(length));
}

/// Reads records one after the other.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn at(bytes: &'a [u8], entry: &Entry) -> Self {
        let at = usize::try_from(entry.at).unwrap_or(usize::MAX);
        Self(bytes.get(at..).unwrap_or_default())
    }

    fn fixed<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        let Some((bytes, rest)) = self.0.split_first_chunk() else { return [0; COUNT] };
        self.0 = rest;
        *bytes
    }

    fn length(&mut self) -> usize {
        let (mut length, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.0.split_first() {
            self.0 = rest;
            length |= usize::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                break;
            }
            shift += 7;
        }
        length
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        self.0.get(..count).unwrap_or_default()
    }
}

/// One thread's share of a group.
#[derive(Debug)]
pub(super) struct Worker<'p> {
    store: &'p GroupStore<'p>,
    entity: EntityReplay<'p>,
    /// Of the group's stream; 0 for rows.
    horizon_ms: i64,
    spare: Vec<Entry>,
}

/// What a partition gives, as it is read.
struct Given {
    rows: Vec<u32>,
    incomplete: Vec<bool>,
    columns: Vec<model::column::Column>,
}

impl Worker<'_> {
    /// Brings the changes and reads of a partition together.
    ///
    /// # Errors
    /// [`Error::Io`] when what was spilled cannot be read, or results cannot be spilled.
    pub(super) fn partition(
        &mut self,
        index: usize,
        marks: Option<&Marks>,
        results: &Results,
    ) -> Result<(), Error> {
        let (mut changes, mut reads) =
            (self.store.changes.take(index)?, self.store.reads.take(index)?);
        arrange(&mut changes.entries, &mut self.spare, self.store.changes.bits());
        arrange(&mut reads.entries, &mut self.spare, self.store.reads.bits());
        let rows = reads.entries.len();
        let mut given = Given {
            rows: Vec::with_capacity(rows),
            incomplete: Vec::with_capacity(rows),
            columns: self.entity.columns(rows),
        };
        let mut rest = changes.entries.as_slice();
        for reads in reads.entries.chunk_by(|a, b| a.entity() == b.entity()) {
            let Some(entity) = reads.first().map(Entry::entity) else { continue };
            let before = rest.iter().take_while(|change| change.entity() < entity).count();
            rest = rest.get(before..).unwrap_or_default();
            let count = rest.iter().take_while(|change| change.entity() == entity).count();
            let (own, after) = rest.split_at(count);
            rest = after;
            self.entity(own, (&changes, marks), reads, &mut given)?;
        }
        let Given { rows, incomplete, columns } = &given;
        results.add(&Part { group: self.store.place, rows, incomplete, columns })
    }

    /// Brings the changes of one entity and the reads of it together, both in order.
    fn entity(
        &mut self,
        changes: &[Entry],
        (loaded, marks): (&Loaded, Option<&Marks>),
        reads: &[Entry],
        given: &mut Given,
    ) -> Result<(), Error> {
        let store = self.store;
        let moment = |read: &Entry| {
            let as_of = read.order.saturating_add(store.behind_ms);
            ReplayMoment::at(as_of, store.exclusive, store.since.at(read.order))
        };
        self.entity.forget();
        let mut waiting = changes;
        if let Some(first) = reads.first().filter(|_| !store.shape.has_time) {
            let late = self.entity.late_before(moment(first).x());
            let dead = waiting.partition_point(|change| change.order < late);
            waiting = waiting.get(dead..).unwrap_or_default();
        }
        let mut applied = 0;
        for read in reads {
            let moment = moment(read);
            let count = waiting.partition_point(|change| change.order <= read.order);
            let (now, later) = waiting.split_at(count);
            for change in now {
                self.change(change, &loaded.bytes, marks, moment.x())?;
            }
            applied += now.len();
            waiting = later;
            let is_unknown = store.is_incomplete && applied == 0;
            given.incomplete.push(self.entity.read(&moment, &mut given.columns)? || is_unknown);
            given.rows.push(read.at);
        }
        store.applied.fetch_add(applied as u64, Ordering::Relaxed);
        Ok(())
    }

    fn change(
        &mut self,
        change: &Entry,
        bytes: &[u8],
        marks: Option<&Marks>,
        floor: i64,
    ) -> Result<(), Error> {
        let mut bytes = Bytes::at(bytes, change);
        if self.store.shape.has_kind {
            let [kind] = bytes.fixed();
            if kind != CHANGE {
                self.undo(kind, bytes);
                return Ok(());
            }
        }
        if self.store.group.source == ReplaySource::Rows {
            let time = i64::from_le_bytes(bytes.fixed());
            let length = bytes.length();
            return Ok(self.entity.put(time, usize::MAX, bytes.bytes(length))?);
        }
        let shape = self.store.shape;
        let time = if shape.has_time { i64::from_le_bytes(bytes.fixed()) } else { change.order };
        if shape.has_number {
            let number = u32::from_le_bytes(bytes.fixed());
            if marks.is_some_and(|marks| marks.has(number)) {
                return Ok(());
            }
        }
        let head = bytes.length();
        let event = StoredEvent { time, is_full: head & 1 == 1, body: bytes.bytes(head >> 1) };
        // What may be taken back has to be there by itself until its horizon is over.
        // Then its stream's now was no earlier than the event, and on an event clock maybe no later.
        let now = change.order.min(time);
        let floor = if shape.has_kind { floor.min(self.floor_at(now)) } else { floor };
        self.entity.update(event, floor);
        Ok(())
    }

    /// The least as-of that was exact when it was `now` on the stream's clock, both in ms.
    fn floor_at(&self, now: i64) -> i64 {
        now.saturating_sub(self.horizon_ms)
    }

    fn undo(&mut self, kind: u8, mut bytes: Bytes<'_>) {
        if kind == DELETE {
            return self.entity.forget();
        }
        let time = i64::from_le_bytes(bytes.fixed());
        let length = bytes.length();
        self.entity.retract(time, bytes.bytes(length));
    }
}
