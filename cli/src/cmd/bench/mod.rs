//! `larder bench`: a load on a server, and what came of it.

mod interrupt;
mod live;
mod print;
mod report;
mod servers;
mod service;

use std::path::Path;
use std::time::Duration;

use larder_benches::load::{
    Bench, Caller, Error, Pace, Plan,
    compare::Turns,
    distribution::Distribution,
    find_max::Watchers,
    owned,
    peer::{REDIS_KEYS, echo as echo_server},
    report::{Machine, Outcome},
    server::Measured,
    slo::{Judgement, Slo},
    stop::Stop,
    workload::{Kind, Table, Workload},
};

use crate::{
    args::{self, Against},
    error::CliError,
    output, remote,
};
use live::Line;
use servers::Servers;

/// Entities of a batch when nothing is said.
const BATCH_DEFAULT: u16 = 100;
/// Events of an entity when nothing is said.
const EVENTS_DEFAULT: u64 = 8;
/// Where a search begins when nothing is said, at least: low enough for any server, high enough not to take long.
const RATE_MIN: f64 = 1000.0;

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        match error {
            Error::Usage(what) => Self::usage(what),
            other => Self::failed(other.to_string()),
        }
    }
}

/// See the module.
pub(crate) fn run(args: &args::Bench) -> Result<(), CliError> {
    check(args)?;
    // What was measured for minutes is not to be lost for want of a directory.
    report::check(args)?;
    // Before anything of ours runs here.
    let machine = Machine::here();
    // Before a server is started: what was started is always taken away.
    let stop = interrupt::stop_on_signal()?;
    let servers = Servers::start(args, &stop)?;
    let plan = plan(args, &servers, stop)?;
    prepare(args, &plan)?;
    let bench = Bench::connect(plan)?;
    let (outcome, judgements) = measure(args, &bench)?;
    let report = report::of(args, (&bench, &servers), machine, outcome, judgements);
    if args.json.as_deref() != Some(Path::new("-")) {
        print::report(&report)?;
    }
    report::write(args, &report)?;
    if let Some(Against::Redis(Some(addr))) = &args.against {
        output::note(&format!("what was written to redis://{addr} stays there: keys {REDIS_KEYS}"));
    }
    verdict(&report.outcome, &report.judgements, bench.server())
}

/// Refuses what cannot be measured together, and tells of what is given in vain.
fn check(args: &args::Bench) -> Result<(), CliError> {
    let refused = |why: String| Err(CliError::usage(why));
    if args.no_fill && matches!(args.against, Some(Against::Redis(None))) {
        return refused(
            "--no-fill with --against redis: the Redis that is started would be empty; leave --no-fill out, or name one that an earlier load filled, redis://HOST:PORT".to_owned(),
        );
    }
    if args.service.is_some() && matches!(args.against, Some(Against::Redis(_))) {
        return refused(
            "--service with --against redis: a service of yours is not on Redis; compare it with --against echo".to_owned(),
        );
    }
    if let Distribution::Hot(hot) = args.distribution
        && args.keys.is_none()
        && hot > args.entities
    {
        return refused(format!(
            "--distribution hot={hot}: there are {} entities (--entities)",
            args.entities
        ));
    }
    let idle = |option: &str| {
        output::note(&format!("{option} changes nothing: {} has no use for it", args.workload));
    };
    if args.service.is_none() {
        let kinds = || args.workload.shares().iter().map(|(kind, _)| *kind);
        if args.batch.is_some() && !kinds().any(Kind::is_batch) {
            idle("--batch");
        }
        if args.events.is_some() && kinds().all(|kind| kind.table() == Some(Table::Rows)) {
            idle("--events");
        }
    }
    Ok(())
}

/// What `--against echo` starts: see the library.
pub(crate) fn echo() -> Result<(), CliError> {
    let mut ready =
        |addr: &str| output::line(addr).map_err(|error| Error::Failed(error.to_string()));
    Ok(echo_server::serve(&mut ready)?)
}

/// What starts the servers: see the library.
pub(crate) fn owned(args: &args::BenchOwned) -> Result<(), CliError> {
    let (program, arguments) = (&args.program, &args.arguments);
    Err(owned::become_program(args.owner, program, arguments).into())
}

