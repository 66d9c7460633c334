//! A replay from files to a file.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_json::LineDelimitedWriter;
use arrow_select::concat::concat_batches;
use engine::{
    RejectKind,
    replay::{ReplayPlan, ReplaySource},
};
use model::{
    definition::Field,
    key, packed_row,
    packed_row::Cell,
    value::{DataType, ValueRef},
};

use super::{
    BATCH_ROWS, Replay, ReplayCounts, ReplayOptions, ReplayOrder, Verdict,
    output::Output,
    spine::{Spine, type_of},
    table::{Table, Wish},
};
use crate::{
    Error,
    file::{FileFormat, FileWritten, TableReader, TableWriter},
    key::key_columns,
};

/// Files of one replay.
#[derive(Debug, Clone)]
pub struct ReplayFiles {
    /// Event files, each with its stream; those of one stream in order.
    pub events: Vec<(Option<String>, PathBuf)>,
    /// Row files, each with its row group.
    pub rows: Vec<(String, PathBuf)>,
    /// The spine.
    pub spine: PathBuf,
    /// The spine's column of as-ofs.
    pub as_of_column: String,
    /// The column of arrivals in event and row files.
    pub arrival_column: String,
    /// The service, for the file's metadata.
    pub service: Option<String>,
    /// Also write the status of every feature.
    pub with_statuses: bool,
    /// Where vectors go; the extension says the format.
    pub out: PathBuf,
}

/// What a replay is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayStep {
    /// So many rows of the spine are read.
    Spine(u64),
    /// So many events and rows are read.
    Events(u64),
    /// So many of so many partitions are done.
    Partitions(u64, u64),
    /// So many of so many rows are written.
    Written(u64, u64),
}

/// A record of a file that does not count.
#[derive(Debug)]
pub struct Rejected<'a> {
    /// The file.
    pub path: &'a Path,
    /// Its row, from 1.
    pub row: u64,
    /// What became of it.
    pub kind: RejectKind,
    /// Why.
    pub reason: &'a str,
    record: RecordBatch,
}

impl Rejected<'_> {
    /// The record as a line of JSON, without its end.
    #[must_use]
    pub fn record(&self) -> String {
        let mut writer = LineDelimitedWriter::new(Vec::new());
        // What JSON has no way to write leaves nothing.
        let written = writer.write(&self.record).and_then(|()| writer.finish());
        let bytes = written.map(|()| writer.into_inner()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }
}

/// Who is told what goes on.
pub struct ReplayWatcher<'a> {
    /// Told of progress, by several threads.
    pub step: &'a (dyn Fn(ReplayStep) + Sync),
    /// Told of every record that is refused.
    pub rejected: &'a mut dyn FnMut(&Rejected<'_>) -> Result<(), Error>,
}

/// What a replay did.
#[derive(Debug)]
pub struct ReplayReport {
    /// Rows of the spine, each with its vector.
    pub rows: u64,
    /// Of each stream, what became of its events.
    pub streams: Vec<(String, ReplayCounts)>,
    /// Of each row group, how many rows were taken, and how many rejected.
    pub groups: Vec<(String, u64, u64)>,
    /// Rows whose windows reach back before there were events.
    pub incomplete: u64,
    /// Bytes that went to temporary files.
    pub spilled: u64,
    /// The result.
    pub written: FileWritten,
}

impl ReplayReport {
    /// Records that were rejected.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        let events = self.streams.iter().map(|(_, counts)| counts.rejected);
        events.chain(self.groups.iter().map(|(.., rejected)| *rejected)).sum()
    }
}

