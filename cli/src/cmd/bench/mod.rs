//! `larder bench`: a load on a server, and what came of it.

mod live;
mod service;
mod table;

use std::path::Path;

use larder_benches::load::{Bench, Error, Pace, Plan, server::Process, workload::Workload};

use crate::{args, error::CliError, output};
use live::Line;

/// Rows, events or entities of a batch when nothing is said.
const BATCH_DEFAULT: u16 = 100;

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        match error {
            Error::Usage(what) => Self::usage(what),
            other => Self::failed(other.to_string()),
        }
    }
}

/// A server of our own and its directory, in the order in which they end.
struct Own {
    process: Process,
    _directory: tempfile::TempDir,
}

/// See the module.
pub(crate) fn run(args: &args::Bench) -> Result<(), CliError> {
    let own = match &args.addr {
        Some(_) => None,
        None => Some(start_own(args)?),
    };
    let addr = args.addr.clone().or(own.as_ref().map(|own| own.process.addr().to_owned()));
    let plan = plan(args, addr.unwrap_or_default())?;
    prepare(args, &plan)?;
    let bench = Bench::connect(plan)?;
    let line = Line::new();
    let run = bench.run(pace(args), (args.warm_up, args.duration), &mut |live| line.show(live))?;
    line.clear();
    table::print_run(&run)?;
    let judgements = args.slo.as_ref().map(|slo| slo.judge(&run.tally)).unwrap_or_default();
    table::print_judgements(&judgements)?;
    table::note_doubts(&run, bench.server().is_none());
    match judgements.iter().find(|judgement| !judgement.is_met()) {
        Some(missed) => {
            let percent = missed.limit.percent;
            Err(CliError::failed(format!("the limit of p{percent} was missed")))
        }
        None => Ok(()),
    }
}

fn start_own(args: &args::Bench) -> Result<Own, CliError> {
    let directory = tempfile::Builder::new().prefix("larder-bench-").tempdir()?;
    let threads = args.threads.map(|threads| threads.to_string());
    let more: Vec<&str> = threads.iter().flat_map(|threads| ["--threads", threads]).collect();
    let sync = args.sync.to_string();
    let binary = std::env::current_exe()?;
    let process = Process::larder(&binary, &directory.path().join("data"), &sync, &more)?;
    output::note(&format!(
        "started a server for this: {}, sync policy {sync}, data in {}",
        process.addr(),
        directory.path().display()
    ));
    Ok(Own { process, _directory: directory })
}

fn plan(args: &args::Bench, addr: String) -> Result<Plan, CliError> {
    let service = service::of(args, &addr)?;
    let batch_default = if service.is_some() { 1 } else { BATCH_DEFAULT };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Plan {
        addr,
        workload: match &service {
            Some(service) => Workload::service(&service.name),
            None => args.workload.clone(),
        },
        distribution: args.distribution,
        entities: service.as_ref().map_or(args.entities, |service| service.keys.len() as u64),
        service,
        features: usize::from(args.features),
        batch: usize::from(args.batch.unwrap_or(batch_default)),
        connections: usize::from(args.connections),
        generators: args.generators.map_or(cores / 2, usize::from).max(1),
        timeout: args.timeout,
        seed: args.seed,
    })
}

fn pace(args: &args::Bench) -> Pace {
    match args.rate {
        Some(rate) => Pace::Open { rate, arrivals: args.arrivals },
        None => {
            Pace::Closed { concurrency: usize::from(args.concurrency.unwrap_or(args.connections)) }
        }
    }
}

/// Defines and fills what the workload needs.
fn prepare(args: &args::Bench, plan: &Plan) -> Result<(), CliError> {
    let defined = Bench::define(plan)?;
    if !defined.is_empty() && args.addr.is_some() {
        output::note(&format!("defined on {}: {}", plan.addr, defined.join(", ")));
    }
    if args.no_fill {
        return Ok(());
    }
    let bar = live::filling();
    Bench::fill(plan, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// The lines of a file of keys.
fn lines(path: &Path) -> Result<Vec<String>, CliError> {
    let text = super::read_text(path)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
