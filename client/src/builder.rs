//! How a client behaves: pool, timeouts, retries, and under which name it writes.

use std::time::Duration;

use stdx::{hash::murmur3_x64_128, prng::seed_from_os};

use crate::{Client, Hedge, TlsOptions, client::Config, introduction::Introduction};

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
            read_addrs: Vec::new(),
            connections: 2,
            tls: None,
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            retries: 3,
            hedge: Hedge::Never,
            breaker_after: None,
            producer: producer_id(high, low),
            first_sequence: 1,
            introduction: Introduction::default(),
        };
        Self { config }
    }

    /// Another address that vectors may be read from: of a server that holds the same data, or another way to the same server.
    /// Reads go to the first address that works, in the order given; while there is another one, an attempt that is not the last
    /// takes at most half of the time left. Everything that is no read of vectors goes to the first address alone: only the server
    /// that got a write knows whether it was applied.
    pub fn also_read_from(mut self, addr: impl Into<String>) -> Self {
        self.config.read_addrs.push(addr.into());
        self
    }

    /// Connections to each address; 2 by default. One carries up to 128 calls at once.
    pub fn connections(mut self, count: usize) -> Self {
        self.config.connections = count.max(1);
        self
    }

    /// Speaks TLS to every address; plain by default.
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.config.tls = Some(options);
        self
    }

    /// How long a connection may take to come up; 2 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long a call may take with all its retries, pauses, reconnections and hedges; 10 s by default. Each frame says what is left
    /// of it, and the server drops what is too late; what is too late before it leaves is not sent ([`crate::Error::Expired`]).
    /// [`crate::Read::within`] gives a single read another time.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self
    }

    /// Most retries of one call; 3 by default, 0 for none. All calls of a client share a budget of retries besides.
    pub fn retries(mut self, count: u32) -> Self {
        self.config.retries = count;
        self
    }

    /// When a read that is not answered goes out a second time; [`Hedge::Never`] by default. [`crate::Read::hedge`] says so of a
    /// single read.
    pub fn hedge(mut self, hedge: Hedge) -> Self {
        self.config.hedge = hedge;
        self
    }

    /// After how many failures in a row an address is left alone: no connection, no answer in time, OVERLOADED, nonsense, or
    /// UNAVAILABLE to a read. Calls then fail at once ([`crate::Error::CircuitOpen`]) or go elsewhere; after a pause of 50 to 100 ms,
    /// doubled up to 10 s or as long as the server asked for, one call tries it. 0 is never. By default 5 when there are several
    /// addresses, and never with one: without somewhere else to go, a call may as well try. Reads of vectors are counted apart from
    /// all else, which goes to the first address alone and is counted only when this is set.
    pub fn breaker_after(mut self, failures: u32) -> Self {
        self.config.breaker_after = Some(failures);
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

    /// Who asks, for servers that want to know: a token of the server's access policy. Every connection says it before anything
    /// else; a server that does not know it (any more) is [`crate::Error::Fix`].
    pub fn token(mut self, token: &str) -> Self {
        self.config.introduction.token = token.into();
        self
    }

    /// What this client's reads are for, for servers that want to know before they give personal features away. Said by every
    /// connection; [`Client::service_for`] says so of a single reader.
    pub fn purpose(mut self, purpose: &str) -> Self {
        self.config.introduction.purpose = purpose.into();
        self
    }

    #[cfg(test)]
    pub(crate) fn config(&self) -> &Config {
        &self.config
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
