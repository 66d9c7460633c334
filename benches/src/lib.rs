//! Workloads for benchmarks: definitions, keys and events, each from a seed; and the measurements that are programs of
//! their own; and the load generator of `larder bench`.
//!
//! `cargo bench` runs `benches/*.rs`, one file for each hot path; `cargo bench -- --test` runs each once, tiny, as CI does.
//! `examples/*.rs` are programs of their own: they fill databases and measure memory, checkpoints and restarts. What they
//! do stands here where it is more than a screen long; `tests/tiny.rs` runs it with a few rows.

pub mod cards;
#[cfg(feature = "whole")]
pub mod durability;
#[cfg(feature = "whole")]
pub mod export;
pub mod kernel;
#[cfg(feature = "whole")]
pub mod load;
#[cfg(feature = "whole")]
pub mod replay;
pub mod report;
#[cfg(feature = "whole")]
pub mod restart;
pub mod workload;
