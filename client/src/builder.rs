//! How a client behaves: pool, timeouts, retries, and under which name it writes.

use std::time::Duration;

use stdx::{hash::murmur3_x64_128, prng::seed_from_os};

use crate::{Client, client::Config};

/// Settings of a client. Nothing connects until the first call.
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    config: Config,
}

impl ClientBuilder {
    pub(crate) fn new(addr: impl Into<String>) -> Self {
        let (high, low) = (seed_from_os(), seed_from_os());
        let config = Config {
            addr: addr.into(),
            connections: 2,
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            retries: 3,
            producer: producer_id(high, low),
            first_sequence: 1,
        };
        Self { config }
    }

    /// Connections to the server; 2 by default. One carries up to 128 calls at once.
    pub fn connections(mut self, count: usize) -> Self {
        self.config.connections = count.max(1);
        self
    }

    /// How long a connection may take to come up; 2 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long a call may take with all its retries; 10 s by default. The server is told, and drops what is too late.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self
    }

    /// Most retries of one call; 3 by default, 0 for none. All calls of a client share a budget of retries besides.
    pub fn retries(mut self, count: u32) -> Self {
        self.config.retries = count;
        self
    }

    /// Writes under a name that outlives this process, numbered from `first_sequence` on: a write sent again under the same
    /// name and number, by whatever process, is applied once. Whoever names a producer must never give one number to two
    /// different writes. By default a client picks a random producer and counts from 1.
    pub fn producer(mut self, name: &str, first_sequence: u64) -> Self {
        let (high, low) = murmur3_x64_128(name.as_bytes(), 0);
        self.config.producer = producer_id(high, low);
        self.config.first_sequence = first_sequence;
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        Client::with(self.config)
    }
}

/// 0 is nobody.
fn producer_id(high: u64, low: u64) -> u128 {
    (u128::from(high) << 64 | u128::from(low)).max(1)
}
