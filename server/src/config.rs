//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use export::history::HistoryLimits;

/// Options of [`crate::Server::start`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Address of the native protocol; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Address of the HTTP port for operators; port 0 picks a free one.
    pub admin: SocketAddr,
    /// Network threads, each with a runtime of its own; at least 1.
    pub threads: usize,
    /// How long shutting down waits for requests in flight.
    pub drain: Duration,
    /// Where backups are made: a directory of their own, best beside the database's files. `None`: they are refused.
    pub backups: Option<PathBuf>,
    /// Where exports are made, one directory each. `None`: they are refused.
    pub exports: Option<PathBuf>,
    /// Where the history of streams and row groups is kept: `history` in the data directory. `None`: it is not, and the log is.
    pub history: Option<PathBuf>,
    /// When the history's files are closed.
    pub history_limits: HistoryLimits,
    /// Whether shutting down ends with a checkpoint.
    pub checkpoint_at_stop: CheckpointAtStop,
    /// How fast the snapshot that is served from is verified in the background, in bytes a second.
    pub verify_bytes_per_second: u64,
}

/// Whether shutting down ends with a checkpoint, so that the next start maps a snapshot instead of replaying the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CheckpointAtStop {
    /// When more than 16 MiB of log lie behind the last one and memory is below 8 GiB; given up 20 s after the stop began.
    #[default]
    Auto,
    /// Whenever something was written since the last one, however long it takes.
    Always,
    /// Never; one that runs is given up.
    Never,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], model::limits::PORT_DEFAULT)),
            admin: SocketAddr::from(([127, 0, 0, 1], model::limits::PORT_DEFAULT + 1)),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            drain: Duration::from_secs(5),
            backups: None,
            exports: None,
            history: None,
            history_limits: HistoryLimits::default(),
            checkpoint_at_stop: CheckpointAtStop::Auto,
            verify_bytes_per_second: 256 << 20,
        }
    }
}
