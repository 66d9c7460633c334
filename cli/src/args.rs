//! The command line: one subcommand a task, the words of `docs/semantics.md`.

mod access;
mod addr;
mod admin;
mod audit;
mod bench;
mod config;
mod export;
mod identity;
mod input;
mod offline;
mod ready;
mod replay;
mod serve;
mod telling;
mod tls;
mod top;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use access::{Access, AccessCheck, AccessCommand, AccessToken};
pub(crate) use admin::AdminAddr;
pub(crate) use audit::{
    Audit, Audited, Hash as AuditHash, Verify as AuditVerify, What as AuditWhat,
};
pub(crate) use bench::{Against, Bench, BenchOwned};
pub(crate) use config::{Config, ConfigWhat};
pub(crate) use export::{Export, FileFormat};
pub(crate) use identity::Identity;
pub(crate) use input::{Load, Retract};
pub(crate) use offline::{Check, Inspect, Repair};
pub(crate) use ready::Ready;
pub(crate) use replay::{Map as ReplayMap, Order, Replay};
pub(crate) use serve::{AtStop, Serve};
#[cfg(feature = "otel")]
pub(crate) use telling::{Endpoint, Otel};
pub(crate) use tls::Tls;
pub(crate) use top::Top;
pub(crate) use verify::Verify;

use crate::output::Format;

/// Online feature database: typed rows and sliding windows that models read.
#[derive(Debug, Parser)]
#[command(name = "larder", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(Box<Serve>),
    /// Show what `larder serve` would be started with.
    Config(Config),
    /// Make a definitions file valid; shows the plan.
    Apply(Apply),
    /// Show what is defined.
    Describe(Describe),
    /// Show what window groups of a definitions file will cost and how exact they are; needs no server.
    Explain(Explain),
    /// Push events into a stream.
    Push(Load),
    /// Take events of a stream back, while they are within its horizon.
    Retract(Retract),
    /// Put rows into a row group.
    Put(Load),
    /// Read feature vectors.
    Get(Get),
    /// Delete entities from a group.
    Delete(Delete),
    /// Print every entity of a group.
    Scan(Scan),
    /// Have the server write a snapshot of everything, and copy it as a backup if asked; it goes on meanwhile.
    Checkpoint(Checkpoint),
    /// Write every group at one moment to Arrow or Parquet files.
    Export(Export),
    /// Make a training set: what each row of a file would have been served, from events alone; needs no server.
    Replay(Box<Replay>),
    /// Compute again from history what was served, and compare it bit for bit; needs no server, changes nothing.
    Verify(Verify),
    /// Make tokens for an access policy, and ask what it allows; needs no server.
    Access(Access),
    /// Show the server's figures.
    Stats(Stats),
    /// Watch a server: rates, latencies, memory, freshness, hot keys. Asks its admin port.
    Top(Top),
    /// Read every byte of a data directory and say whether it is whole; needs no server, changes nothing.
    Check(Check),
    /// Print what is in a data directory: manifest, log, snapshot; needs no server, changes nothing.
    Inspect(Inspect),
    /// Cut a damaged log, or drop a damaged snapshot, once a copy of everything was made; needs no server.
    Repair(Repair),
    /// Say whether a server answers reads, by its HTTP port: exit code 0 or 1, for probes.
    Ready(Ready),
    /// Verify the log of who did what; needs no server.
    Audit(Audit),
    /// Put a load on a server, and measure latencies, rates and CPU time.
    Bench(Box<Bench>),
    /// Answer with as many bytes as are asked for: what `bench --against echo` starts.
    #[command(hide = true)]
    BenchEcho,
    /// Turn into a program that ends with process OWNER: how `bench` starts servers.
    #[command(hide = true)]
    BenchOwned(BenchOwned),
    /// See it all work: an embedded server, generated payments, vectors, a kill and a restart.
    Demo(Demo),
}

