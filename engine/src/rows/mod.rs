//! Row groups: layout of a row, its head, slab of rows in memory, table of one shard, and how it goes into a snapshot and comes back.

mod head;
mod layout;
mod slab;
mod slot;
mod snapshot;
mod table;

pub(crate) use layout::RowLayout;
pub(crate) use slab::slot_bytes;
pub(crate) use slot::Slot;
pub(crate) use table::RowTable;
