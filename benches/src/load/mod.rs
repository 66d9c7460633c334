//! The load generator behind `larder bench`: requests drawn from a seed, sent at a pace, answered by a server and, in the same
//! run, by what it is compared with.
//!
//! ```text
//! workload, distribution ─► operation ─┐                       ┌─► larder   the client
//! (what is asked, of whom)             ├─► crew of generators ─┼─► redis    RESP, pipelined
//! pace: closed, or open at a rate ─────┘    │ one thread each   └─► echo     as many bytes, nothing else
//!                                           ▼
//!                  tally: latencies from the intended time, failures apart ─► slo, comparison, find_max ─► report
//! ```
//!
//! What it is not: a way to fill a database that anybody needs, or a judge of its own speed; when it cannot keep up it says so.

pub mod arrivals;
pub mod compare;
pub mod distribution;
pub mod fill;
pub mod find_max;
mod greeting;
pub mod operation;
pub mod owned;
pub mod peer;
pub mod report;
pub mod run;
pub mod server;
pub mod slo;
pub mod stop;
pub mod tally;
pub mod workload;

mod bench;
mod caller;
mod crew;
mod definitions;
mod error;
mod larder;
mod pace;
mod side;

pub use bench::{Bench, Peer, Plan};
pub use caller::Caller;
pub use error::Error;
pub use larder::{Service, reader_of};
pub use pace::{Arrivals, Pace};
