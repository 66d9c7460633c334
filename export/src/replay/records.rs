//! Events and rows of files into a replay. What a record's fields are, and what is wrong with it, is said as for `larder push` and
//! `larder put`: by [`crate::input`].

use std::path::{Path, PathBuf};

use engine::{
    RejectKind,
    replay::{DirectFields, ReplayPlan},
};
use model::{
    definition::Field,
    key::KeyType,
    name::Name,
    packed_row::{self, Cell},
    value::{DataType, ValueRef},
};

use super::{
    Direct, Replay, Verdict,
    files::{Known, Rejected, ReplayStep, ReplayWatcher},
};
use crate::{
    Error,
    input::{Input, Mapping, Rows, Wanted},
};

/// The column of a row's event time.
const EVENT_TIME: &str = "event_time";
/// The field of arrivals, when their column's name is none that a field can have.
const ARRIVAL: &str = "larder_arrival";
/// Records between two words about progress.
const STEP_RECORDS: u64 = 8192;

/// A column of an event or row file that gives a field of another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayMap {
    /// The stream or row group whose files it is about; all that have the field when none is named.
    pub source: Option<String>,
    /// The field.
    pub field: String,
    /// The column.
    pub column: String,
}

impl ReplayMap {
    /// True when it is about `source`, whose files give the fields `names`.
    fn is_of(&self, source: &str, names: &[String]) -> bool {
        let is_named = self.source.as_deref().is_none_or(|named| named == source);
        is_named && (self.source.is_some() || names.contains(&self.field))
    }
}

/// Refuses a map that is about none of the streams and row groups that are `known`.
///
/// # Errors
/// [`Error::Usage`] names the fields that there are.
pub(super) fn check_maps(
    plan: &ReplayPlan,
    maps: &[ReplayMap],
    known: &Known<'_>,
) -> Result<(), Error> {
    let definitions = plan.definitions();
    let mut sources: Vec<(&str, Vec<String>)> = Vec::new();
    for (index, name) in &known.streams {
        sources.push((name, names_of(&plan.stream(*index)?.fields, None)));
    }
    for (index, name) in &known.row_groups {
        let Some(group) = definitions.groups.get(*index) else { continue };
        let entity = definitions.entities.get(group.entity);
        let entity = entity.map(|entity| (entity.name.to_string(), entity.key.clone()));
        let mut names = names_of(&group.columns(), entity.as_ref());
        names.push(EVENT_TIME.to_owned());
        sources.push((name, names));
    }
    for map in maps {
        let mut about = sources.iter().filter(|(name, names)| map.is_of(name, names));
        if about.next().is_some_and(|(_, names)| names.contains(&map.field)) {
            continue;
        }
        let named = |(name, _): &&(&str, _)| map.source.as_deref().is_none_or(|of| of == *name);
        let known = sources.iter().filter(named);
        let known: Vec<_> =
            known.map(|(name, names)| format!("{name}: {}", names.join(", "))).collect();
        let all = || sources.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let what = if known.is_empty() {
            format!("no stream or row group that is read is called so; there are {}", all())
        } else {
            format!("there is no field {}; there are, of {}", map.field, known.join("; of "))
        };
        let source = map.source.iter().map(|source| format!("{source}:")).collect::<String>();
        return Err(Error::Usage(format!("--map {source}{}={}: {what}", map.field, map.column)));
    }
    Ok(())
}

/// Names that a file's columns may be mapped to.
fn names_of(fields: &[Field], entity: Option<&(String, Vec<KeyType>)>) -> Vec<String> {
    let mut names: Vec<String> = fields.iter().map(|field| field.name.to_string()).collect();
    if let Some((entity, kinds)) = entity {
        names.push(entity.clone());
        let parts = if kinds.len() > 1 { kinds.len() } else { 0 };
        names.extend((1..=parts).map(|number| format!("{entity}_{number}")));
    }
    names
}

/// What is told of a file that does not say when its records arrived, though their order counts.
fn without_arrivals(column: &str, header: Option<&[String]>) -> String {
    let there = header.unwrap_or_default().join(", ");
    format!(
        "--order arrival needs the time at which each record arrived, and there is no column {column}: name one of {there} by \
         --arrival-column, take a history (it has them), or --order event, with --assumed-delay TIME for how late events come"
    )
}