fn measure(args: &args::Bench, bench: &Bench) -> Result<(Outcome, Vec<Judgement>), CliError> {
    let line = Line::new();
    let times = (args.warm_up, args.duration);
    let judge = |tally: &_| args.slo.as_ref().map(|slo| slo.judge(tally)).unwrap_or_default();
    let measured = match (&args.slo, args.find_max) {
        (Some(slo), true) => {
            let start =
                (args.rate.unwrap_or_else(|| first_rate(slo, args.duration)), args.arrivals);
            let watchers = Watchers {
                live: &mut |live| line.show("", live),
                step: &mut |step| line.note(&print::step(step)),
            };
            let search = bench.find_max(slo, start, times, watchers)?;
            (Outcome::Search(search), Vec::new())
        }
        _ if args.against.is_some() => {
            let turns = Turns::within(args.warm_up, args.duration);
            let comparison = bench.compare(pace(args), turns, &mut |live, pair, all| {
                line.show(&format!("pair {}/{all}  ", pair + 1), live);
            })?;
            let judgements = comparison.sums().map(|(larder, _)| judge(&larder.tally));
            (Outcome::Comparison(comparison), judgements.unwrap_or_default())
        }
        _ => {
            let run = bench.run(pace(args), times, &mut |live| line.show("", live))?;
            let judgements = judge(&run.tally);
            (Outcome::Run(Box::new(run)), judgements)
        }
    };
    line.clear();
    Ok(measured)
}

fn plan(args: &args::Bench, servers: &Servers, stop: Stop) -> Result<Plan, CliError> {
    let addr = servers.addr().to_owned();
    let caller = caller(args)?;
    let service = service::of(args, (&addr, &caller))?;
    let batch_default = if service.is_some() { 1 } else { BATCH_DEFAULT };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Plan {
        addr,
        caller,
        peer: servers.peer(),
        workload: match &service {
            Some(service) => Workload::service(&service.name),
            None => args.workload.clone(),
        },
        distribution: args.distribution,
        entities: service.as_ref().map_or(args.entities, |service| service.keys.len() as u64),
        service,
        events: args.events.unwrap_or(EVENTS_DEFAULT),
        features: usize::from(args.features),
        batch: usize::from(args.batch.unwrap_or(batch_default)),
        connections: usize::from(args.connections),
        generators: args.generators.map_or(cores / 2, usize::from).max(1),
        timeout: args.timeout,
        seed: args.seed,
        stop,
    })
}

/// Who asks the server at `--addr`; nobody in particular asks one that was started here.
fn caller(args: &args::Bench) -> Result<Caller, CliError> {
    let Some(addr) = &args.addr else { return Ok(Caller::default()) };
    // Bytes are counted by a relay, whose address is another.
    let tls = remote::tls(&args.tls)?.map(|tls| tls.server_at(addr)).transpose()?;
    let token = args.identity.token().map(str::to_owned);
    Ok(Caller { tls, token, purpose: args.identity.purpose.clone() })
}

/// The rate at which a step of `duration` has the requests that `slo` needs.
fn first_rate(slo: &Slo, duration: Duration) -> f64 {
    (slo.samples_needed() as f64 / duration.as_secs_f64()).max(RATE_MIN)
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
    Bench::greet(plan)?;
    if args.no_fill {
        return Ok(Bench::find(plan)?);
    }
    let defined = Bench::define(plan)?;
    if !defined.is_empty() && args.addr.is_some() {
        output::note(&format!("defined on {}: {}", plan.addr, defined.join(", ")));
    }
    let bar = live::filling();
    Bench::fill(plan, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// A limit that was missed, and a search that found nothing, end in exit code 1; so does a load that nobody answered, or
/// whose `server` on this machine did not live to its end, and a comparison in which a side answered nothing.
fn verdict(
    outcome: &Outcome,
    judgements: &[Judgement],
    server: Option<Measured>,
) -> Result<(), CliError> {
    if let Outcome::Search(search) = outcome {
        return match search.held {
            Some(_) => Ok(()),
            None => Err(CliError::failed(search.sentence())),
        };
    }
    if let Outcome::Run(run) = outcome
        && run.tally.answered() == 0
    {
        let most = run.tally.failures().iter().max_by_key(|(_, count)| **count);
        let why = most.map(|(why, _)| format!(": {why}")).unwrap_or_default();
        return Err(CliError::failed(format!("not one request was answered{why}")));
    }
    if let Outcome::Run(run) = outcome
        && server.is_some()
        && run.server_cpu_ns.is_none()
    {
        return Err(CliError::failed("the server's process ended before the load did"));
    }
    if let Outcome::Comparison(comparison) = outcome {
        let answered = comparison
            .sums()
            .map(|(larder, peer)| (larder.tally.answered(), peer.tally.answered()));
        let (larder, peer) = answered.unwrap_or_default();
        if larder == 0 || peer == 0 {
            let who = if larder == 0 { "larder" } else { "the peer" };
            return Err(CliError::failed(format!("not one request was answered by {who}")));
        }
    }
    let missed: Vec<_> = judgements
        .iter()
        .filter(|judgement| !judgement.is_met())
        .map(|judgement| format!("p{}", judgement.limit.percent))
        .collect();
    match missed.as_slice() {
        [] => Ok(()),
        [one] => Err(CliError::failed(format!("the limit of {one} was missed"))),
        all => Err(CliError::failed(format!("the limits of {} were missed", all.join(", ")))),
    }
}

/// The lines of a file of keys.
fn lines(path: &Path) -> Result<Vec<String>, CliError> {
    let text = super::read_text(path)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
