//! One thread's share of a group: a partition's changes and reads, entity by entity, until each read has its values.
//!
//! ```text
//! order of arrival   change ─ read ─ retraction ─ read ─ delete ─ read     each takes effect where it stands
//! order of events    delete ─ … ─ change ─ change ─ retraction ─ read      what came before a delete never was, nor what of one time
//!                                 └─ of one time, as they came ─┘          and id came before a retraction
//! ```

use std::collections::HashMap;

use engine::replay::{EntityReplay, ReplayMoment, ReplayPlan, ReplaySource};
use stdx::sync::atomic::Ordering;

use super::{
    entry::{Entry, arrange},
    group::GroupStore,
    marks::Marks,
    record::Record,
    results::{Part, Results, place_of},
    store::Loaded,
};
use crate::Error;

/// See the module.
#[derive(Debug)]
pub(super) struct Worker<'p> {
    store: &'p GroupStore<'p>,
    entity: EntityReplay<'p>,
    /// Of the group's stream; 0 for rows.
    horizon_ms: i64,
    spare: Vec<Entry>,
}

/// What a partition gives of each batch of the spine, as it is read: no value is moved from here to its place in a column.
struct Given(Vec<Part>);

/// What the changes of a partition are read from.
#[derive(Clone, Copy)]
struct Taken<'a> {
    bytes: &'a [u8],
    marks: Option<&'a Marks>,
}

/// Which changes of one entity never were, in order of events: those that came before these places.
#[derive(Debug, Default)]
struct Undone {
    /// The last delete.
    deleted: Option<u32>,
    /// Of each id the last retraction, among what is of one time.
    retracted: HashMap<u64, u32>,
}

impl Undone {
    fn has(&self, entry: &Entry, record: &Record<'_>) -> bool {
        let is_later = |place: Option<&u32>| place.is_some_and(|place| *place > entry.at);
        let is_retracted = match record {
            Record::Event { told, .. } => is_later(self.retracted.get(&told.id)),
            _ => false,
        };
        is_retracted || is_later(self.deleted.as_ref())
    }
}