/// Replays files into a file.
///
/// # Errors
/// [`Error::File`] when a file is not what it must be, [`Error::Usage`] when one is missing or for no feature, [`Error::Io`].
pub fn replay_files(
    plan: &ReplayPlan,
    files: &ReplayFiles,
    options: ReplayOptions,
    mut watcher: ReplayWatcher<'_>,
) -> Result<ReplayReport, Error> {
    let format = FileFormat::of_path(&files.out)?;
    let sources = Sources::of(plan, files, options.order)?;
    let spine = Spine::new(plan, &files.as_of_column);
    let output = {
        let reader = TableReader::open(&files.spine, None)?;
        Output::new(plan, (&files.spine, reader.schema().as_ref()), files)?
    };
    let mut replay = Replay::new(plan, options)?;
    for batch in TableReader::open(&files.spine, None)? {
        spine.read(&files.spine, &batch?, &mut replay)?;
        (watcher.step)(ReplayStep::Spine(replay.rows().into()));
    }
    replay.close_spine()?;
    let mut seen = 0;
    for (stream, path) in &sources.events {
        seen = events(&mut replay, plan, (*stream, path), (&sources, seen), &mut watcher)?;
    }
    let mut groups = Vec::new();
    for (group, path) in &sources.rows {
        let (taken, rejected) = rows(&mut replay, plan, (*group, path), &sources, &mut watcher)?;
        let name = plan.definitions().groups.get(*group).map(|group| group.name.to_string());
        groups.push((name.unwrap_or_default(), taken, rejected));
    }
    let step = watcher.step;
    let replayed = replay.finish(&|done, all| {
        step(ReplayStep::Partitions(done as u64, all as u64));
    })?;
    let mut writer = TableWriter::create(&files.out, format, output.schema().clone())?;
    let (mut incomplete_rows, total) = (0, replayed.rows() as u64);
    let mut batches = Rebatched::new(TableReader::open(&files.spine, None)?);
    for batch in 0..replayed.batches() {
        let rows = batches.next(BATCH_ROWS)?;
        let place = (files.spine.as_path(), batch * BATCH_ROWS);
        let (bytes, ends) = spine.requests(plan, place, &rows)?;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let requests: Vec<&[u8]> =
            starts.zip(&ends).filter_map(|(start, end)| bytes.get(start..*end)).collect();
        let (columns, incomplete) = replayed.batch(batch, &requests)?;
        incomplete_rows += incomplete.iter().filter(|incomplete| **incomplete).count() as u64;
        writer.write(&output.batch(&rows, &columns, incomplete)?)?;
        step(ReplayStep::Written(writer.rows(), total));
    }
    let stream =
        |index: usize| plan.stream(index).map_or_else(|_| String::new(), |s| s.name.to_string());
    Ok(ReplayReport {
        rows: total,
        streams: replayed.counts.iter().map(|(index, counts)| (stream(*index), *counts)).collect(),
        groups,
        incomplete: incomplete_rows,
        spilled: replayed.spilled,
        written: writer.finish()?,
    })
}