/// What files are read into, and who hears of it.
pub(super) struct Records<'a, 'p, 'w> {
    pub(super) plan: &'a ReplayPlan,
    pub(super) replay: &'a mut Replay<'p>,
    /// The column of arrivals, where they count.
    pub(super) arrival: Option<&'a str>,
    pub(super) maps: &'a [ReplayMap],
    pub(super) watcher: &'a mut ReplayWatcher<'w>,
    /// Records that were read.
    pub(super) seen: u64,
    /// Of each file that has some, the columns that give nothing.
    pub(super) ignored: Vec<(PathBuf, Vec<String>)>,
}

impl Records<'_, '_, '_> {
    /// Takes the events of a file.
    ///
    /// # Errors
    /// [`Error::File`] when it is not what it must be, [`Error::Io`], and what the watcher says.
    pub(super) fn events(&mut self, stream: usize, input: Input) -> Result<(), Error> {
        let path = &input.path().to_owned();
        let definition = self.plan.stream(stream)?;
        let name = |index: usize| definition.fields.get(index).map(|field| field.name.to_string());
        let required = [name(definition.event_time), definition.event_id.and_then(name)];
        let required = required.into_iter().flatten().collect();
        let wanted = Wanted { fields: definition.fields.clone(), required, entity: None };
        let mut rows = self.bind(input, definition.name.as_str(), wanted)?;
        let (mut cells, mut values) = (Vec::new(), Vec::new());
        let arrival_field = self.arrival.map(|_| definition.fields.len());
        while rows.advance()? {
            match self.event_direct(stream, &mut rows, arrival_field) {
                Ok(Direct::Other) => {}
                Ok(direct) => {
                    if let Direct::Refused(refused) = direct {
                        self.refuse(path, &rows, refused.0, &refused.1)?;
                    }
                    self.count();
                    continue;
                }
                Err(error) => return Err(at(*error, path, &rows)),
            }
            let mut own = emptied(cells);
            let mut own_values: Vec<Option<ValueRef<'_>>> = no_values(values);
            let verdict = match rows.cells(&mut own) {
                Err(reason) => {
                    self.replay.reject(stream);
                    Verdict::Refused(RejectKind::Rejected, reason)
                }
                Ok(()) => {
                    let arrival = self.arrival.and_then(|_| time_of(own.pop()));
                    let verdict = self.replay.event(stream, &own, arrival, &mut own_values);
                    verdict.map_err(|error| at(error, path, &rows))?
                }
            };
            (cells, values) = (emptied(own), no_values(own_values));
            if let Verdict::Refused(kind, reason) = verdict {
                self.refuse(path, &rows, kind, &reason)?;
            }
            self.count();
        }
        Ok(())
    }

    /// Takes the current event where all of it is there and read as it is, as most are.
    #[inline]
    fn event_direct(
        &mut self,
        stream: usize,
        rows: &mut Rows,
        arrival_field: Option<usize>,
    ) -> Result<Direct, Box<Error>> {
        let Some(fields) = rows.exact() else { return Ok(Direct::Other) };
        let arrival = arrival_field.map(|field| fields.number(field, DataType::Timestamp));
        if arrival == Some(None) {
            return Ok(Direct::Other);
        }
        self.replay.event_direct(stream, &fields, arrival.flatten())
    }

    /// Takes the rows of a file; returns how many were taken and how many rejected.
    ///
    /// # Errors
    /// As [`Records::events`].
    pub(super) fn rows(&mut self, group: usize, input: Input) -> Result<(u64, u64), Error> {
        let path = &input.path().to_owned();
        let definitions = self.plan.definitions();
        let found = definitions.groups.get(group);
        let found = found.and_then(|group| Some((group, definitions.entities.get(group.entity)?)));
        let Some((definition, entity)) = found else { return Ok((0, 0)) };
        let features = definition.columns();
        let time = Field { name: Name::new(EVENT_TIME)?, data_type: DataType::Timestamp };
        let fields = features.iter().cloned().chain([time]).collect();
        let required = vec![EVENT_TIME.to_owned()];
        let entity = Some((entity.name.to_string(), entity.key.clone()));
        let wanted = Wanted { fields, required, entity };
        let mut rows = self.bind(input, definition.name.as_str(), wanted)?;
        let (mut taken, mut rejected, mut packed) = (0, 0, Vec::new());
        while rows.advance()? {
            let taken_row = self.row(group, &rows, &features, &mut packed);
            match taken_row.map_err(|error| at(error, path, &rows))? {
                Ok(()) => taken += 1,
                Err(reason) => {
                    rejected += 1;
                    self.refuse(path, &rows, RejectKind::Rejected, &reason)?;
                }
            }
            self.count();
        }
        Ok((taken, rejected))
    }

    /// Takes a row, or says why not.
    fn row(
        &mut self,
        group: usize,
        rows: &Rows,
        features: &[Field],
        packed: &mut Vec<u8>,
    ) -> Result<Result<(), String>, Error> {
        let mut cells = Vec::with_capacity(features.len() + 2);
        let key = match rows.cells(&mut cells).and_then(|()| rows.key()) {
            Ok(key) => key,
            Err(reason) => return Ok(Err(reason)),
        };
        let arrival = self.arrival.and_then(|_| time_of(cells.pop()));
        let Some(time) = time_of(cells.pop()) else {
            return Ok(Err(format!("{EVENT_TIME} is null")));
        };
        if cells.iter().all(|cell| matches!(cell, Cell::Absent)) {
            return Ok(Err("it gives no feature".to_owned()));
        }
        packed.clear();
        packed_row::write_row(packed, features, cells)?;
        self.replay.row(group, key.as_bytes(), (time, arrival), packed).map(Ok)
    }

    /// Binds a file of the stream or row group `source`, of which the fields of `wanted` are read, and arrivals behind them where
    /// they count.
    fn bind(&mut self, input: Input, source: &str, mut wanted: Wanted) -> Result<Rows, Error> {
        let path = input.path().to_owned();
        let names = names_of(&wanted.fields, wanted.entity.as_ref());
        let maps = self.maps.iter().filter(|map| map.is_of(source, &names));
        let mut pairs: Vec<_> = maps.map(|map| (map.field.clone(), map.column.clone())).collect();
        if let Some(column) = self.arrival {
            let lacks = |header: &[String]| !header.iter().any(|known| known == column);
            if input.header().is_some_and(lacks) {
                return Err(Error::file(&path, without_arrivals(column, input.header())));
            }
            let name = Name::new(column).or_else(|_| Name::new(ARRIVAL))?;
            pairs.push((name.to_string(), column.to_owned()));
            wanted.required.push(name.to_string());
            wanted.fields.push(Field { name, data_type: DataType::Timestamp });
        }
        let rows = input.bind(wanted, &Mapping::new(pairs)?)?;
        if !rows.ignored().is_empty() {
            self.ignored.push((path, rows.ignored().to_vec()));
        }
        Ok(rows)
    }

    fn refuse(
        &mut self,
        path: &Path,
        rows: &Rows,
        kind: RejectKind,
        reason: &str,
    ) -> Result<(), Error> {
        let (unit, number, origin) = (rows.unit(), rows.number(), rows.origin());
        (self.watcher.rejected)(&Rejected { path, unit, number, kind, reason, origin })
    }

    fn count(&mut self) {
        self.seen += 1;
        if self.seen.is_multiple_of(STEP_RECORDS) {
            (self.watcher.step)(ReplayStep::Events(self.seen));
        }
    }
}

/// What ends the replay, with the record at which it does.
fn at(error: Error, path: &Path, rows: &Rows) -> Error {
    match error {
        Error::Usage(what) => {
            Error::file(path, format!("{} {}: {what}", rows.unit(), rows.number()))
        }
        other => other,
    }
}

fn time_of(cell: Option<Cell<'_>>) -> Option<i64> {
    match cell?.value() {
        Some(ValueRef::Timestamp(time)) => Some(time),
        _ => None,
    }
}

/// The memory of `cells` for cells of another record.
fn emptied<'to>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'to>> {
    cells.clear();
    cells.into_iter().map(|_| Cell::Absent).collect()
}

/// As [`emptied`].
fn no_values<'to>(mut values: Vec<Option<ValueRef<'_>>>) -> Vec<Option<ValueRef<'to>>> {
    values.clear();
    values.into_iter().map(|_| None).collect()
}
