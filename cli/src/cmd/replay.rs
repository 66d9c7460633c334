//! `larder replay`: a training set from events, rows and a spine, by the code that serves.

use std::io::{BufWriter, Write};
use std::path::Path;

use engine::{
    RejectKind,
    replay::{ReplayPlan, ReplayTarget},
};
use export::replay::{
    Rejected, ReplayFiles, ReplayMap, ReplayOptions, ReplayOrder, ReplayReport, ReplayStep,
    ReplayWatcher, replay_files,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value as Json;

use super::{read_text, shown_name};
use crate::{
    args::{self, Order},
    error::CliError,
    output::{self, Sheet},
};

/// Rejected records shown one by one; the rest is only counted.
const SHOWN_MAX: u64 = 20;

/// See the module.
pub(crate) fn run(args: &args::Replay) -> Result<(), CliError> {
    let text = read_text(&args.definitions)?;
    let name = shown_name(&args.definitions);
    let references: Vec<&str> = args.features.iter().flat_map(|list| list.split(',')).collect();
    let target = match &args.service {
        Some(service) => ReplayTarget::Service(service),
        None => ReplayTarget::Features(&references),
    };
    let plan = ReplayPlan::new(&name, &text, target)?;
    let bar = ProgressBar::no_length();
    let mut rejects = Rejects::open(args.rejected.as_deref())?;
    let mut keep = |rejected: &Rejected<'_>| {
        rejects.add(rejected).map_err(|error| export::Error::Usage(error.to_string()))
    };
    let step = |step: ReplayStep| show(&bar, step);
    let watcher = ReplayWatcher { step: &step, rejected: &mut keep };
    let report = replay_files(&plan, &files(args)?, options(args)?, watcher)
        .map_err(|error| CliError::failed(error.to_string()))?;
    bar.finish_and_clear();
    rejects.finish()?;
    print(&report, args)?;
    if report.rejected() > 0 && args.rejected.is_none() {
        return Err(CliError::failed(format!(
            "{} events or rows were rejected and are in no vector; --rejected FILE keeps them",
            report.rejected()
        )));
    }
    Ok(())
}

fn files(args: &args::Replay) -> Result<ReplayFiles, CliError> {
    let rows = args.rows.iter().map(|file| match &file.name {
        Some(group) => Ok((group.clone(), file.path.clone())),
        None => Err(CliError::usage(format!("--rows {}: write GROUP=FILE", file.path.display()))),
    });
    Ok(ReplayFiles {
        events: args.events.iter().map(|file| (file.name.clone(), file.path.clone())).collect(),
        rows: rows.collect::<Result<_, _>>()?,
        spine: args.spine.clone(),
        as_of_column: args.as_of_column.clone(),
        arrival_column: args.arrival_column.clone().unwrap_or_else(|| "arrival".to_owned()),
        maps: args.maps.iter().map(map).collect(),
        service: args.service.clone(),
        with_statuses: args.status,
        out: args.out.clone(),
    })
}

fn map(map: &args::ReplayMap) -> ReplayMap {
    let (source, field) = (map.source.clone(), map.field.clone());
    ReplayMap { source, field, column: map.column.clone() }
}

