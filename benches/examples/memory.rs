//! Resident bytes per entity: a million entities of 50 f64, against their payload.
//!
//! `cargo run --release -p larder-benches --example memory [ENTITIES]`

use std::io::Write;

use larder_benches::{kernel::resident_bytes, workload};

fn main() {
    let entities: u64 =
        std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = workload::database(directory.path(), &workload::definitions());
    let before = resident_bytes();
    for start in (0..entities).step_by(1000) {
        workload::put_wide(&database, start..(start + 1000).min(entities));
    }
    let after = resident_bytes();
    let payload = workload::WIDE * 8;
    let counted: u64 = database.group_memory().iter().map(|group| group.bytes).sum();
    let resident = after.saturating_sub(before) as f64 / entities as f64;
    let goal = payload as f64 * 1.15 + 64.0;
    let report = format!(
        "{entities} entities x {payload} bytes: {resident:.1} resident bytes an entity (goal {goal:.1}), \
         {:.1} by our own count",
        counted as f64 / entities as f64
    );
    writeln!(std::io::stdout(), "{report}").expect("standard output is writable");
}
