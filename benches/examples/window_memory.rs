//! Bytes of window state an entity, its key, slot and index included: 5 windows × 6 aggregates over 30 days in a database.
//!
//! `cargo run --release -p larder-benches --example window_memory [zipf|uniform] [ENTITIES] [EVENTS]`

use std::io::Write;

use larder_benches::{
    cards::{self, Shape},
    kernel, workload,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let is_uniform = arguments.next().as_deref() == Some("uniform");
    let shape = if is_uniform { Shape::Uniform } else { Shape::Zipf };
    let mut number =
        |default: usize| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (entities, events) = (number(1_000_000), number(10_000_000));
    let payments = cards::payments(shape, entities, events, 1);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = workload::database(directory.path(), workload::MONTH);
    let (before, start) = (kernel::resident_bytes(), kernel::thread_ns());
    payments.chunks(1000).for_each(|chunk| workload::push(&database, chunk));
    let spent = kernel::thread_ns() - start;
    let resident = kernel::resident_bytes().saturating_sub(before);
    let group = database.group_memory().pop().expect("one group is defined");
    let each = |bytes: u64| bytes as f64 / group.entities as f64;
    let report = format!(
        "{events} events of {} entities: {:.1} bytes an entity by our own count, {:.1} resident (goal 120); {:.2} µs of CPU time an \
         event, packing and routing included",
        group.entities,
        each(group.bytes),
        each(resident),
        spent as f64 / events as f64 / 1000.0,
    );
    writeln!(std::io::stdout(), "{report}").expect("standard output is writable");
}
