//! A history as the events and rows of a replay: what a server accepted, so that nothing is admitted or refused anew.
//!
//! | order | retractions and deletes |
//! |---|---|
//! | `event` | what was taken back, or deleted later, never was |
//! | `arrival` | they take effect when they arrived |

use std::collections::HashMap;
use std::path::Path;

use engine::Lsn;
use engine::changes::{Change, ChangeKind};
use engine::replay::{EventOrigin, ReplayPlan, ReplaySource};
use model::definition::{Definitions, Field, GroupKind, Stream, StreamClock};
use model::packed_row::{self, Cell};
use model::value::ValueRef;

use super::feed::LeftOut;
use super::{Replay, ReplayOrder};
use crate::Error;
use crate::history::{HistoryReader, HistorySource};

/// What is undone, and by which record: nothing before it counts.
type Undone<K> = HashMap<K, Lsn>;

/// An event in one window group: group, entity key, id and event time.
type Place = (usize, Vec<u8>, Option<String>, i64);

/// An entity was deleted from a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Deleted {
    lsn: Lsn,
    group: usize,
    key: Vec<u8>,
    at_ms: i64,
}

/// See the module.
pub(super) struct HistoryFeed<'a> {
    plan: &'a ReplayPlan,
    reader: HistoryReader,
    order: ReplayOrder,
    /// Changes so far, told as they are read.
    step: &'a (dyn Fn(u64) + Sync),
    seen: u64,
}

impl<'a> HistoryFeed<'a> {
    /// The history in the directory `root`, if one is given, for the target of `plan`.
    pub(super) fn open(
        plan: &'a ReplayPlan,
        root: Option<&Path>,
        order: ReplayOrder,
        step: &'a (dyn Fn(u64) + Sync),
    ) -> Result<Option<Self>, Error> {
        let reader = root.map(HistoryReader::open).transpose()?;
        Ok(reader.map(|reader| Self { plan, reader, order, step, seen: 0 }))
    }

    /// Whether the history has the stream or row group of this name.
    pub(super) fn has(&self, source: &HistorySource) -> bool {
        self.reader.began(source).is_some()
    }

    /// Takes everything that `replay` reads of it, but for `given`, which comes from files. Returns for each row group how many rows
    /// there were.
    pub(super) fn feed(
        &mut self,
        replay: &mut Replay<'_>,
        given: &dyn Fn(&HistorySource) -> bool,
    ) -> Result<Vec<(String, u64)>, Error> {
        let (mut streams, mut rows) = (Vec::new(), Vec::new());
        for group in self.plan.groups() {
            match group.source {
                ReplaySource::Stream(stream) if streams.contains(&stream) => {}
                ReplaySource::Stream(stream) => {
                    streams.push(stream);
                    let source = HistorySource::Stream(self.plan.stream(stream)?.name.to_string());
                    if !given(&source) {
                        self.stream(replay, stream, &source)?;
                    }
                }
                ReplaySource::Rows => {
                    let source = HistorySource::Group(group.name.to_owned());
                    if !given(&source) {
                        rows.push((
                            group.name.to_owned(),
                            self.rows(replay, group.index, &source)?,
                        ));
                    }
                }
            }
        }
        Ok(rows)
    }

    /// Since when, in ms, nothing of `source` is missing; `None`: since the first of its changes.
    fn complete_since(&self, source: &HistorySource) -> Result<Option<i64>, Error> {
        let Some((from, _)) = self.reader.complete_from(source) else { return Ok(None) };
        let version = self.reader.versions().iter().find(|version| version.lsn == from);
        if let Some(version) = version {
            let is_event_clock = matches!(source, HistorySource::Stream(name)
            if self.reader.newest_definitions().stream(name).is_some_and(|(_, stream)| {
                stream.clock == StreamClock::Event
            }));
            // The wall clock says nothing of an event clock: that is at its first event.
            return Ok((!is_event_clock).then_some(version.applied_at_ms));
        }
        let mut since = None;
        self.reader.for_each(source, &mut |change| {
            if change.lsn >= from && since.is_none() {
                since = Some(change.at_ms);
            }
            Ok(())
        })?;
        Ok(Some(since.unwrap_or(i64::MAX)))
    }

