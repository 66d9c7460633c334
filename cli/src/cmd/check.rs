//! `larder check`: is a data directory whole? Prints what was covered and every problem with file, place and remedy.

mod beside;

use std::{path::Path, sync::Arc};

use engine::{
    OsFs, StorageError,
    offline::{self, Problem, Report},
};
use serde_json::{Value as Json, json};
use stdx::clock::SystemClock;

use beside::Beside;

use crate::{
    args,
    error::CliError,
    output::{self, Format, Sheet},
};

/// See the module.
pub(crate) fn run(args: &args::Check) -> Result<(), CliError> {
    let format = output::choose(args.format);
    if format == Format::Csv {
        return Err(CliError::usage("a report is no list of rows: ask for --format table or json"));
    }
    let report = checked(&args.dir)?;
    let beside = [("history", beside::history(&args.dir)?), ("reads", beside::reads(&args.dir)?)];
    match format {
        Format::Json => {
            let mut json = to_json(&report);
            let is_whole = beside.iter().flat_map(|(_, it)| it).all(Beside::is_whole);
            json["ok"] = (report.is_ok() && is_whole).into();
            for (name, it) in &beside {
                json[name] = it.as_ref().map_or(Json::Null, Beside::to_json);
            }
            output::line(&json.to_string())?;
        }
        _ => {
            print_tables(&report)?;
            beside.iter().flat_map(|(_, it)| it).try_for_each(Beside::print)?;
        }
    }
    verdict(&args.dir, &report)?;
    beside.iter().flat_map(|(_, it)| it).try_for_each(|it| it.verdict(&args.dir))
}

/// Checks `directory`.
pub(super) fn checked(directory: &Path) -> Result<Report, CliError> {
    let report = offline::check(&files(directory)?, Arc::new(SystemClock::new()));
    report.map_err(|error| explained(error, directory))
}

/// The files of a data directory, to look at.
pub(super) fn files(directory: &Path) -> Result<OsFs, CliError> {
    OsFs::read_only(directory).map_err(|error| {
        let kind = match &error {
            StorageError::Io { source, .. } => source.kind(),
            _ => std::io::ErrorKind::Other,
        };
        let shown = directory.display();
        match kind {
            std::io::ErrorKind::NotFound => {
                let whole = std::path::absolute(directory);
                let whole = whole.as_deref().unwrap_or(directory).display();
                CliError::failed(format!("{shown}: there is no such directory ({whole}): {RIGHT}"))
            }
            std::io::ErrorKind::NotADirectory => {
                CliError::failed(format!("{shown} is no directory: {RIGHT}"))
            }
            _ => CliError::failed(error.to_string()),
        }
    })
}

/// What to do about a directory that is none of a database.
const RIGHT: &str = "is it the right path? give the directory that the server has as --data";

/// Says what can be done with a directory that is in use, or no database's.
pub(super) fn explained(error: engine::Error, directory: &Path) -> CliError {
    let shown = directory.display();
    match &error {
        // Somebody who uses the directory can give a copy of it.
        engine::Error::Storage(StorageError::Locked { .. }) => CliError::failed(format!(
            "{shown} is in use by a server: stop it, or look at a copy (larder checkpoint --copy DIR)"
        )),
        engine::Error::Storage(StorageError::NoDatabase { .. }) => no_database(directory),
        _ => error.into(),
    }
}

fn no_database(directory: &Path) -> CliError {
    CliError::failed(format!("there is no database in {}: {RIGHT}", directory.display()))
}

/// Says in one line how it is.
pub(super) fn verdict(directory: &Path, report: &Report) -> Result<(), CliError> {
    if report.is_empty {
        return Err(no_database(directory));
    }
    let directory = directory.display();
    if let Some(torn) = &report.torn_tail {
        output::note(&format!(
            "an unfinished write of {} bytes stands at the end of the log ({} at byte {}): normal after a crash, it was never \
             acknowledged under sync policy always, and the next start cuts it off",
            torn.bytes, torn.file, torn.offset
        ));
    }
    if report.is_ok() {
        output::note(&format!(
            "{directory} is whole: every byte that means something in {} files was verified, every record and section decoded, and a server starts on it",
            report.files.iter().filter(|file| file.counts).count()
        ));
        return Ok(());
    }
    let (count, plural) =
        (report.problems.len(), if report.problems.len() == 1 { "" } else { "s" });
    let starts = if report.starts {
        "a server starts on it all the same"
    } else {
        "a server does not start on it"
    };
    Err(CliError::failed(format!(
        "{directory} has {count} problem{plural}; {starts}; nothing was changed"
    )))
}

