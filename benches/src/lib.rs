//! Workloads for benchmarks: definitions, keys and events, each from a seed.
//!
//! `cargo bench` runs `benches/*.rs`, one file for each hot path; `cargo bench -- --test` runs each once, tiny, as CI does.
//! `memory` is a program of its own: it fills a database and reads the process's resident bytes.

pub mod cards;
pub mod kernel;
pub mod workload;
