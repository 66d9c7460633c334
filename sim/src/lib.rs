//! The database on a simulated disk, life after life, against a plain model of what it promised.
//!
//! ```text
//! seed ─► world: disk, clocks, history, model
//!           └─► life: open ─► check ─► clients write, the flusher works, checkpoints, faults ─► kill, power cut or close ─┐
//!           ┌──────────────────────────────────────────────── LIVES times ─────────────────────────────────────────────────┘
//!           └─► twin: the same history into an empty database gives the same digest
//! ```
//!
//! The real engine and storage run on [`storage::fs::SimFs`] in one thread, so that a seed decides everything. Every record
//! that is appended is a change in the history; what a start finds must be the model after a prefix of it, and that prefix must
//! hold all that was promised: durable through a power cut, written through the end of the process.
//!
//! Not here: threads (loom-tests), real disks and kernels (tests), the wire.

mod campaign;
mod check;
mod client;
mod copy;
mod coverage;
mod damage;
mod failure;
mod handles;
mod history;
mod life;
mod model;
mod operation;
mod predict;
mod schema;
mod simulation;
mod trace;
mod twin;
mod workload;
mod world;

pub use campaign::{Campaign, Report};
pub use coverage::Coverage;
pub use simulation::{Found, LIVES, Options, Passed, run};
