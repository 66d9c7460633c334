//! What a restart costs: from the start of a process to its first answered read, and to full speed; a million rows of 50
//! f64, and a million cards with counters in 4 windows.
//!
//! `cargo run --release -p larder-benches --example restart -- [--redis] [--entities N] [--payments N] [--runs N] [--first-reads N]
//! [--dir D]`
//!
//! With `--redis` beside a redis-server of its own, when one is installed. Every second start finds nothing of its files
//! in the page cache. `LARDER_BINARY` names another binary than that of this build.

use std::path::PathBuf;

use larder_benches::restart::{self, Options};

fn main() {
    let own = tempfile::tempdir().expect("a temporary directory");
    let binary = std::env::var_os("LARDER_BINARY").map_or_else(compile, PathBuf::from);
    let mut options = Options {
        entities: 1_000_000,
        payments: 3_000_000,
        runs: 4,
        first_reads: 0,
        with_redis: false,
        binary,
        directory: own.path().to_owned(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--redis" => options.with_redis = true,
            "--entities" => options.entities = value().parse().expect("a number"),
            "--payments" => options.payments = value().parse().expect("a number"),
            "--runs" => options.runs = value().parse().expect("a number"),
            "--first-reads" => options.first_reads = value().parse().expect("a number"),
            "--dir" => options.directory = value().into(),
            _ => panic!(
                "{argument} is none of --redis, --entities, --payments, --runs, --first-reads, --dir"
            ),
        }
    }
    let _starts = restart::run(&options);
}

/// The binary beside this program, compiled as it is.
fn compile() -> PathBuf {
    restart::compile(&std::env::current_exe().expect("a program knows its own path"))
}
