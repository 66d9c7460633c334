//! The memory limit: writes that need memory are refused before memory ends; everything else goes on.
//!
//! ```text
//! put, push ─► estimate of what it adds ─► used + estimate ≤ limit? ─ no ─► walk, ask again ─ no ─► refused, not logged
//!                                              └ yes ──► log, apply, settle
//! walk, every 100 ms or when it may make room: what tables, ids, producers and the log take replaces the estimates
//! ```
//!
//! `accountant` is the arithmetic, without a database and for loom; `estimate` says how much a write may add, `walk`
//! what there is. Estimates are upper ones, so that what is used is never above the limit between two walks; what they
//! cannot know is stated there. Not here: what a process takes beside its database (code, connections, mapped files).

mod accountant;
mod estimate;
mod walk;

pub use accountant::{Accountant, Health, Refused, Reservation};
pub(crate) use estimate::{push_bytes, put_bytes};
pub use walk::MemoryUse;
