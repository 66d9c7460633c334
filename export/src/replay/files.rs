//! A replay from files to a file.

use std::path::{Path, PathBuf};

use engine::{
    RejectKind,
    replay::{ReplayPlan, ReplaySource},
};

use super::{
    Replay, ReplayCounts, ReplayOptions, ReplayOrder,
    history::HistoryFeed,
    output::Output,
    records::{Records, ReplayMap, check_maps},
    spine::Spine,
    vectors::Vectors,
};
use crate::{
    Error,
    file::{FileFormat, FileWritten, TableReader, TableWriter},
    history::HistorySource,
    input::{Input, Origin},
};

/// Files of one replay.
#[derive(Debug, Clone)]
pub struct ReplayFiles {
    /// Event files, each with its stream; those of one stream in order. A directory, without a stream, is a history: what of the
    /// target no file is given for is taken from it.
    pub events: Vec<(Option<String>, PathBuf)>,
    /// Row files, each with its row group.
    pub rows: Vec<(String, PathBuf)>,
    /// The spine.
    pub spine: PathBuf,
    /// The spine's column of as-ofs.
    pub as_of_column: String,
    /// The column of arrivals in event and row files.
    pub arrival_column: String,
    /// Columns of event and row files that give a field of another name.
    pub maps: Vec<ReplayMap>,
    /// The service, for the file's metadata.
    pub service: Option<String>,
    /// Also write the status of every feature.
    pub with_statuses: bool,
    /// Where vectors go; the extension says the format.
    pub out: PathBuf,
}

impl ReplayFiles {
    /// The history among the event files.
    fn history(&self) -> Option<&Path> {
        let is_history =
            |(name, path): &&(Option<String>, PathBuf)| name.is_none() && path.is_dir();
        self.events.iter().find(is_history).map(|(_, path)| path.as_path())
    }

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

/// How often a replay is begun when a server drops files of the history meanwhile.
const ATTEMPTS_MAX: usize = 10;

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
    let step = watcher.step;
    let seen = |changes: u64| step(ReplayStep::Events(changes));
    let mut history = HistoryFeed::open(plan, files.history(), &seen)?;
    let sources = Sources::of(plan, files, options.order, history.as_ref())?;
    check_maps(plan, &files.maps, &sources.known)?;
    let spine = Spine::new(plan, &files.as_of_column);
    let open = || TableReader::open_with_text(&files.spine, None, &spine.text_columns());
    let output = {
        let of = (files.service.as_deref(), files.with_statuses);
        Output::new(plan, (&files.spine, open()?.schema().as_ref()), of)?
    };
    let (schema, carried) = (output.schema().clone(), output.carried());
    let mut writer = TableWriter::create_unsearched(&files.out, format, schema, carried)?;
    let fresh = || {
        let mut replay = Replay::new(plan, options.clone())?;
        for batch in open()? {
            spine.read(&files.spine, &batch?, &mut replay)?;
            step(ReplayStep::Spine(replay.rows().into()));
        }
        Ok(replay)
    };
    let (mut replay, of_history) = begun(plan, history.as_mut(), &sources, &fresh)?;
    let (mut records, mut groups) = (
        Records {
            plan,
            replay: &mut replay,
            arrival: sources.arrival,
            maps: &files.maps,
            watcher: &mut watcher,
            seen: 0,
            ignored: Vec::new(),
        },
        Vec::new(),
    );
    for (stream, path) in &sources.events {
        records.events(*stream, Input::open(path, None)?)?;
    }
    for (group, path) in &sources.rows {
        let (taken, rejected) = records.rows(*group, Input::open(path, None)?)?;
        let name = plan.definitions().groups.get(*group).map(|group| group.name.to_string());
        groups.push((name.unwrap_or_default(), taken, rejected));
    }
    let ignored = records.ignored;
    groups.extend(of_history);
    let replayed = replay.finish(&|done, all| {
        step(ReplayStep::Partitions(done as u64, all as u64));
    })?;
    let reader = open()?;
    let mut vectors = Vectors::new(plan, replayed, (spine, output), (files.spine.clone(), reader));
    let total = vectors.rows();
    for batch in &mut vectors {
        writer.write(&batch?)?;
        step(ReplayStep::Written(writer.rows(), total));
    }
    Ok(ReplayReport {
        rows: total,
        streams: vectors.counts(),
        groups,
        ignored,
        incomplete: vectors.incomplete(),
        spilled: vectors.spilled(),
        written: writer.finish()?,
    })
}