    fn stream(
        &mut self,
        replay: &mut Replay<'_>,
        stream: usize,
        source: &HistorySource,
    ) -> Result<(), Error> {
        replay.observe_since(stream, self.complete_since(source)?);
        let plan = self.plan.stream(stream)?;
        let places = places(source, &self.reader.newest_definitions(), &plan.fields)?;
        let undone = self.retracted_of(stream, source, &places)?;
        // Deletes have the wall clock's time, which is none of an event clock.
        let is_event_clock = plan.clock == StreamClock::Event;
        let mut arrival = i64::MIN;
        let deleted = self.deleted_of(stream)?;
        let is_arrival = self.order == ReplayOrder::Arrival;
        let mut last_deleted: Undone<(usize, Vec<u8>)> = HashMap::new();
        for it in deleted.iter().filter(|_| !is_arrival) {
            last_deleted.insert((it.group, it.key.clone()), it.lsn);
        }
        let deleted = if is_arrival { deleted } else { Vec::new() };
        let mut deletes = deleted.iter().peekable();
        let (seen, step) = (&mut self.seen, self.step);
        self.reader.for_each(source, &mut |change| {
            *seen += 1;
            if seen.is_multiple_of(8192) {
                step(*seen);
            }
            while let Some(it) = deletes.next_if(|next| next.lsn < change.lsn) {
                arrival = if is_event_clock { arrival } else { arrival.max(it.at_ms) };
                replay.delete(it.group, &it.key, arrival)?;
            }
            arrival = arrival.max(change.at_ms);
            let cells: Vec<_> = places.iter().map(|place| at(change.cells, *place)).collect();
            let mut values = Vec::new();
            match change.kind {
                ChangeKind::Retract if self.order == ReplayOrder::Arrival => {
                    replay.retract(stream, &cells, arrival, &mut values)
                }
                ChangeKind::Push => {
                    let Change { producer, sequence, index, .. } = *change;
                    let origin = EventOrigin { producer, sequence, index };
                    let is_later = |lsn: Option<&Lsn>| lsn.is_some_and(|lsn| *lsn > change.lsn);
                    let name = (!undone.is_empty()).then(|| name_of(plan, &places, change));
                    let is_undone = |group: usize, key: &[u8]| {
                        let is_retracted = name.as_ref().is_some_and(|(id, time)| {
                            is_later(undone.get(&(group, key.to_vec(), id.clone(), *time)))
                        });
                        is_retracted || is_later(last_deleted.get(&(group, key.to_vec())))
                    };
                    let is_simple = undone.is_empty() && last_deleted.is_empty();
                    let is_undone: LeftOut<'_> = if is_simple { &|_, _| false } else { &is_undone };
                    replay.accepted(stream, &cells, (origin, arrival), &mut values, is_undone)
                }
                _ => Ok(()),
            }
        })?;
        for it in deletes {
            arrival = if is_event_clock { arrival } else { arrival.max(it.at_ms) };
            replay.delete(it.group, &it.key, arrival)?;
        }
        Ok(())
    }

    /// In order of events: what was taken back, from which groups and keys.
    fn retracted_of(
        &self,
        stream: usize,
        source: &HistorySource,
        places: &[Option<usize>],
    ) -> Result<Undone<Place>, Error> {
        let mut undone: Undone<Place> = HashMap::new();
        if self.order == ReplayOrder::Arrival {
            return Ok(undone);
        }
        let plan = self.plan.stream(stream)?;
        let groups: Vec<usize> = self.plan.groups().map(|group| group.index).collect();
        let mut intake = self.plan.intake(stream)?;
        self.reader.for_each(source, &mut |change| {
            if change.kind == ChangeKind::Retract {
                let cells: Vec<_> = places.iter().map(|it| at(change.cells, *it)).collect();
                intake.take_retraction(&cells, &mut Vec::new())?;
                let (id, time) = name_of(plan, places, change);
                for part in intake.parts() {
                    let Some(group) = groups.get(part.place) else { continue };
                    undone.insert((*group, part.key.to_vec(), id.clone(), time), change.lsn);
                }
            }
            Ok(())
        })?;
        Ok(undone)
    }

