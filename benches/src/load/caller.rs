//! Who asks a Larder server: over TLS or not, with a token or none. Every connection of a load asks alike.

use std::fmt;

use client::{Client, ClientBuilder, TlsOptions};

/// See the module. What it proves itself by is not shown, whatever is printed.
#[derive(Clone, Default)]
pub struct Caller {
    /// `None`: plain.
    pub tls: Option<TlsOptions>,
    /// For servers that want to know who asks.
    pub token: Option<String>,
    /// What reads are for, when that is declared.
    pub purpose: Option<String>,
}

impl Caller {
    /// A client of the server at `addr` with one connection. Each has a name of its own to write under.
    pub fn client(&self, addr: &str) -> ClientBuilder {
        let mut builder = Client::builder(addr).connections(1);
        if let Some(tls) = &self.tls {
            builder = builder.tls(tls.clone());
        }
        if let Some(token) = &self.token {
            builder = builder.token(token);
        }
        match &self.purpose {
            Some(purpose) => builder.purpose(purpose),
            None => builder,
        }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("tls", &self.tls).finish_non_exhaustive()
    }
}
