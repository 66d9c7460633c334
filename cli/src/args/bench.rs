//! Arguments of `larder bench`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use larder_benches::load::{Arrivals, distribution::Distribution, slo::Slo, workload::Workload};
use model::{limits::BATCH_MAX, time::parse_span};

/// A span of time as a measurement takes it.
fn span(text: &str) -> Result<Duration, String> {
    let ms = parse_span(text).map_err(|error| error.to_string())?;
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

/// The same, or none.
fn span_or_none(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s" | "0ms") { Ok(Duration::ZERO) } else { span(text) }
}

/// A rate, in requests a second.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate >= 1.0 && *rate <= 10e6);
    rate.ok_or_else(|| format!("`{text}` is no rate: requests a second, from 1 to 10000000"))
}

/// What a server is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Against {
    /// The Redis server at HOST:PORT, or one that is started here.
    Redis(Option<String>),
    /// An echo that is started here.
    Echo,
}

fn against(text: &str) -> Result<Against, String> {
    match text {
        "echo" => Ok(Against::Echo),
        "redis" => Ok(Against::Redis(None)),
        _ => {
            let addr = text.strip_prefix("redis://").map(|addr| addr.trim_end_matches('/'));
            let addr = addr.filter(|addr| {
                addr.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
            });
            addr.map(|addr| Against::Redis(Some(addr.to_owned()))).ok_or_else(|| {
                format!("`{text}` is nothing to compare with: write redis://HOST:PORT, redis (starts one) or echo")
            })
        }
    }
}

/// See [`super::Command::Bench`].
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("open_loop").args(["rate", "find_max"]).multiple(true))]
pub(crate) struct Bench {
    /// Address of the server; without it one is started for the measurement, on an empty temporary directory: it speaks no TLS and
    /// asks for no token.
    #[arg(long, value_name = "HOST:PORT", value_parser = super::addr::host_port)]
    pub(crate) addr: Option<String>,
    #[command(flatten)]
    pub(crate) tls: super::Tls,
    #[command(flatten)]
    pub(crate) identity: super::Identity,
    /// What is asked: read-row, read-batch, read-windows, read-distinct, put, put-batch, push, push-batch, push-distinct, or mixed
    /// (80 % reads of rows and windows, 15 % pushes, 5 % puts).
    #[arg(long, default_value = "read-row", value_name = "WORKLOAD")]
    pub(crate) workload: Workload,
    /// Read this service of yours instead, or features: GROUP:FEATURE[,GROUP:*…]. Needs --addr, and --keys or --key-template.
    #[arg(long, value_name = "NAME", requires = "addr", conflicts_with = "workload")]
    pub(crate) service: Option<String>,
    /// Whose vectors: a file of keys as for `larder get --key`, one a line.
    #[arg(long, value_name = "FILE", requires = "service", conflicts_with_all = ["key_template", "entities"])]
    pub(crate) keys: Option<PathBuf>,
    /// Whose vectors: a key as for `larder get --key` in which the letter n in braces stands for numbers from 0 to --entities.
    #[arg(long, value_name = "TEMPLATE", requires = "service")]
    pub(crate) key_template: Option<String>,
    /// How requests are spread over entities: uniform, zipf[=1.1], hot[=10] (nine of ten requests about so many).
    #[arg(long, default_value = "uniform", value_name = "DISTRIBUTION")]
    pub(crate) distribution: Distribution,
    /// Entities that are filled and asked about.
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) entities: u64,
    /// Events that each entity has in each window group before anything is measured, 8 when not given: of every age up to six days (22 hours where
    /// distinct values are counted), most of them young.
    #[arg(long, value_name = "N", conflicts_with_all = ["service", "no_fill"], value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) events: Option<u64>,
    /// Features of a row, f64 each.
    #[arg(long, default_value_t = 50, value_name = "N", conflicts_with = "service", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) features: u16,
    /// Entities of one request of read-batch, put-batch, push-batch [default: 100] or of a service [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=BATCH_MAX as i64))]
    pub(crate) batch: Option<u16>,
    /// Connections to the server.
    #[arg(long, default_value_t = 16, value_name = "C", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) connections: u16,
    /// Closed loop: so many requests in flight, each sent when one was answered. As many as connections when not given.
    #[arg(long, value_name = "N", conflicts_with = "rate", value_parser = clap::value_parser!(u16).range(1..=20_000))]
    pub(crate) concurrency: Option<u16>,
    /// Open loop: requests a second, sent when they are due whatever was answered; latency counts from when they were due.
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    pub(crate) rate: Option<f64>,
    /// How due times of an open loop are spread: poisson or constant.
    #[arg(long, default_value = "poisson", value_name = "PROCESS", requires = "open_loop")]
    pub(crate) arrivals: Arrivals,
    /// Time that is measured.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = span)]
    pub(crate) duration: Duration,
    /// Time before it that is not; 0 for none.
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = span_or_none)]
    pub(crate) warm_up: Duration,
    /// Latencies asked for, like p99=1ms,p99.9=5ms: shown beside those measured; exit code 1 when they are missed.
    #[arg(long, value_name = "LIMITS")]
    pub(crate) slo: Option<Slo>,
    /// Search the highest rate of an open loop that holds --slo, from --rate on (when not given, from where a step of
    /// --duration has the requests that --slo needs), and print each step.
    #[arg(long, requires = "slo", conflicts_with_all = ["concurrency", "against"])]
    pub(crate) find_max: bool,
    /// Do the same work in turns of a second on something else, and print ratios: redis://HOST:PORT, redis (starts the one on the
    /// path: with a log that is synced as the server's, though no more often than every second for an interval; without one beside a
    /// server at --addr), or echo (as many bytes, and nothing else).
    #[arg(long, value_name = "PEER", value_parser = against)]
    pub(crate) against: Option<Against>,
    /// Also write a page with drawings: one file, nothing else needed.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Also write all figures as JSON; - prints them instead of tables.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// After this a request has failed; connecting, defining and filling have times of their own.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = span)]
    pub(crate) timeout: Duration,
    /// Threads that send; half of the cores when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) generators: Option<u16>,
    /// What is there from an earlier load is taken as it is, and nothing is filled.
    #[arg(long, requires = "addr")]
    pub(crate) no_fill: bool,
    /// Sync policy of the server that is started.
    #[arg(long, default_value = "always", value_name = "POLICY", conflicts_with = "addr")]
    pub(crate) sync: engine::SyncPolicy,
    /// Network threads of the server that is started; one for each core when not given.
    #[arg(long, value_name = "N", conflicts_with = "addr", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 7, value_name = "SEED")]
    pub(crate) seed: u64,
}

/// See [`super::Command::BenchOwned`].
#[derive(Debug, Args)]
pub(crate) struct BenchOwned {
    /// The process that started this one.
    pub(crate) owner: u32,
    /// What to turn into.
    pub(crate) program: OsString,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}