impl<'p> Worker<'p> {
    /// One who brings changes and reads of a group together.
    ///
    /// # Errors
    /// [`Error::Engine`] never, since the plan has the group.
    pub(super) fn new(store: &'p GroupStore<'p>, plan: &'p ReplayPlan) -> Result<Self, Error> {
        let entity = plan.entity(store.group.index)?;
        // In the order of arrival, events are not in that of their times.
        let entity = if store.shape.has_time { entity } else { entity.in_order() };
        let horizon_ms = match store.group.source {
            ReplaySource::Stream(stream) => plan.stream(stream)?.horizon_ms,
            ReplaySource::Rows => 0,
        };
        Ok(Worker { store, entity, horizon_ms, spare: Vec::new() })
    }

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
        let mut given = self.room_for(&reads.entries, results.batches());
        let Loaded { entries, bytes } = &changes;
        let (mut rest, taken) = (entries.as_slice(), Taken { bytes, marks });
        for reads in reads.entries.chunk_by(|a, b| a.entity() == b.entity()) {
            let Some(entity) = reads.first().map(Entry::entity) else { continue };
            let before = rest.iter().take_while(|change| change.entity() < entity).count();
            rest = rest.get(before..).unwrap_or_default();
            let count = rest.iter().take_while(|change| change.entity() == entity).count();
            let (own, after) = rest.split_at(count);
            rest = after;
            self.entity(own, taken, reads, &mut given)?;
        }
        let parts = given.0.into_iter().enumerate();
        let mut parts = parts.filter(|(_, part)| !part.rows.is_empty());
        let group = self.store.place;
        parts.try_for_each(|(batch, part)| results.add((group, batch), part))
    }

    /// Parts of `batches` batches, each with room for its rows among `reads`.
    fn room_for(&self, reads: &[Entry], batches: usize) -> Given {
        let mut counts = vec![0_usize; batches];
        for read in reads {
            if let Some(count) = counts.get_mut(place_of(read.at).0) {
                *count += 1;
            }
        }
        let part = |count: usize| Part {
            rows: Vec::with_capacity(count),
            incomplete: Vec::with_capacity(count),
            columns: if count > 0 { self.entity.columns(count) } else { Vec::new() },
        };
        Given(counts.into_iter().map(part).collect())
    }

    /// Brings the changes of one entity and the reads of it together, both in order.
    fn entity(
        &mut self,
        changes: &[Entry],
        taken: Taken<'_>,
        reads: &[Entry],
        given: &mut Given,
    ) -> Result<(), Error> {
        let store = self.store;
        let moment = |read: &Entry| {
            let as_of = read.order.saturating_add(store.behind_ms);
            ReplayMoment::at(as_of, store.exclusive, store.since.at(read.order))
        };
        self.entity.forget();
        let mut undone = store.shape.is_foreseen().then(|| self.deleted(changes, taken));
        let mut waiting = changes;
        if let Some(first) = reads.first().filter(|_| !store.shape.has_time) {
            let late = self.entity.late_before(moment(first).x());
            let dead = waiting.partition_point(|change| change.order < late);
            waiting = waiting.get(dead..).unwrap_or_default();
        }
        let mut applied = 0;
        for read in reads {
            let moment = moment(read);
            // Each is applied now, so that none is looked at in vain, as a binary search would.
            let is_seen = |change: &&Entry| change.order <= read.order;
            let (now, later) = waiting.split_at(waiting.iter().take_while(is_seen).count());
            applied += match &mut undone {
                Some(undone) => self.apply_kept(now, taken, undone, moment.x())?,
                None => self.apply(now, taken, moment.x())?,
            };
            waiting = later;
            let is_unknown = store.is_incomplete && applied == 0;
            let (batch, row) = place_of(read.at);
            let Some(part) = given.0.get_mut(batch) else { continue };
            let is_incomplete = self.entity.read(&moment, &mut part.columns)?;
            part.incomplete.push(is_incomplete || is_unknown);
            part.rows.push(row);
        }
        store.applied.fetch_add(applied as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Applies changes; how many.
    fn apply(&mut self, changes: &[Entry], taken: Taken<'_>, floor: i64) -> Result<usize, Error> {
        for change in changes {
            self.change(change, self.read(change, taken), taken.marks, floor)?;
        }
        Ok(changes.len())
    }

    /// Applies those changes that were not undone later, and are all there is of their times; how many.
    fn apply_kept(
        &mut self,
        changes: &[Entry],
        taken: Taken<'_>,
        undone: &mut Undone,
        floor: i64,
    ) -> Result<usize, Error> {
        let mut applied = 0;
        for same in changes.chunk_by(|a, b| a.order == b.order) {
            undone.retracted.clear();
            for entry in same {
                if let Record::Retracted { id } = self.read(entry, taken) {
                    undone.retracted.insert(id, entry.at);
                }
            }
            for entry in same {
                let record = self.read(entry, taken);
                let is_change = matches!(record, Record::Event { .. } | Record::Row { .. });
                if is_change && !undone.has(entry, &record) {
                    self.change(entry, record, taken.marks, floor)?;
                    applied += 1;
                }
            }
        }
        Ok(applied)
    }

    /// Deletes among `changes`: they stand before all else.
    fn deleted(&self, changes: &[Entry], taken: Taken<'_>) -> Undone {
        let first = changes.iter().take_while(|change| change.order == i64::MIN);
        let deletes = first.filter(|it| matches!(self.read(it, taken), Record::Delete));
        Undone { deleted: deletes.map(|delete| delete.at).max(), ..Undone::default() }
    }

    #[inline]
    fn read<'a>(&self, entry: &Entry, taken: Taken<'a>) -> Record<'a> {
        self.store.shape.read(entry, taken.bytes, self.store.group.source == ReplaySource::Rows)
    }

    #[inline]
    fn change(
        &mut self,
        entry: &Entry,
        record: Record<'_>,
        marks: Option<&Marks>,
        floor: i64,
    ) -> Result<(), Error> {
        let shape = self.store.shape;
        match record {
            Record::Event { told, .. } if marks.is_some_and(|marks| marks.has(told.number)) => {}
            Record::Event { event, .. } => {
                // What may be taken back has to be there by itself until its horizon is over.
                // Then its stream's now was no earlier than the event, and on an event clock maybe no later.
                let is_kept = shape.has_kind && shape.has_time;
                let now = entry.order.min(event.time);
                let floor = if is_kept { floor.min(self.floor_at(now)) } else { floor };
                self.entity.update(event, floor);
            }
            Record::Row { time, row } => self.entity.put(time, usize::MAX, row)?,
            Record::Retraction { time, id } => _ = self.entity.retract(time, id),
            Record::Delete => self.entity.forget(),
            Record::Retracted { .. } => {}
        }
        Ok(())
    }

    /// The least as-of that was exact when it was `now` on the stream's clock, both in ms.
    fn floor_at(&self, now: i64) -> i64 {
        now.saturating_sub(self.horizon_ms)
    }
}
