//! A training set of 30 features from 10 million payments for a million rows: CPU time, rows a second and core, memory.
//!
//! `cargo run --release -p larder-benches --example replay -- [--full] [--files DIR] [--threads N]`
//!
//! Without `--full` a hundredth of it. 5 windows × (count, sum, avg, min, max, stddev) over 30 days, cards drawn with exponent 1.1.
//! `--files DIR` keeps the files, from which `benches/peers/replay.py` makes the same set with Polars and DuckDB.

use std::path::PathBuf;

use larder_benches::{
    kernel,
    replay::{self, Options},
    report::{megabytes, ms, say},
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
    };
    let part = if arguments.iter().any(|argument| argument == "--full") { 1 } else { 100 };
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let directory = value("--files").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    let threads = value("--threads").and_then(|text| text.parse().ok()).unwrap_or(1);
    let options = Options {
        cards: 1_000_000 / part,
        events: 10_000_000 / part,
        rows: 1_000_000 / part,
        threads,
        directory,
    };
    if !options.directory.join("spine.parquet").exists() {
        replay::generate(&options);
        let used = megabytes(kernel::resident_bytes_max());
        say(&format!(
            "files written ({used:.0} MB); run again with --files for memory of the replay alone"
        ));
    }
    let measured = replay::replay(&options);
    let [spine, events, partitions, written] = measured.steps_ns.map(|ns| ms(ns) / 1e3);
    let total = spine + events + partitions + written;
    let rows = measured.report.rows;
    say(&format!(
        "{rows} rows × 30 features of {} events: {total:.2} CPU s, {:.0} rows and {:.0} events a second of CPU",
        options.events,
        rows as f64 / total,
        options.events as f64 / total,
    ));
    say(&format!(
        "spine {spine:.2} s, events {events:.2} s, brought together {partitions:.2} s, written {written:.2} s"
    ));
    say(&format!(
        "{:.0} MB resident at most, {} bytes spilled",
        megabytes(measured.resident_bytes_max),
        measured.report.spilled
    ));
}
