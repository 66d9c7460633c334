//! Exports of a million rows of 50 f64, as Arrow and as Parquet: rows and bytes a second, and CPU time.
//!
//! `cargo run --release -p larder-benches --example export [ROWS] [DIR]`

use larder_benches::export;

fn main() {
    let mut args = std::env::args().skip(1);
    let rows = args.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let directory = match args.next() {
        Some(below) => tempfile::tempdir_in(below),
        None => tempfile::tempdir(),
    };
    export::run(directory.expect("a temporary directory").path(), rows);
}