fn options(args: &args::Replay) -> Result<ReplayOptions, CliError> {
    let order = match (args.order, args.assumed_delay, &args.arrival_column) {
        (Order::Arrival, Some(_), _) => {
            return Err(CliError::usage("--assumed-delay goes with --order event"));
        }
        (Order::Event, _, Some(_)) => {
            return Err(CliError::usage("--arrival-column goes with --order arrival"));
        }
        (Order::Arrival, ..) => ReplayOrder::Arrival,
        (Order::Event, delay_ms, _) => ReplayOrder::Event { delay_ms: delay_ms.unwrap_or(0) },
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(ReplayOptions {
        order,
        exclusive: args.exclusive,
        observed_since: args.observed_since,
        threads: args.threads.map_or(cores, usize::from),
        memory_bytes: args.memory,
        temp_dir: args.temp_dir.clone().unwrap_or_else(std::env::temp_dir),
        partition_bits: args.partitions.next_power_of_two().ilog2(),
    })
}

/// Shows progress, on a terminal.
fn show(bar: &ProgressBar, step: ReplayStep) {
    let of = |done: u64, all: u64, what: &str| {
        if bar.length() != Some(all) || done == 1 {
            let style = ProgressStyle::with_template("{msg:12} {bar:40} {pos}/{len} {eta}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_length(all);
            bar.set_message(what.to_owned());
        }
        bar.set_position(done);
    };
    match step {
        ReplayStep::Spine(rows) => bar.set_message(format!("spine: {rows} rows")),
        ReplayStep::Events(events) => bar.set_message(format!("events: {events}")),
        ReplayStep::Partitions(done, all) => of(done, all, "partitions"),
        ReplayStep::Written(done, all) => of(done, all, "rows"),
    }
}

fn print(report: &ReplayReport, args: &args::Replay) -> Result<(), CliError> {
    let names = ["source", "accepted", "duplicate", "late", "rejected"];
    let mut sheet = Sheet::new(names);
    let mut push = |name: &str, counts: [u64; 4]| {
        let counts = counts.into_iter().map(Json::from);
        sheet.push(std::iter::once(Json::from(name)).chain(counts).collect());
    };
    for (stream, counts) in &report.streams {
        push(stream, [counts.accepted, counts.duplicate, counts.late, counts.rejected]);
    }
    for (group, taken, rejected) in &report.groups {
        push(group, [*taken, 0, 0, *rejected]);
    }
    for (path, columns) in &report.ignored {
        let (path, columns) = (path.display(), columns.join(", "));
        output::note(&format!("{path}: columns that give no field are ignored: {columns}"));
    }
    output::note(&format!(
        "{}: {} rows, {} of them with windows that reach back before there were events; {} bytes",
        args.out.display(),
        report.rows,
        report.incomplete,
        report.written.bytes
    ));
    if report.spilled > 0 {
        output::note(&format!(
            "{} bytes did not fit into --memory and went to a file",
            report.spilled
        ));
    }
    sheet.print(output::choose(args.format))
}

/// Records that do not count: kept in a file when asked, else told on standard error.
struct Rejects {
    told: u64,
    file: Option<(BufWriter<std::fs::File>, String)>,
}

impl Rejects {
    #[expect(
        clippy::disallowed_methods,
        reason = "a file for the user; it is no file of a database"
    )]
    fn open(path: Option<&Path>) -> Result<Self, CliError> {
        let mut rejects = Self { told: 0, file: None };
        if let Some(path) = path {
            let name = path.display().to_string();
            let file = std::fs::File::create(path).map_err(|error| cannot_write(&name, &error))?;
            rejects.file = Some((BufWriter::new(file), name));
        }
        Ok(rejects)
    }

    fn add(&mut self, rejected: &Rejected<'_>) -> Result<(), CliError> {
        let word = match rejected.kind {
            // They are as common as networks are, and counted.
            RejectKind::Duplicate | RejectKind::Late => return Ok(()),
            RejectKind::Rejected => "rejected",
        };
        if let Some((file, name)) = &mut self.file {
            let written = writeln!(file, "{}", rejected.record());
            return written.map_err(|error| cannot_write(name, &error));
        }
        self.told += 1;
        if self.told <= SHOWN_MAX {
            let Rejected { path, unit, number, reason, .. } = rejected;
            output::note(&format!("{}: {unit} {number}: {word}: {reason}", path.display()));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), CliError> {
        if self.told > SHOWN_MAX {
            output::note(&format!("… and {} more rejected", self.told - SHOWN_MAX));
        }
        match &mut self.file {
            Some((file, name)) => file.flush().map_err(|error| cannot_write(name, &error)),
            None => Ok(()),
        }
    }
}

fn cannot_write(name: &str, error: &std::io::Error) -> CliError {
    CliError::failed(format!("--rejected {name}: cannot write: {error}"))
}