    /// Deletes from the window groups of `stream` that are read, in the order of the log: record, group, key and arrival.
    fn deleted_of(&self, stream: usize) -> Result<Vec<Deleted>, Error> {
        let mut deleted = Vec::new();
        for group in self.plan.groups().filter(|it| it.source == ReplaySource::Stream(stream)) {
            let source = HistorySource::Group(group.name.to_owned());
            if self.has(&source) {
                self.reader.for_each(&source, &mut |change| {
                    let Change { lsn, key, at_ms, .. } = *change;
                    deleted.push(Deleted { lsn, group: group.index, key: key.to_vec(), at_ms });
                    Ok(())
                })?;
            }
        }
        deleted.sort();
        Ok(deleted)
    }

    fn rows(
        &mut self,
        replay: &mut Replay<'_>,
        group: usize,
        source: &HistorySource,
    ) -> Result<u64, Error> {
        let was_empty = self.reader.complete_from(source).is_some_and(|(_, was_empty)| was_empty);
        if !was_empty {
            replay.rows_are_incomplete(group);
        }
        let definition = self.plan.definitions().groups.get(group);
        let fields = match definition.map(|group| &group.kind) {
            Some(GroupKind::Rows(rows)) => rows.features.clone(),
            _ => Vec::new(),
        };
        let places = places(source, &self.reader.newest_definitions(), &fields)?;
        let mut deleted: Undone<Vec<u8>> = HashMap::new();
        let is_arrival = self.order == ReplayOrder::Arrival;
        if !is_arrival {
            self.reader.for_each(source, &mut |change| {
                if change.kind == ChangeKind::Delete {
                    deleted.insert(change.key.to_vec(), change.lsn);
                }
                Ok(())
            })?;
        }
        let (mut packed, mut taken, mut arrival) = (Vec::new(), 0, i64::MIN);
        self.reader.for_each(source, &mut |change| {
            arrival = arrival.max(change.at_ms);
            if change.kind == ChangeKind::Delete {
                return if is_arrival { replay.delete(group, change.key, arrival) } else { Ok(()) };
            }
            if deleted.get(change.key).is_some_and(|lsn| *lsn > change.lsn) {
                return Ok(());
            }
            taken += 1;
            packed.clear();
            packed_row::write_row(
                &mut packed,
                &fields,
                places.iter().map(|it| at(change.cells, *it)),
            )?;
            let time = change.event_time.unwrap_or(change.at_ms);
            replay.row(group, change.key, (time, Some(arrival)), &packed)
        })?;
        Ok(taken)
    }
}

/// Where in the changes of `source` the values of `fields` are; nothing for a field that they have not.
fn places(
    source: &HistorySource,
    definitions: &Definitions,
    fields: &[Field],
) -> Result<Vec<Option<usize>>, Error> {
    let known = match source {
        HistorySource::Stream(name) => definitions.stream(name).map(|(_, it)| it.fields.clone()),
        HistorySource::Group(name) => definitions.group(name).map(|(_, it)| it.columns()),
    };
    let known = known.unwrap_or_default();
    let place = |field: &Field| {
        let Some(place) = known.iter().position(|it| it.name == field.name) else {
            return Ok(None);
        };
        let found = known.get(place).map_or(field.data_type, |it| it.data_type);
        if found == field.data_type {
            return Ok(Some(place));
        }
        let (name, wanted) = (&field.name, field.data_type);
        Err(Error::Usage(format!(
            "{source}: field {name} is {wanted}, in the history it is {found}"
        )))
    };
    fields.iter().map(place).collect()
}

fn at<'a>(cells: &[Cell<'a>], place: Option<usize>) -> Cell<'a> {
    place.and_then(|place| cells.get(place)).copied().unwrap_or(Cell::Absent)
}

fn cell<'a>(cells: &[Cell<'a>], places: &[Option<usize>], field: usize) -> Option<ValueRef<'a>> {
    at(cells, places.get(field).copied().flatten()).value()
}

/// What tells an event from others of its group and entity: its declared id, and its time.
fn name_of(
    stream: &Stream,
    places: &[Option<usize>],
    change: &Change<'_>,
) -> (Option<String>, i64) {
    let id = stream.event_id.and_then(|index| cell(change.cells, places, index)).map(own);
    let time = match cell(change.cells, places, stream.event_time) {
        Some(ValueRef::Timestamp(time)) => time,
        _ => i64::MIN,
    };
    (id, time)
}

fn own(value: ValueRef<'_>) -> String {
    value.to_owned().to_string()
}
