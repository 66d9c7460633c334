//! The `larder` binary as its users meet it, one story a file.

mod a_new_user;
mod access;
mod audit;
mod bench;
mod bench_ends;
mod checkpoints;
mod commits_equal_brute_force;
mod configuration;
mod damaged_snapshot;
mod demo;
mod deployment;
mod explain;
mod exports;
mod harness;
mod history;
mod kill_while_pushing;
mod lost_answers;
mod memory_limit;
mod offline;
#[cfg(feature = "otel")]
mod otel;
mod probes;
mod retractions;
mod tables;
mod tls;
mod top;
mod verify;
mod what_an_operator_is_told;
mod what_was_meant;
