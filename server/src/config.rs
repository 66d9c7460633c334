//! What a server is started with.

use std::net::SocketAddr;
use std::time::Duration;

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
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], model::limits::PORT_DEFAULT)),
            admin: SocketAddr::from(([127, 0, 0, 1], model::limits::PORT_DEFAULT + 1)),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            drain: Duration::from_secs(5),
        }
    }
}
