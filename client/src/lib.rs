//! The client of Larder: typed reads, rows and events over few connections with many calls in flight.
//!
//! ```no_run
//! use client::Client;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::new("127.0.0.1:7440");
//!     client.apply("features.toml", include_str!("../../examples/payments/features.toml"), false).await?;
//!
//!     // Rows of a group: computed elsewhere, put here.
//!     let profiles = client.group("card_profile").await?;
//!     let row = profiles.row().key("c1").set("country", "CH").set("credit_limit", 5000.0);
//!     profiles.put([row]).await?;
//!
//!     // Events of a stream: windows are kept up to date by the server, the next read sees them.
//!     let payments = client.stream("payments").await?;
//!     let event = payments
//!         .event()
//!         .set("payment_id", "p1")
//!         .set("card", "c1")
//!         .set("merchant", "m9")
//!         .set("amount", 12.5)
//!         .set("ts", "2026-03-22T09:30:00Z");
//!     let reply = payments.push([event]).await?;
//!     assert_eq!((reply.accepted, reply.late), (1, 0), "{:?}", reply.rejects);
//!
//!     // What a model reads: one vector for each tuple of keys, every value with its status.
//!     let fraud = client.service("fraud_v3").await?;
//!     let read = fraud.read().key("card", "c1").key("merchant", "m9").request("amount", 99.0);
//!     let vectors = read.send().await?;
//!     for (name, status, value) in vectors.row(0) {
//!         println!("{name:24} {status:10} {value:?}");
//!     }
//!     let _model_input: Vec<f64> = vectors.row_f64(0);
//!     Ok(())
//! }
//! ```
//!
//! ```text
//! client    one method for each operation         builder   addresses, pool, timeouts, retries, hedges, producer
//! read      reads and their vectors               group     rows, deletes         stream   events       scan   pages
//! degrade   missing values, defaults              input, key   callers' values and keys to typed ones
//! prepared  names to handles, renewed when stale  call      attempts, pauses     deadline   the time of all of them
//! retry     which calls are sent again            budget    how many             hedge    when a read goes out twice
//! endpoint  which address, one request to it      breaker   which are left alone
//! pool      few connections, replaced             connection, in_flight   one socket, its waiting calls
//! tls       certificates, handshakes
//! sequence  numbers of writes: a retried write is applied once
//! ```
//!
//! What a model service does about a slow or broken server stands in `docs/client.md`. [`blocking`] is for programs without an async
//! runtime. What it is not: no cache, no balancing over servers, no meaning of values.

pub mod blocking;

mod breaker;
mod budget;
mod builder;
mod call;
mod client;
mod connection;
mod deadline;
mod degrade;
mod endpoint;
mod error;
mod export;
mod group;
mod hedge;
mod in_flight;
mod input;
mod introduction;
mod key;
mod pool;
mod prepared;
mod read;
mod retry;
mod scan;
mod sequence;
mod stream;
mod tls;
mod vectors;

pub use builder::ClientBuilder;
pub use client::Client;
pub use degrade::OnMissing;
pub use error::Error;
pub use group::{GroupWriter, PackedRow, Row};
pub use hedge::Hedge;
pub use input::Input;
pub use key::Key;
pub use prepared::Schema;
pub use protocol::{
    AppliedChange, ApplyReply, CheckpointReply, DeleteReply, DescribeReply, ExportFormat,
    ExportReply, ExportRequest, ExportedFile, HelloReply, Opcode, PreparedColumn, PreparedEntity,
    PushReply, PutReply, PutRow, Receipt, Reject, RejectKind, RetractReply, StatValue, SyncLevel,
};
pub use read::{Read, ServiceReader};
pub use scan::{Page, Scan};
pub use stream::{Event, StreamWriter};
pub use tls::TlsOptions;
pub use vectors::Vectors;
