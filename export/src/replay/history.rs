//! A history as the events and rows of a replay: what a server accepted, so that nothing is admitted or refused anew.
//!
//! | order | retractions and deletes |
//! |---|---|
//! | `event` | what was taken back, or deleted later, never was |
//! | `arrival` | they take effect when they arrived |
//!
//! Both go the way of the changes that they undo, to the partition of their entity, in the order of the log: of the history no more
//! is in memory than a batch of each of its files that is open.

use std::collections::VecDeque;
use std::path::Path;

use engine::Lsn;
use engine::changes::{Change, ChangeKind};
use engine::replay::{EventOrigin, ReplayPlan, ReplaySource};
use model::definition::{Definitions, Field, GroupKind, StreamClock};
use model::packed_row::{self, Cell};

use super::Replay;
use crate::Error;
use crate::history::{Changes, HistoryReader, HistorySource};

/// See the module.
pub(super) struct HistoryFeed<'a> {
    plan: &'a ReplayPlan,
    reader: HistoryReader,
    /// Changes so far, told as they are read.
    step: &'a (dyn Fn(u64) + Sync),
    seen: u64,
}

impl<'a> HistoryFeed<'a> {
    /// The history in the directory `root`, if one is given, for the target of `plan`.
    pub(super) fn open(
        plan: &'a ReplayPlan,
        root: Option<&Path>,
        step: &'a (dyn Fn(u64) + Sync),
    ) -> Result<Option<Self>, Error> {
        let reader = root.map(HistoryReader::open).transpose()?;
        Ok(reader.map(|reader| Self { plan, reader, step, seen: 0 }))
    }

    /// The server dropped files meanwhile: takes what there is now.
    pub(super) fn begin_again(&mut self) -> Result<(), Error> {
        (self.reader, self.seen) = (self.reader.again()?, 0);
        Ok(())
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
        // Deletes have the wall clock's time, which is none of an event clock.
        let is_event_clock = plan.clock == StreamClock::Event;
        let mut arrival = i64::MIN;
        let mut deletes = Deletes::of(self.plan, stream, &self.reader)?;
        let mut delete = |replay: &mut Replay<'_>, arrival: &mut i64, before: Lsn| {
            while let Some(it) = deletes.next_before(before)? {
                *arrival = if is_event_clock { *arrival } else { (*arrival).max(it.at_ms) };
                replay.delete(it.group, &it.key, *arrival)?;
            }
            Ok::<_, Error>(())
        };
        let (seen, step) = (&mut self.seen, self.step);
        self.reader.for_each(source, &mut |change| {
            *seen += 1;
            if seen.is_multiple_of(8192) {
                step(*seen);
            }
            delete(replay, &mut arrival, change.lsn)?;
            arrival = arrival.max(change.at_ms);
            let cells: Vec<_> = places.iter().map(|place| at(change.cells, *place)).collect();
            let mut values = Vec::new();
            match change.kind {
                ChangeKind::Retract => replay.retract(stream, &cells, arrival, &mut values),
                ChangeKind::Push => {
                    let Change { producer, sequence, index, .. } = *change;
                    let origin = EventOrigin { producer, sequence, index };
                    replay.accepted(stream, &cells, (origin, arrival), &mut values)
                }
                _ => Ok(()),
            }
        })?;
        delete(replay, &mut arrival, Lsn(u64::MAX))
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
        let (mut packed, mut taken, mut arrival) = (Vec::new(), 0, i64::MIN);
        self.reader.for_each(source, &mut |change| {
            arrival = arrival.max(change.at_ms);
            if change.kind == ChangeKind::Delete {
                return replay.delete(group, change.key, arrival);
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

/// An entity was deleted from a group.
#[derive(Debug)]
struct Deleted {
    lsn: Lsn,
    group: usize,
    key: Vec<u8>,
    at_ms: i64,
}

/// Deletes from the window groups of a stream that are read, all of them together in the order of the log.
struct Deletes<'r> {
    groups: Vec<DeletesOfGroup<'r>>,
}

/// Those from one group: of one batch of its files at a time.
struct DeletesOfGroup<'r> {
    group: usize,
    changes: Changes<'r>,
    waiting: VecDeque<Deleted>,
}

impl<'r> Deletes<'r> {
    fn of(plan: &ReplayPlan, stream: usize, reader: &'r HistoryReader) -> Result<Self, Error> {
        let mut groups = Vec::new();
        for group in plan.groups().filter(|it| it.source == ReplaySource::Stream(stream)) {
            let source = HistorySource::Group(group.name.to_owned());
            if reader.began(&source).is_some() {
                let (group, changes) = (group.index, reader.changes(&source)?);
                groups.push(DeletesOfGroup { group, changes, waiting: VecDeque::new() });
            }
        }
        Ok(Self { groups })
    }

    /// The next delete, where it stands before record `lsn`.
    fn next_before(&mut self, lsn: Lsn) -> Result<Option<Deleted>, Error> {
        for group in &mut self.groups {
            group.look_ahead()?;
        }
        let next = |group: &DeletesOfGroup<'_>| group.waiting.front().map(|next| next.lsn);
        let first = self.groups.iter_mut().filter(|group| next(group).is_some_and(|it| it < lsn));
        let first = first.min_by_key(|group| (next(group), group.group));
        Ok(first.and_then(|group| group.waiting.pop_front()))
    }
}

impl DeletesOfGroup<'_> {
    /// Reads on until a delete waits, or none is left.
    fn look_ahead(&mut self) -> Result<(), Error> {
        let (group, waiting) = (self.group, &mut self.waiting);
        while waiting.is_empty() {
            let Some(batch) = self.changes.next() else { break };
            batch?.for_each(&mut |change| {
                let Change { lsn, key, at_ms, .. } = *change;
                waiting.push_back(Deleted { lsn, group, key: key.to_vec(), at_ms });
                Ok(())
            })?;
        }
        Ok(())
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