fn print_tables(report: &Report) -> Result<(), CliError> {
    let mut files = Sheet::new(["file", "what", "bytes", "counts"]);
    for file in &report.files {
        let counts = if file.counts { "yes" } else { "" };
        files.push(vec![
            file.name.as_str().into(),
            file.role.as_str().into(),
            file.bytes.into(),
            counts.into(),
        ]);
    }
    files.print(Format::Table)?;
    let mut covered = Sheet::new(["covered", "value"]);
    for (name, value) in figures(report) {
        covered.push(vec![name.into(), value]);
    }
    for (group, entities) in &report.groups {
        covered.push(vec![format!("entities of {group}").into(), Json::from(*entities)]);
    }
    covered.print(Format::Table)?;
    if report.is_ok() {
        return Ok(());
    }
    let mut problems = Sheet::new(["file", "at byte", "records", "what is wrong", "what to do"]);
    for problem in &report.problems {
        problems.push(vec![
            problem.file.as_str().into(),
            problem.offset.map_or(Json::Null, Json::from),
            records(problem).into(),
            problem.what.as_str().into(),
            problem.remedy.as_str().into(),
        ]);
    }
    problems.print(Format::Table)
}

/// The records that a problem costs.
fn records(problem: &Problem) -> String {
    match problem.records {
        Some((first, last)) if first == last => first.to_string(),
        Some((first, last)) => format!("{first} to {last}"),
        None => String::new(),
    }
}

/// What was covered, as names and numbers.
fn figures(report: &Report) -> Vec<(&'static str, Json)> {
    let mut figures = vec![
        ("files", Json::from(report.files.iter().filter(|file| file.counts).count())),
        ("bytes", report.bytes().into()),
        ("segments", report.segments.into()),
        ("batches", report.batches.into()),
        ("seals", report.seals.into()),
        ("records", report.records.into()),
    ];
    if let Some((first, last)) = report.range {
        figures.extend([("first_lsn", first.0.into()), ("last_lsn", last.0.into())]);
    }
    if let Some(snapshot) = &report.snapshot {
        figures.extend([
            ("snapshot", snapshot.number.into()),
            ("snapshot_lsn", snapshot.lsn.0.into()),
            ("snapshot_blocks", snapshot.blocks.into()),
            ("snapshot_sections", snapshot.sections.into()),
            ("snapshot_entities", snapshot.entities.into()),
        ]);
    }
    figures
}

fn to_json(report: &Report) -> Json {
    let files = report.files.iter().map(|file| {
        json!({"file": file.name, "what": file.role.as_str(), "bytes": file.bytes, "counts": file.counts})
    });
    let problems = report.problems.iter().map(|problem| {
        let (first, last) = problem.records.unzip();
        json!({
            "file": problem.file, "offset": problem.offset, "first_lsn": first, "last_lsn": last,
            "what": problem.what, "remedy": problem.remedy,
        })
    });
    let torn = report.torn_tail.as_ref();
    let torn =
        torn.map(|torn| json!({"file": torn.file, "offset": torn.offset, "bytes": torn.bytes}));
    let text = |(name, value): (&str, Json)| (name.to_owned(), value);
    let groups =
        report.groups.iter().map(|(group, entities)| (group.clone(), Json::from(*entities)));
    json!({
        "ok": report.is_ok(),
        "starts": report.starts,
        "covered": Json::Object(figures(report).into_iter().map(text).collect()),
        "entities": Json::Object(groups.collect()),
        "torn_tail": torn,
        "files": files.collect::<Vec<_>>(),
        "problems": problems.collect::<Vec<_>>(),
    })
}