/// Files by what they feed.
struct Sources<'a> {
    events: Vec<(usize, &'a Path)>,
    rows: Vec<(usize, &'a Path)>,
    /// The column of arrivals, where they count.
    arrival: Option<&'a str>,
}

impl<'a> Sources<'a> {
    fn of(plan: &ReplayPlan, files: &'a ReplayFiles, order: ReplayOrder) -> Result<Self, Error> {
        let mut streams: Vec<(usize, &str)> = Vec::new();
        let mut row_groups: Vec<(usize, &str)> = Vec::new();
        for group in plan.groups() {
            match group.source {
                ReplaySource::Rows => row_groups.push((group.index, group.name)),
                ReplaySource::Stream(index) if streams.iter().all(|(of, _)| *of != index) => {
                    streams.push((index, plan.stream(index)?.name.as_str()));
                }
                ReplaySource::Stream(_) => {}
            }
        }
        let mut sources = Self { events: Vec::new(), rows: Vec::new(), arrival: None };
        for (name, path) in &files.events {
            let of = match (name, streams.as_slice()) {
                (None, [only]) => Some(only),
                (None, _) => None,
                (Some(name), _) => streams.iter().find(|(_, known)| known == name),
            };
            let of =
                of.ok_or_else(|| unknown("--events STREAM=FILE", path, "streams", &streams))?;
            sources.events.push((of.0, path));
        }
        for (name, path) in &files.rows {
            let of = row_groups.iter().find(|(_, known)| known == name);
            let of =
                of.ok_or_else(|| unknown("--rows GROUP=FILE", path, "row groups", &row_groups))?;
            sources.rows.push((of.0, path));
        }
        for (index, name) in &streams {
            if sources.events.iter().all(|(of, _)| of != index) {
                return Err(Error::Usage(format!(
                    "features are of stream {name}: give --events {name}=FILE"
                )));
            }
        }
        for (index, name) in &row_groups {
            if sources.rows.iter().all(|(of, _)| of != index) {
                return Err(Error::Usage(format!(
                    "features are of row group {name}: give --rows {name}=FILE"
                )));
            }
        }
        sources.arrival = (order == ReplayOrder::Arrival).then_some(files.arrival_column.as_str());
        Ok(sources)
    }
}

fn unknown(option: &str, path: &Path, what: &str, known: &[(usize, &str)]) -> Error {
    let known: Vec<_> = known.iter().map(|(_, name)| *name).collect();
    let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::Usage(format!(
        "{}: say what it is of: {option}; the {what} read are {list}",
        path.display()
    ))
}

fn wishes(fields: &[Field], required: &[&str]) -> Vec<Wish> {
    let wish = |field: &Field| Wish {
        name: field.name.to_string(),
        data_type: field.data_type,
        is_required: required.contains(&field.name.as_str()),
        is_key: false,
    };
    fields.iter().map(wish).collect()
}

fn time_wish(name: &str) -> Wish {
    let (name, data_type) = (name.to_owned(), DataType::Timestamp);
    Wish { name, data_type, is_required: true, is_key: false }
}

/// Opens a file whose wished columns are read as they are written, where it is text: a decimal never passes through a float.
fn open_table(path: &Path, wishes: &[Wish]) -> Result<TableReader, Error> {
    let names: Vec<_> = wishes.iter().map(|wish| wish.name.as_str()).collect();
    TableReader::open_with_text(path, None, &names)
}

fn time_of(cell: Option<Cell<'_>>) -> Option<i64> {
    match cell {
        Some(Cell::Value(ValueRef::Timestamp(time))) => Some(time),
        _ => None,
    }
}

/// Takes the events of a file; returns how many there were with those before.
fn events(
    replay: &mut Replay<'_>,
    plan: &ReplayPlan,
    (stream, path): (usize, &Path),
    (sources, mut seen): (&Sources<'_>, u64),
    watcher: &mut ReplayWatcher<'_>,
) -> Result<u64, Error> {
    let definition = plan.stream(stream)?;
    let field = |index: usize| definition.fields.get(index).map(|field| field.name.as_str());
    let required: Vec<_> = [field(definition.event_time), definition.event_id.and_then(field)]
        .into_iter()
        .flatten()
        .collect();
    let mut wishes = wishes(&definition.fields, &required);
    wishes.extend(sources.arrival.map(time_wish));
    let mut row = 0_u64;
    for batch in open_table(path, &wishes)? {
        let batch = batch?;
        let table = Table::bind(path, &batch, &wishes)?;
        let (mut cells, mut values) = (Vec::new(), Vec::new());
        for place in 0..batch.num_rows() {
            row += 1;
            let verdict = match table.row(place, &mut cells) {
                Err(reason) => {
                    replay.reject(stream);
                    Verdict::Refused(RejectKind::Rejected, reason)
                }
                Ok(()) => {
                    let arrival = sources.arrival.and_then(|_| time_of(cells.pop()));
                    replay.event(stream, &cells, arrival, &mut values)?
                }
            };
            if let Verdict::Refused(kind, reason) = verdict {
                let record = batch.slice(place, 1);
                (watcher.rejected)(&Rejected { path, row, kind, reason: &reason, record })?;
            }
        }
        seen += batch.num_rows() as u64;
        (watcher.step)(ReplayStep::Events(seen));
    }
    Ok(seen)
}

/// The column of a row's event time.
const EVENT_TIME: &str = "event_time";

/// Takes the rows of a file; returns how many were taken and how many rejected.
fn rows(
    replay: &mut Replay<'_>,
    plan: &ReplayPlan,
    (group, path): (usize, &Path),
    sources: &Sources<'_>,
    watcher: &mut ReplayWatcher<'_>,
) -> Result<(u64, u64), Error> {
    let definitions = plan.definitions();
    let found =
        definitions.groups.get(group).and_then(|g| Some((g, definitions.entities.get(g.entity)?)));
    let Some((definition, entity)) = found else { return Ok((0, 0)) };
    let features = definition.columns();
    let keys = key_columns(entity);
    let parts = keys.len();
    let key = |(name, kind)| {
        let data_type = type_of(kind);
        Wish { name, data_type, is_required: true, is_key: true }
    };
    let mut wishes: Vec<Wish> = keys.into_iter().map(key).chain([time_wish(EVENT_TIME)]).collect();
    wishes.extend(sources.arrival.map(time_wish));
    let head = wishes.len();
    wishes.extend(self::wishes(&features, &[]));
    let (mut taken, mut rejected, mut row) = (0, 0, 0_u64);
    for batch in open_table(path, &wishes)? {
        let batch = batch?;
        let table = Table::bind(path, &batch, &wishes)?;
        let (mut cells, mut bytes, mut packed) = (Vec::new(), Vec::new(), Vec::new());
        for place in 0..batch.num_rows() {
            row += 1;
            let mut take = || -> Result<Result<(), String>, Error> {
                if let Err(reason) = table.row(place, &mut cells) {
                    return Ok(Err(reason));
                }
                let (front, own) = cells.split_at_checked(head).unwrap_or_default();
                let (key, times) = front.split_at_checked(parts).unwrap_or_default();
                match key::write_values(&mut bytes, key.iter().map(|cell| cell.value())) {
                    Ok(true) => {}
                    Ok(false) => {
                        return Ok(Err(format!("a part of {}, the key, is null", entity.name)));
                    }
                    Err(error) => return Ok(Err(error.to_string())),
                }
                let Some(time) = time_of(times.first().copied()) else {
                    return Ok(Err(format!("{EVENT_TIME} is null")));
                };
                if own.iter().all(|cell| matches!(cell, Cell::Absent)) {
                    return Ok(Err("it gives no feature".to_owned()));
                }
                packed.clear();
                packed_row::write_row(&mut packed, &features, own.iter().copied())?;
                let times = (time, time_of(times.get(1).copied()));
                replay.row(group, &bytes, times, &packed).map(Ok)
            };
            match take()? {
                Ok(()) => taken += 1,
                Err(reason) => {
                    rejected += 1;
                    let (kind, record) = (RejectKind::Rejected, batch.slice(place, 1));
                    (watcher.rejected)(&Rejected { path, row, kind, reason: &reason, record })?;
                }
            }
        }
    }
    Ok((taken, rejected))
}

/// Batches of another size.
struct Rebatched {
    reader: TableReader,
    waiting: Vec<RecordBatch>,
}

impl Rebatched {
    fn new(reader: TableReader) -> Self {
        Self { reader, waiting: Vec::new() }
    }

    /// The next `rows` rows, fewer at the end.
    fn next(&mut self, rows: usize) -> Result<RecordBatch, Error> {
        let count =
            |waiting: &[RecordBatch]| waiting.iter().map(RecordBatch::num_rows).sum::<usize>();
        while count(&self.waiting) < rows {
            match self.reader.next() {
                Some(batch) => self.waiting.push(batch?),
                None => break,
            }
        }
        let mut all = concat_batches(&self.reader.schema(), &self.waiting)?;
        self.waiting.clear();
        if all.num_rows() > rows {
            self.waiting.push(all.slice(rows, all.num_rows() - rows));
            all = all.slice(0, rows);
        }
        Ok(all)
    }
}
