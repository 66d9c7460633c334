//! Window groups in memory: the state of every entity of one shard.

mod retract;
mod table;

pub(crate) use table::WindowTable;