/// Names of row groups, how many rows of each were taken, and how many rejected.
type RowCounts = Vec<(String, u64, u64)>;

/// A replay that has its spine, by `fresh`, and what is to come of the history, with how many rows each row group has of it. It is begun
/// again when the server dropped some of what it was to have.
fn begun<'p>(
    plan: &'p ReplayPlan,
    history: Option<&mut HistoryFeed<'_>>,
    sources: &Sources<'_>,
    fresh: &dyn Fn() -> Result<Replay<'p>, Error>,
) -> Result<(Replay<'p>, RowCounts), Error> {
    let mut replay = fresh()?;
    let Some(history) = history else {
        replay.close_spine()?;
        return Ok((replay, Vec::new()));
    };
    let mut attempts = 1..ATTEMPTS_MAX;
    loop {
        replay.expect_undoing();
        replay.close_spine()?;
        match history.feed(&mut replay, &|source| sources.has_files(plan, source)) {
            Err(Error::Dropped { .. }) if attempts.next().is_some() => {
                history.begin_again()?;
                // Two at once would take twice the memory that one may.
                drop(replay);
                replay = fresh()?;
            }
            taken => {
                let taken = taken?.into_iter().map(|(name, taken)| (name, taken, 0));
                return Ok((replay, taken.collect()));
            }
        }
    }
}

/// Streams and row groups that a plan reads, by index and name.
#[derive(Debug, Default)]
pub(super) struct Known<'p> {
    pub(super) streams: Vec<(usize, &'p str)>,
    pub(super) row_groups: Vec<(usize, &'p str)>,
}

impl<'p> Known<'p> {
    pub(super) fn of(plan: &'p ReplayPlan) -> Result<Self, Error> {
        let (mut streams, mut row_groups): (Vec<(usize, &str)>, Vec<_>) = Default::default();
        for group in plan.groups() {
            match group.source {
                ReplaySource::Rows => row_groups.push((group.index, group.name)),
                ReplaySource::Stream(index) if streams.iter().all(|(of, _)| *of != index) => {
                    streams.push((index, plan.stream(index)?.name.as_str()));
                }
                ReplaySource::Stream(_) => {}
            }
        }
        Ok(Self { streams, row_groups })
    }
}

/// Files by what they feed.
#[derive(Default)]
struct Sources<'a> {
    events: Vec<(usize, &'a Path)>,
    rows: Vec<(usize, &'a Path)>,
    /// Streams and row groups that are read.
    known: Known<'a>,
    /// The column of arrivals, where they count.
    arrival: Option<&'a str>,
}

impl<'a> Sources<'a> {
    fn of(
        plan: &'a ReplayPlan,
        files: &'a ReplayFiles,
        order: ReplayOrder,
        history: Option<&HistoryFeed<'_>>,
    ) -> Result<Self, Error> {
        let has = |source: HistorySource| history.is_some_and(|history| history.has(&source));
        let Known { streams, row_groups } = Known::of(plan)?;
        let mut sources = Self::default();
        for (name, path) in &files.events {
            if Some(path.as_path()) == files.history() {
                continue;
            }
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
            let is_kept = has(HistorySource::Stream((*name).to_owned()));
            if !is_kept && sources.events.iter().all(|(of, _)| of != index) {
                return Err(Error::Usage(format!(
                    "features are of stream {name}: give --events {name}=FILE"
                )));
            }
        }
        for (index, name) in &row_groups {
            let is_kept = has(HistorySource::Group((*name).to_owned()));
            if !is_kept && sources.rows.iter().all(|(of, _)| of != index) {
                return Err(Error::Usage(format!(
                    "features are of row group {name}: give --rows {name}=FILE"
                )));
            }
        }
        sources.known = Known { streams, row_groups };
        sources.arrival = (order == ReplayOrder::Arrival).then_some(files.arrival_column.as_str());
        Ok(sources)
    }
}

impl Sources<'_> {
    /// Whether files are given for this stream or row group.
    fn has_files(&self, plan: &ReplayPlan, source: &HistorySource) -> bool {
        let definitions = plan.definitions();
        match source {
            HistorySource::Stream(name) => {
                let index = definitions.stream(name).map(|(index, _)| index);
                self.events.iter().any(|(of, _)| Some(*of) == index)
            }
            HistorySource::Group(name) => {
                let index = definitions.group(name).map(|(index, _)| index);
                self.rows.iter().any(|(of, _)| Some(*of) == index)
            }
        }
    }
}

pub(super) fn unknown(
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
