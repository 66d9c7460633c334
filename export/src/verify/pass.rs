//! One pass through history: the vectors of some reads, computed again.

use std::collections::HashMap;
use std::ops::ControlFlow;

use engine::Lsn;
use engine::changes::{Change, ChangeKind};
use engine::replay::{
    EntityReplay, EventIntake, EventOrigin, ReplayGroup, ReplayPlan, ReplaySource,
};
use model::column::Column;
use model::definition::{Field, Stream};
use model::packed_row::{self, Cell};
use model::status::Status;
use model::value::ValueRef;

use super::coverage::{Coverage, Unverifiable};
use super::entity::{Values, Watched};
use crate::Error;
use crate::history::{HistoryReader, HistorySource};
use crate::reads::{LoggedReads, ReadLayout};

/// Changes between two words about progress.
const STEP_CHANGES: u64 = 1 << 14;

/// What reads should have given.
pub(super) struct Computed {
    /// Columns of the vector, in the order of the reads.
    pub(super) columns: Vec<Column>,
    /// Of each read, why it cannot be computed.
    pub(super) refused: Vec<Option<Unverifiable>>,
}

/// See the module.
pub(super) struct Pass<'a> {
    reader: &'a HistoryReader,
    plan: &'a ReplayPlan,
    groups: Vec<Group<'a>>,
    /// No read saw a change behind this record.
    last: Lsn,
    refused: Vec<Option<Unverifiable>>,
    request_rows: Vec<Vec<u8>>,
    changes: u64,
}

