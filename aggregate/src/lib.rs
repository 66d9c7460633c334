//! Tiles, windows, sketches and expressions: pure, deterministic, without I/O.
//!
//! ```text
//! event ─► ingest ─► plan.prepare ─► entity.update ─► raw log ─► fold ─► tiles, distinct ─► entity.read ─► finalize
//! ```
//!
//! **The law.** A value is a function of the *set* of accepted events and of the time `x` it is read at. Everything kept is
//! therefore a commutative, associative monoid over integers, or the minimum or maximum of a total order; there is no float
//! in any state, and each result is rounded once. Where an event is kept (raw or in a tile, on this or that machine, before or
//! after a restart) never shows.
//!
//! A window of length W with hop g, read at x, covers `floor((x − W) / g) · g ≤ event time < x`.
//!
//! | read in this order | |
//! |---|---|
//! | [`expr`] | values of typed expressions: filters, inputs, derived features |
//! | [`ingest`] | floats become decimals, once |
//! | [`WindowPlan`], [`explain`] | a window group compiled: what is equal between its features is kept once; what that will cost |
//! | `raw`, `tile`, `partial` | the bytes of an entity's events, first as they came, then folded |
//! | `summary`, `sketch` | what numbers do not hold: bins, counts by value, newest values, decayed sums |
//! | `distinct` | counts of distinct values, exact while few |
//! | [`EntityWindows`], [`EntityView`] | one entity: update, read, fold, merge, retract, encode |
//! | [`EntitySweep`] | the same values of many reads in order, for replays |
//! | `finalize`, `wide` | from exact integers to the one rounding |
//!
//! What it is not: it reads no clock, knows no key, takes no lock.

mod accumulate;
mod distinct;
mod entity;
mod error;
pub mod expr;
mod finalize;
pub mod ingest;
mod partial;
mod plan;
mod raw;
mod sketch;
mod summary;
mod sweep;
mod tile;
mod varint;
mod wide;

pub use entity::{
    ColumnAccount, EncodedState, EntityView, EntityWindows, Grown, ReadAt, ReadScratch, Word,
};
pub use error::{Error, Overflow};
pub use plan::{
    ColumnSelection, DirectEvents, DirectFields, PreparedEvent, StoredEvent, WindowPlan, explain,
};
pub use sweep::EntitySweep;
