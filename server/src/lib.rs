//! The server: the only place where the wire meets the engine.
//!
//! ```text
//! accept ──► net-0 ─ runtime ─ connection ─ session (bytes to frames) ─ dispatch ─ handler/* ─► engine
//!        └─► net-1 ─ …                        ▲ replies of one poll leave in one write ◄─ tickets of writes
//! bulk-0 …   what takes long; define: definitions    admission ─ what a network thread that is always busy turns away
//! admin  ──► runtime of its own ─ /health, /ready, /metrics: what threads count (`metrics`); what took long (`slow`)
//! ahead      of several requests that came in one piece: memory that they will take is looked at before their turn
//! spans      a sample of answered requests, for whoever exports them
//! sweeper    a timer: window states that no window sees any more give their memory back; memory is counted for its limit
//! checkpointer ─ snapshots when due or asked for, backups       verifier ─ reads every block of the mapped snapshot once
//! audit      who did what, as a chain of lines (`audit` draws it)
//! exporter ─ every group at one moment as files, when asked for       historian, read_log ─ what was accepted, what was served, as files
//! seats    as many network threads are used as the load is worth: connections are dealt anew between two requests
//! door ─ connections are counted and let in       tls ─ certificates, handshakes       peer ─ who is at the other end
//! access   who may do what: a policy, who a connection is, and the one place where every operation is decided
//! ```
//!
//! `threads` makes the threads, `connection` moves bytes, `session` needs no socket, `handler` has one file for each
//! operation, `error` holds the one table from engine errors to statuses. Not here: what operations mean (engine), how they
//! are laid out (protocol).

pub mod access;

mod admin;
mod admission;
mod ahead;
mod answered;
pub mod audit;
mod backups;
mod buffers;
mod bulk;
mod checkpointer;
mod config;
mod connection;
mod dispatch;
mod door;
mod error;
mod exporter;
mod handler;
mod handles;
mod historian;
mod in_flight;
mod load;
mod metrics;
mod others;
mod peer;
mod ports;
mod prepared;
mod read_at_most;
mod read_log;
mod seats;
mod server;
mod session;
mod shared;
mod slow;
mod spans;
mod stop;
mod sweeper;
mod threads;
mod tls;
mod unanswered;
mod unfinished;
mod verifier;

pub use answered::Answered;
pub use config::{CheckpointAtStop, Config};
pub use error::Error;
pub use ports::Ports;
pub use server::Server;
pub use spans::{SpanQueue, Spans};
pub use tls::TlsFiles;
