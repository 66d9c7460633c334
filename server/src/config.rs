//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use export::history::HistoryLimits;

use crate::{Spans, TlsFiles, audit::AuditOptions};

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
    /// How long a network thread that is always busy lets requests wait before it turns them away.
    pub turn_max: Duration,
    /// What takes so long is kept and told, with where its time went.
    pub slow: Duration,
    /// Requests that are described one by one, for whoever holds the other end. `None`: none are.
    pub spans: Option<Spans>,
    /// How long a peer may read nothing of what is sent to it before it is cut off.
    pub stall: Duration,
    /// Most connections; fewer when the process may not have so many files open.
    pub max_connections: usize,
    /// Most connections of one address; of IPv6 the first 64 bits count.
    pub max_connections_per_address: usize,
    /// How long a request may take from its first byte to its last.
    pub unfinished: Duration,
    /// Most bytes of large requests that are not whole and of answers that nobody reads, of all connections together; half as many
    /// more of requests that wait for a thread of their own, or are answered there.
    pub buffer_bytes: usize,
    /// Certificates for both ports; `None`: they are plain.
    pub tls: Option<TlsFiles>,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// Where backups are made: a directory of their own, best beside the database's files. `None`: they are refused.
    pub backups: Option<PathBuf>,
    /// Where exports are made, one directory each. `None`: they are refused.
    pub exports: Option<PathBuf>,
    /// Where the history of streams and row groups is kept: `history` in the data directory. `None`: it is not, and the log is.
    pub history: Option<PathBuf>,
    /// When the history's files are closed.
    pub history_limits: HistoryLimits,
    /// Where and how the log of who did what is written. `None`: it is not.
    pub audit: Option<AuditOptions>,
    /// Whether shutting down ends with a checkpoint.
    pub checkpoint_at_stop: CheckpointAtStop,
    /// The file that says who may do what. `None`: whoever can connect may do everything.
    pub access: Option<PathBuf>,
    /// With a policy: how long a connection may take until it has said who it is.
    pub hello_within: Duration,
    /// Addresses that others can reach are taken as they are, with or without a policy.
    pub insecure: bool,
    /// The admin port may be one that others can reach: it asks nobody who they are.
    pub admin_public: bool,
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
            turn_max: Duration::from_millis(1),
            slow: Duration::from_millis(10),
            spans: None,
            stall: Duration::from_secs(10),
            max_connections: model::limits::CONNECTIONS_MAX,
            max_connections_per_address: model::limits::CONNECTIONS_PER_ADDRESS_MAX,
            unfinished: Duration::from_millis(model::limits::UNFINISHED_MS_MAX),
            buffer_bytes: model::limits::BUFFER_BYTES_MAX,
            tls: None,
            handshake: Duration::from_secs(5),
            backups: None,
            exports: None,
            history: None,
            history_limits: HistoryLimits::default(),
            audit: None,
            checkpoint_at_stop: CheckpointAtStop::Auto,
            access: None,
            hello_within: Duration::from_millis(model::limits::UNAUTHENTICATED_MS_MAX),
            insecure: false,
            admin_public: false,
            verify_bytes_per_second: 256 << 20,
        }
    }
}
