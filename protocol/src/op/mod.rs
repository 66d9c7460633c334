//! One file for each operation: its request, its reply, their bytes in both directions.

pub mod apply;
pub mod checkpoint;
pub mod delete;
pub mod describe;
pub mod export;
pub mod hello;
pub mod ping;
pub mod prepare;
pub mod push;
pub mod put;
pub mod read;
pub mod retract;
pub mod scan;
pub mod stats;
