//! A replay from files to a file.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use engine::{
    RejectKind,
    replay::{ReplayPlan, ReplaySource},
};

use super::{
    BATCH_ROWS, Replay, ReplayCounts, ReplayOptions, ReplayOrder, output::Output, records::Records,
    spine::Spine,
};
use crate::{
    Error,
    file::{FileFormat, FileWritten, TableReader, TableWriter},
    input::Origin,
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

impl ReplayFiles {
    /// Refuses to write over what is read.
    fn keep_inputs(&self) -> Result<(), Error> {
        // What is not there yet is no input.
        let Ok(out) = self.out.canonicalize() else { return Ok(()) };
        let events = self.events.iter().map(|(_, path)| path);
        let inputs = events.chain(self.rows.iter().map(|(_, path)| path)).chain([&self.spine]);
        for input in inputs {
            if input.canonicalize().is_ok_and(|input| input == out) {
                let what =
                    "it is read by this replay and would be written over: name another --out";
                return Err(Error::file(&self.out, what));
            }
        }
        Ok(())
    }
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
    /// What `number` counts: `line` or `row`.
    pub unit: &'static str,
    /// Its first line, or its row, from 1.
    pub number: u64,
    /// What became of it.
    pub kind: RejectKind,
    /// Why.
    pub reason: &'a str,
    pub(super) origin: Origin,
}

impl Rejected<'_> {
    /// The record as one line: as it stands in a text file, else as JSON.
    #[must_use]
    pub fn record(&self) -> String {
        self.origin.line()
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
    /// Of each file that has some, the columns that give nothing.
    pub ignored: Vec<(PathBuf, Vec<String>)>,
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
    files.keep_inputs()?;
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
    let mut writer = TableWriter::create(&files.out, format, output.schema().clone())?;
    let (mut records, mut groups) = (
        Records {
            plan,
            replay: &mut replay,
            arrival: sources.arrival,
            watcher: &mut watcher,
            seen: 0,
            ignored: Vec::new(),
        },
        Vec::new(),
    );
    for source in &sources.events {
        records.events(*source)?;
    }
    for (group, path) in &sources.rows {
        let (taken, rejected) = records.rows((*group, path))?;
        let name = plan.definitions().groups.get(*group).map(|group| group.name.to_string());
        groups.push((name.unwrap_or_default(), taken, rejected));
    }
    let ignored = records.ignored;
    let step = watcher.step;
    let replayed = replay.finish(&|done, all| {
        step(ReplayStep::Partitions(done as u64, all as u64));
    })?;
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
        ignored,
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
            let name = name.as_deref();
            let of = of.ok_or_else(|| {
                unknown(("--events STREAM=FILE", name), path, "streams", &streams)
            })?;
            sources.events.push((of.0, path));
        }
        for (name, path) in &files.rows {
            let of = row_groups.iter().find(|(_, known)| known == name);
            let option = ("--rows GROUP=FILE", Some(name.as_str()));
            let of = of.ok_or_else(|| unknown(option, path, "row groups", &row_groups))?;
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

fn unknown(
    (option, name): (&str, Option<&str>),
    path: &Path,
    what: &str,
    known: &[(usize, &str)],
) -> Error {
    let known: Vec<_> = known.iter().map(|(_, name)| *name).collect();
    let read = match known.as_slice() {
        [] => format!("none of the {what} is read for these features"),
        known => format!("the {what} read for these features are {}", known.join(", ")),
    };
    let path = path.display();
    Error::Usage(match name {
        Some(name) => format!("{path}: {name} is not needed: {read}; leave the file out"),
        None => format!("{path}: say what it is of, {option}: {read}"),
    })
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
