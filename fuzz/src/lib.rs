//! The fuzz targets as plain functions: each takes bytes that anybody may have written, and panics when a promise is broken.
//!
//! ```text
//! bytes ─► checksums are made to fit, or not ─► a directory on a simulated disk ─► looked at, checked, opened, read, written on
//!                                                                               └─► do all of them judge alike?
//! ```
//!
//! `fuzz/libfuzzer` hands them to libFuzzer (`cargo xtask long fuzz`); `fuzz/tests/replay.rs` feeds them the corpus and seeded
//! mutations of it in every test run, without anything to install. `cargo run --package larder-fuzz --bin seed-corpus` writes
//! the corpus, which the targets themselves make: every input in it is valid, so that mutations start behind the first checks.
//!
//! Requests, definitions and expressions need no directory: they are decoded, and asked of a database in memory.
//!
//! Not here: values (the engine's oracles compare those), sockets (`server/tests/hostile`), threads.

mod base;
mod mutation;
mod seal;
mod target;

pub use mutation::mutate;

/// One fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, also that of its corpus.
    pub name: &'static str,
    /// Runs it on one input.
    pub run: fn(&[u8]),
    /// Valid inputs, always the same.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "wal_scan", run: target::wal_scan::run, seeds: target::wal_scan::seeds },
    Target { name: "manifest", run: target::manifest::run, seeds: target::manifest::seeds },
    Target {
        name: "snapshot_open",
        run: target::snapshot_open::run,
        seeds: target::snapshot_open::seeds,
    },
    Target { name: "sections", run: target::sections::run, seeds: target::sections::seeds },
    Target { name: "catalog", run: target::catalog::run, seeds: target::catalog::seeds },
    Target { name: "recovery", run: target::recovery::run, seeds: target::recovery::seeds },
    Target { name: "ops_crash", run: target::ops_crash::run, seeds: target::ops_crash::seeds },
    Target { name: "frame", run: target::frame::run, seeds: target::frame::seeds },
    Target { name: "request", run: target::request::run, seeds: target::request::seeds },
    Target {
        name: "definitions",
        run: target::definitions::run,
        seeds: target::definitions::seeds,
    },
    Target { name: "expression", run: target::expression::run, seeds: target::expression::seeds },
];

/// Runs the target called `name`.
///
/// # Panics
/// When there is none, and when the target finds something.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of the table").run)(input);
}
