//! Row groups in memory: layout of a row, slab of rows, table of one shard.

mod layout;
mod slab;
mod table;

pub(crate) use layout::RowLayout;
pub(crate) use slab::Slot;
pub(crate) use table::RowTable;
