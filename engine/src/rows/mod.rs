//! Row groups: layout of a row, slab of rows in memory, table of one shard, and how it goes into a snapshot and comes back.

mod layout;
mod slab;
mod slot;
mod snapshot;
mod table;

pub(crate) use layout::RowLayout;
pub(crate) use slot::Slot;
pub(crate) use table::RowTable;