/// A group that is read.
struct Group<'a> {
    about: ReplayGroup<'a>,
    entities: HashMap<Box<[u8]>, Watched<'a>>,
    values: Values,
    /// The record that defined it.
    defined: Lsn,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        reader: &'a HistoryReader,
        plan: &'a ReplayPlan,
        layout: &ReadLayout,
        reads: &[LoggedReads],
    ) -> Result<Self, Error> {
        let vectors: usize = reads.iter().map(LoggedReads::len).sum();
        let mut pass = Self {
            reader,
            plan,
            groups: Vec::new(),
            last: Lsn(0),
            refused: vec![None; vectors],
            request_rows: Vec::new(),
            changes: 0,
        };
        for (place, about) in plan.groups().enumerate() {
            let group = pass.watch(reads, (place, about))?;
            pass.groups.push(group);
        }
        if !plan.read_plan().request_fields().is_empty() {
            for batch in reads {
                for row in 0..batch.len() {
                    let mut packed = Vec::new();
                    batch.request(layout, row, &mut packed)?;
                    pass.request_rows.push(packed);
                }
            }
        }
        Ok(pass)
    }

    /// What is read of a group.
    fn watch(
        &mut self,
        reads: &[LoggedReads],
        (place, about): (usize, ReplayGroup<'a>),
    ) -> Result<Group<'a>, Error> {
        let entity = self.plan.entity(about.index)?;
        let defined = self.defined(about.index);
        let coverage = match about.source {
            ReplaySource::Rows => Coverage::of_rows(self.reader, defined, about.name),
            ReplaySource::Stream(stream) => {
                let stream = self.plan.stream(stream)?;
                Coverage::of_windows(self.reader, defined, about.name, stream)
            }
        };
        let mut entities: HashMap<Box<[u8]>, Watched<'a>> = HashMap::new();
        let mut vector = 0_u32;
        for batch in reads {
            for row in 0..batch.len() {
                let (seen, moment) = (batch.seen(row, about.entity), batch.moment(row, place));
                let key = batch.key(row, about.entity)?.into_boxed_slice();
                entities.entry(key).or_default().read(vector, seen, moment);
                if let Some(refused) = self.refused.get_mut(vector as usize) {
                    *refused = refused.or_else(|| coverage.refuse(&entity, seen, &moment));
                }
                self.last = self.last.max(seen);
                vector += 1;
            }
        }
        let values = Values { vectors: Vec::new(), columns: entity.columns(vector as usize) };
        Ok(Group { about, entities, values, defined })
    }

    /// The record that defined group `index`.
    fn defined(&self, index: usize) -> Lsn {
        let has = |version| {
            let definitions = self.reader.definitions(version);
            definitions.is_some_and(|definitions| definitions.groups.len() > index)
        };
        let found = self.reader.versions().iter().find(|it| has(it.version));
        found.map_or(Lsn(0), |version| version.lsn)
    }

    /// Goes through the history.
    pub(super) fn compute(mut self, tell: &mut dyn FnMut(u64)) -> Result<Computed, Error> {
        for group in 0..self.groups.len() {
            self.group_changes(group, tell)?;
        }
        let mut streams: Vec<usize> = Vec::new();
        for group in &self.groups {
            if let ReplaySource::Stream(stream) = group.about.source
                && !streams.contains(&stream)
            {
                streams.push(stream);
            }
        }
        for stream in streams {
            self.stream_changes(stream, tell)?;
        }
        let plan = self.plan;
        for group in &mut self.groups {
            let fresh = || Ok(plan.entity(group.about.index)?);
            for watched in group.entities.values_mut() {
                watched.finish(&fresh, &mut group.values)?;
            }
        }
        self.vectors()
    }

    /// Goes through the rows and deletes of a row group, or the deletes of a window group, which its events find in their place.
    fn group_changes(&mut self, group: usize, tell: &mut dyn FnMut(u64)) -> Result<(), Error> {
        let (plan, mut changes) = (self.plan, self.changes);
        let Some(group) = self.groups.get_mut(group) else { return Ok(()) };
        let Group { about, entities, values, .. } = group;
        let source = HistorySource::Group(about.name.to_owned());
        let is_rows = about.source == ReplaySource::Rows;
        let features = match plan.definitions().groups.get(about.index) {
            Some(group) if is_rows => group.columns(),
            _ => Vec::new(),
        };
        let fresh = || Ok(plan.entity(about.index)?);
        let entity = fresh()?;
        if is_rows {
            entities.values_mut().for_each(|watched| watched.close(&entity));
        }
        let mut packed = Vec::new();
        each(self.reader, &source, self.last, &mut |change| {
            changes += 1;
            if changes.is_multiple_of(STEP_CHANGES) {
                tell(changes);
            }
            let Some(watched) = entities.get_mut(change.key) else { return Ok(()) };
            if !is_rows {
                watched.delete(change.lsn);
                return Ok(());
            }
            let Some((state, _)) = watched.before(change.lsn, &fresh, values)? else {
                return Ok(());
            };
            row_change(state, &features, change, &mut packed)
        })?;
        if !is_rows {
            entities.values_mut().for_each(|watched| watched.close(&entity));
        }
        self.changes = changes;
        Ok(())
    }

    /// Goes through the events of a stream, for all groups that it feeds.
    fn stream_changes(&mut self, stream: usize, tell: &mut dyn FnMut(u64)) -> Result<(), Error> {
        let (plan, reader) = (self.plan, self.reader);
        let definition = plan.stream(stream)?;
        let source = HistorySource::Stream(definition.name.to_string());
        let mut events = Events {
            intake: plan.intake(stream)?,
            stream: definition,
            plan,
            groups: &mut self.groups,
        };
        let mut changes = self.changes;
        each(reader, &source, self.last, &mut |change| {
            changes += 1;
            if changes.is_multiple_of(STEP_CHANGES) {
                tell(changes);
            }
            events.change(change)
        })?;
        self.changes = changes;
        Ok(())
    }

    /// The values of all groups in the order of the reads, with derived ones.
    fn vectors(self) -> Result<Computed, Error> {
        let (rows, outputs) = (self.refused.len(), self.plan.read_plan().outputs());
        let stored = outputs.len() - self.plan.read_plan().derived_count();
        let types = outputs.iter().take(stored).map(|(_, data_type)| *data_type);
        let mut columns: Vec<_> = types.map(|data_type| Column::new(data_type, rows)).collect();
        for group in self.groups {
            let mut rows_of = vec![0; rows];
            for (row, vector) in group.values.vectors.iter().enumerate() {
                if let Some(place) = rows_of.get_mut(*vector as usize) {
                    *place = row;
                }
            }
            for (output, values) in group.about.outputs.iter().zip(group.values.columns) {
                let Some(column) = columns.get_mut(*output) else { continue };
                for row in &rows_of {
                    push_row(column, values.get(*row)?);
                }
            }
        }
        let request_rows: Vec<_> = self.request_rows.iter().map(Vec::as_slice).collect();
        self.plan.derive(&mut columns, &request_rows, rows)?;
        Ok(Computed { columns, refused: self.refused })
    }
}

