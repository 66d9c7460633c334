//! `serve`: options of a server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use model::limits::{PORT_DEFAULT, THREADS_MAX};

use crate::{
    size,
    trigger::{self, Trigger},
};

/// See [`super::Command::Serve`].
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Options from a file (TOML), a key for each: checkpoint_every = "5m". The command line goes first, then variables such as
    /// LARDER_SERVE_CHECKPOINT_EVERY, then the file. `larder config check` shows what holds.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory of the database; made when it is not there.
    #[arg(long, default_value = "larder-data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Address of the native protocol; port 0 picks a free one.
    #[arg(long, default_value_t = SocketAddr::from(([127, 0, 0, 1], PORT_DEFAULT)), value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Address of the HTTP port for operators; port 0 picks a free one.
    #[arg(long, default_value_t = SocketAddr::from(([127, 0, 0, 1], PORT_DEFAULT + 1)), value_name = "ADDR")]
    pub(crate) admin: SocketAddr,
    #[command(flatten)]
    pub(crate) door: super::tls::Door,
    #[command(flatten)]
    pub(crate) telling: super::telling::Telling,
    /// When a write is acknowledged: always (after fdatasync), interval, os, memory (no log).
    #[arg(long, default_value = "always", value_name = "POLICY")]
    pub(crate) sync: engine::SyncPolicy,
    /// Memory that rows, window states, ids and log buffers may take: 512MiB, 1.5GB, 2GiB or bytes, 64MiB at least. Beyond it writes
    /// that need memory are refused, reads and deletes go on. As much as there is when not given.
    #[arg(long, value_name = "SIZE", value_parser = size::memory_limit)]
    pub(crate) max_memory: Option<u64>,
    /// Longest time between two checkpoints while something is written: 30s, 5m, 1h, or off.
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = trigger::interval)]
    pub(crate) checkpoint_every: Trigger,
    /// Most log between two checkpoints, hence most that a start replays: 256MiB, 1GB, or off.
    #[arg(long, default_value = "256MiB", value_name = "SIZE", value_parser = trigger::log_bytes)]
    pub(crate) checkpoint_wal: Trigger,
    /// Whether SIGTERM ends with a checkpoint: when more than 16 MiB of log would be replayed and memory is below 8 GiB (at most
    /// 20 s), always, or never.
    #[arg(long, default_value = "auto", value_name = "WHEN")]
    pub(crate) checkpoint_at_stop: AtStop,
    /// Directory in which clients may have exports made; without one they are refused.
    #[arg(long, value_name = "DIR")]
    pub(crate) export_dir: Option<PathBuf>,
    /// Definitions to apply before the first connection.
    #[arg(long, value_name = "FILE")]
    pub(crate) apply: Option<PathBuf>,
    /// Who may do what, an access policy (TOML); SIGHUP reads it again. Without one whoever can connect may do everything.
    #[arg(long, value_name = "FILE")]
    pub(crate) access: Option<PathBuf>,
    /// Listen on addresses that others can reach, although nobody is asked who they are; said in the log at every start.
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Let others reach the HTTP port for operators: it asks nobody who they are.
    #[arg(long)]
    pub(crate) admin_public: bool,
    /// How long SIGTERM waits for requests in flight before their connections are cut: 5s, 1m. A second SIGTERM ends at once.
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = trigger::drain)]
    pub(crate) drain: Duration,
    #[command(flatten)]
    pub(crate) audited: super::Audited,
    /// How long a network thread that is always busy lets requests wait before it turns some away (OVERLOADED), so that the others
    /// are answered soon: 500us, 2ms, 1s.
    #[arg(long, default_value = "1ms", value_name = "TIME", value_parser = trigger::wait)]
    pub(crate) max_wait: Duration,
    /// Network threads, 1 to 1024, of which as many are used as the load is worth; one for each core when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(THREADS_MAX)))]
    pub(crate) threads: Option<u16>,
}

/// See [`Serve::checkpoint_at_stop`].
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum AtStop {
    /// When it is worth it.
    Auto,
    /// However long it takes.
    Always,
    /// Not at all.
    Never,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::Cli;

    #[test]
    fn a_server_without_a_thread_is_refused_with_what_is_allowed() {
        let parse = |threads| Cli::try_parse_from(["larder", "serve", "--threads", threads]);
        for wrong in ["0", "1025", "-1", "many"] {
            let error = parse(wrong).expect_err(wrong).to_string();
            assert!(error.contains(wrong), "{error}");
        }
        assert!(parse("0").expect_err("none").to_string().contains("1..=1024"));
        assert!(parse("1").is_ok() && parse("1024").is_ok());
    }
}
