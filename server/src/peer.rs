//! Who is at the other end of a connection, as far as the connection itself proves it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Where it comes from.
    pub(crate) addr: SocketAddr,
    /// The subject of its certificate, when it gave one that was verified: `CN=NAME`; of one without a common name the first of
    /// its other names, `URI:…` or `DNS:…`.
    pub(crate) certificate_subject: Option<String>,
}

impl Peer {
    /// A peer that proved nothing.
    pub(crate) fn at(addr: SocketAddr) -> Self {
        Self { addr, certificate_subject: None }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.certificate_subject {
            Some(subject) => write!(f, "{} ({subject})", self.addr),
            None => write!(f, "{}", self.addr),
        }
    }
}

impl Default for Peer {
    /// Nobody in particular.
    fn default() -> Self {
        Self::at(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))
    }
}
