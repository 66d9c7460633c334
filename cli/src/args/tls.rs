//! Options of TLS and of the door: on the server's side for `serve`, on the client's for everything that talks to a server.

use std::path::PathBuf;

use clap::Args;
use model::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX};

/// Who is let in by `serve`, and how.
#[derive(Debug, Args)]
pub(crate) struct Door {
    /// Certificate of the server (PEM), followed by those that lead to its authority: both ports speak TLS 1.3 then. Read again
    /// on SIGHUP and when the file changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Key of the certificate (PEM, not encrypted).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Authorities of client certificates (PEM): clients are asked for one.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// Turn clients without a certificate away.
    #[arg(long, requires = "tls_client_ca")]
    pub(crate) tls_client_required: bool,
    /// Most connections; fewer when the process may not have so many files open.
    #[arg(long, default_value_t = CONNECTIONS_MAX, value_name = "N")]
    pub(crate) max_connections: usize,
    /// Most connections of one address; of IPv6 the first 64 bits count.
    #[arg(long, default_value_t = CONNECTIONS_PER_ADDRESS_MAX, value_name = "N")]
    pub(crate) max_connections_per_address: usize,
}

impl Door {
    /// The files of TLS, if it is wanted.
    pub(crate) fn tls(&self) -> Option<server::TlsFiles> {
        Some(server::TlsFiles {
            cert: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
            client_ca: self.tls_client_ca.clone(),
            client_required: self.tls_client_required,
        })
    }
}

/// How a command talks to its server.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Tls {
    /// Speak TLS, and believe the authorities that this machine does.
    #[arg(long, env = "LARDER_TLS")]
    pub(crate) tls: bool,
    /// Speak TLS, and believe the authorities in this file (PEM) alone.
    #[arg(long, env = "LARDER_TLS_CA", value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Name in the server's certificate, when it is not the host of the address.
    #[arg(long, env = "LARDER_TLS_SERVER_NAME", value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,
    /// Certificate of this client (PEM), for servers that ask for one.
    #[arg(long, env = "LARDER_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key (PEM, not encrypted).
    #[arg(long, env = "LARDER_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}
