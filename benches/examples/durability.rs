//! What durability costs: rate of checkpoints, what reads notice of them, a start in the same process; rows of 50 f64 in
//! real files.
//!
//! `cargo run --release -p larder-benches --example durability [ROWS] [DIRECTORY] [TURNS]`

use std::path::PathBuf;

use larder_benches::durability::{self, Options};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let own = tempfile::tempdir().expect("a temporary directory");
    let directory = arguments.next().map_or_else(|| own.path().to_owned(), PathBuf::from);
    let turns = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    durability::run(&directory, &Options { rows, turns, rows_per_second: 20_000 });
}