fn push_row(column: &mut Column, (status, value): (Status, Option<ValueRef<'_>>)) {
    match value {
        Some(value) => column.push(status, value),
        None => column.push_empty(status),
    }
}

/// Shows `visit` the changes of `source` up to record `last`; none when it has no history.
fn each(
    reader: &HistoryReader,
    source: &HistorySource,
    last: Lsn,
    visit: &mut dyn FnMut(&Change<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    if !reader.sources().any(|known| known == source) {
        return Ok(());
    }
    for batch in reader.changes(source)? {
        let mut flow = ControlFlow::Continue(());
        batch?.for_each(&mut |change| {
            if change.lsn > last {
                flow = ControlFlow::Break(());
                return Ok(());
            }
            visit(change)
        })?;
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

/// A row that was put, or an entity that was deleted.
fn row_change(
    state: &mut EntityReplay<'_>,
    features: &[Field],
    change: &Change<'_>,
    packed: &mut Vec<u8>,
) -> Result<(), Error> {
    match (change.kind, change.event_time) {
        (ChangeKind::Put, Some(event_time)) => {
            let given = features.get(..change.cells.len()).unwrap_or(features);
            packed.clear();
            packed_row::write_row(packed, given, change.cells.iter().copied())?;
            Ok(state.put(event_time, given.len(), packed)?)
        }
        _ => {
            state.forget();
            Ok(())
        }
    }
}

/// Events on their way to the entities that are watched.
struct Events<'a, 'g> {
    intake: EventIntake<'a>,
    stream: &'a Stream,
    plan: &'a ReplayPlan,
    groups: &'g mut [Group<'a>],
}

impl Events<'_, '_> {
    fn change(&mut self, change: &Change<'_>) -> Result<(), Error> {
        // Fields that were added later were not given.
        let mut cells = change.cells.to_vec();
        cells.resize(self.stream.fields.len(), Cell::Absent);
        let mut values: Vec<Option<ValueRef<'_>>> = Vec::new();
        let wrong = |error: model::Error| {
            let (stream, lsn, index) = (&self.stream.name, change.lsn, change.index);
            Error::Usage(format!("history of {stream}: record {lsn}, change {index}: {error}"))
        };
        let retracted = if change.kind == ChangeKind::Retract {
            Some(self.intake.take_retraction(&cells, &mut values).map_err(wrong)?)
        } else {
            let origin = EventOrigin {
                producer: change.producer,
                sequence: change.sequence,
                index: change.index,
            };
            let known = self.groups.iter().filter(|group| group.defined < change.lsn);
            let known = known.map(|group| group.about.index + 1).max().unwrap_or(0);
            self.intake.take_accepted(&cells, origin, known, &mut values).map_err(wrong)?;
            None
        };
        for part in self.intake.parts() {
            let Some(group) = self.groups.get_mut(part.place) else { continue };
            let (plan, about) = (self.plan, group.about);
            let Some(watched) = group.entities.get_mut(part.key) else { continue };
            let fresh = || Ok(plan.entity(about.index)?);
            if group.defined >= change.lsn {
                continue;
            }
            let found = watched.before(change.lsn, &fresh, &mut group.values)?;
            let Some((state, mut floor)) = found else { continue };
            if self.stream.retract {
                // What may be retracted yet is kept by itself.
                let time = part.event.map_or(i64::MAX, |event| event.time);
                // The stream's now: on an event clock it may be no later than the event.
                let now = change.at_ms.min(time);
                floor = floor.min(now.saturating_sub(self.stream.horizon_ms));
            }
            match (&retracted, part.event) {
                (Some((time, id)), _) => _ = state.retract(*time, id),
                (None, Some(event)) => state.update(event, floor),
                (None, None) => {}
            }
        }
        Ok(())
    }
}
