//! Window groups in memory: the state of every entity of one shard.
//!
//! ```text
//! key ─ index ─► slot (4 bytes) ─► block: slot, spare, key, raw log ─ few ─► tiles, in a side slab
//! ```
//!
//! A cold entity costs its events and its key, and about twenty bytes: slot, index, the block's head and what a size class
//! rounds up. `arena` holds blocks without gaps, `block` lays one out, `sweep` gives back what no window sees any more, `cold` finds
//! that in the snapshot; `snapshot` is how states go into a snapshot and are served from it.

mod arena;
mod block;
mod cold;
mod grown;
mod retract;
mod slots;
mod snapshot;
mod sweep;
mod table;

pub(crate) use cold::Ripe;
pub(crate) use table::{Arrival, Moment, WindowTable};