/// Which server.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// Address of the server.
    #[arg(long, env = "LARDER_ADDR", default_value = "127.0.0.1:7440", value_name = "HOST:PORT", value_parser = addr::host_port)]
    pub(crate) addr: String,
    #[command(flatten)]
    pub(crate) tls: Tls,
    #[command(flatten)]
    pub(crate) identity: Identity,
}

/// See [`Command::Apply`].
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The definitions (TOML).
    pub(crate) file: PathBuf,
    /// Show the plan, change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) server: Server,
    /// How to print the plan.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`Command::Describe`].
#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// An entity, stream, group or service; all when not given.
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) server: Server,
    /// How to print it.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`Command::Explain`].
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The definitions (TOML).
    pub(crate) file: PathBuf,
    /// A window group; all when not given.
    pub(crate) group: Option<String>,
    /// Events of one entity within its longest window. Repeat for more; 1 to 1,000,000 when not given.
    #[arg(long, value_name = "N", conflicts_with = "events_per_day")]
    pub(crate) events: Vec<u64>,
    /// Events of one entity in a day, instead.
    #[arg(long, value_name = "N")]
    pub(crate) events_per_day: Option<u64>,
    /// Numbers in events are from 0 to this [default: 1000].
    #[arg(long, value_name = "N")]
    pub(crate) number_max: Option<u64>,
    /// Bytes of a text in events [default: 12].
    #[arg(long, value_name = "N")]
    pub(crate) text_bytes: Option<u64>,
    /// Different values of one entity, for distinct counts, top_k and by [default: 1000].
    #[arg(long, value_name = "N")]
    pub(crate) values: Option<u64>,
    /// How to print it.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`Command::Get`].
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// A service, or features: GROUP:FEATURE[,GROUP:*…].
    pub(crate) what: String,
    /// Whose vector: KEY, or ENTITY=KEY[,ENTITY=KEY…]; parts of a composite key are joined by |. Of several keys, a comma in one is written as \,. Repeat for more.
    #[arg(long = "key", required = true, allow_hyphen_values = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// A value that comes with the request, for all keys: NAME=VALUE. Repeat for more values.
    #[arg(long = "request", value_name = "NAME=VALUE")]
    pub(crate) request: Vec<String>,
    /// The time asked about: RFC 3339 or ms since 1970; now when not given.
    #[arg(long, allow_hyphen_values = true, value_name = "T")]
    pub(crate) as_of: Option<String>,
    /// Events exactly at the as-of do not count.
    #[arg(long)]
    pub(crate) exclusive: bool,
    /// Answer a too old as-of at the oldest time that can be answered, and say so.
    #[arg(long)]
    pub(crate) snap: bool,
    /// Also print event times of row groups and starts of windows.
    #[arg(long)]
    pub(crate) times: bool,
    #[command(flatten)]
    pub(crate) server: Server,
    /// How to print vectors.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`Command::Delete`].
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The group.
    pub(crate) group: String,
    /// Which entity; parts of a composite key are joined by |. Repeat for more.
    #[arg(long = "key", required = true, allow_hyphen_values = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// See [`Command::Scan`].
#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// The group.
    pub(crate) group: String,
    /// At most so many entities.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) server: Server,
    /// How to print entities.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`Command::Checkpoint`].
#[derive(Debug, Args)]
pub(crate) struct Checkpoint {
    /// Put a consistent copy of everything into this directory, which must be empty or not there: a database that can be served.
    #[arg(long, value_name = "DIR")]
    pub(crate) copy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: Server,
    /// How to print the figures.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`Command::Stats`].
#[derive(Debug, Args)]
pub(crate) struct Stats {
    #[command(flatten)]
    pub(crate) server: Server,
    /// How to print figures.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`Command::Demo`].
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Payments to generate.
    #[arg(long, default_value_t = 400_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub(crate) events: u64,
    /// Seed of everything random.
    #[arg(long, default_value_t = 7, value_name = "SEED")]
    pub(crate) seed: u64,
}
