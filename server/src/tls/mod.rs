//! TLS 1.3 for both ports: certificates from files, read again while the server runs; who the peer proved to be.
//!
//! ```text
//! material   files ─► rustls::ServerConfig, all of it or an error that names the file
//! reload     the current one; SIGHUP and a look at the files every few seconds replace it, a broken one never does
//! open       a connection ─► its handshake, bounded in time and number ─► transport, peer
//! transport  plain or TLS: what `connection` reads and writes; the plain road is the socket itself
//! subject    a verified certificate ─► the name that a policy may mention
//! listener   the admin port's connections: limited in number, and in how long they may say nothing
//! ```

mod listener;
mod material;
mod open;
mod reload;
mod subject;
mod transport;

pub use material::TlsFiles;

pub(crate) use listener::AdminListener;
pub(crate) use open::open;
pub(crate) use reload::{Tls, watch};
pub(crate) use transport::Transport;
