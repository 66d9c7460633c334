//! Window groups in memory: the state of every entity of one shard.

mod table;

pub(crate) use table::WindowTable;
