//! Window state of a million cards: bytes an entity, and CPU time of updates and reads.
//!
//! `cargo run --release -p larder-benches --example windows [zipf|uniform] [ENTITIES] [EVENTS]`
//!
//! One group of 5 windows × (count, sum, avg, min, max, stddev) over 30 days of payments: with `zipf` (the default), cards drawn
//! with exponent 1.1, one event in 20 late by 30 s on average and one in 1,000 by up to an hour; with `uniform`, every card alike.
//! Times are CPU time of the measuring thread, as the kernel counts it.

use std::io::Write;

use aggregate::{EntityWindows, PreparedEvent, ReadScratch};
use larder_benches::{
    cards::{self, Payment, Shape},
    kernel, workload,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let shape =
        if arguments.next().as_deref() == Some("uniform") { Shape::Uniform } else { Shape::Zipf };
    let mut number =
        |default: usize| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (entities, events) = (number(1_000_000), number(10_000_000));
    let payments = cards::payments(shape, entities, events, 1);
    let (stream, plan) = workload::window_plan("month");
    let mut states = vec![EntityWindows::default(); entities];
    let mut prepared = vec![PreparedEvent::default(); 4096];
    let (mut preparing, mut updating, mut now) = (0, 0, i64::MIN);
    for chunk in payments.chunks(prepared.len()) {
        let start = kernel::thread_ns();
        for (payment, event) in chunk.iter().zip(&mut prepared) {
            workload::prepare_payment(&plan, &stream, payment.amount, payment.time, event);
        }
        let middle = kernel::thread_ns();
        for (payment, event) in chunk.iter().zip(&prepared) {
            now = now.max(payment.arrival);
            if let Some(state) = states.get_mut(payment.card as usize) {
                state.update(&plan, event, now);
            }
        }
        preparing += middle - start;
        updating += kernel::thread_ns() - middle;
    }
    let touched = states.iter().filter(|state| !state.is_empty()).count();
    let bytes: usize = states.iter().map(EntityWindows::bytes).sum();
    let each = |ns: u64, count: usize| ns as f64 / count as f64;
    let mut out = std::io::stdout();
    let mut say = |line: String| writeln!(out, "{line}").expect("standard output is writable");
    say(format!("{events} events of {touched} entities, {} columns", plan.column_count()));
    say(format!(
        "heap bytes an entity, without slot, key and index: {:.1}",
        bytes as f64 / touched as f64
    ));
    say(format!(
        "prepare: {:.0} ns, update: {:.0} ns",
        each(preparing, events),
        each(updating, events)
    ));
    let columns: Vec<usize> = (0..plan.column_count()).collect();
    let selection = plan.select(&columns);
    let mut scratch = ReadScratch::default();
    let mut read = |name: &str, cards: &[u32]| {
        let start = kernel::thread_ns();
        let mut given = 0;
        for card in cards {
            let state = &states[*card as usize];
            given += workload::read_all(&plan, &selection, state, now, &mut scratch);
        }
        let ns = each(kernel::thread_ns() - start, cards.len());
        assert!(given > 0, "some value is not null");
        say(format!("read {name}: {ns:.0} ns"));
    };
    let by_event: Vec<u32> = spread(&payments, 200_000).map(|payment| payment.card).collect();
    read("of entities drawn by events", &by_event);
    let busiest = cards::busiest(&payments, entities, 100);
    let rounds: Vec<u32> = busiest.iter().copied().cycle().take(20_000).collect();
    read("of the 100 busiest, warm", &rounds);
    let uniform: Vec<u32> = (0..200_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761) % u32::try_from(entities).expect("fits"))
        .filter(|card| !states[*card as usize].is_empty())
        .collect();
    read("of entities drawn uniformly", &uniform);
}

/// `count` payments from everywhere, in an order that is not that of time.
fn spread(payments: &[Payment], count: usize) -> impl Iterator<Item = &Payment> {
    (0..count).filter_map(|n| payments.get(n.wrapping_mul(7_368_787) % payments.len()))
}
