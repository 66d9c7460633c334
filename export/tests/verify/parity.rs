//! Online equals offline: whatever many threads did, and although the process was killed and the definitions changed.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use export::verify::VerifyReport;
use stdx::clock::Clock;

use crate::traffic::Traffic;
use crate::world::{DEFINITIONS, LATER, Running, World};

const WRITERS: usize = 3;

/// `LARDER_SEED`, to replay a failure, else a new one.
fn seed() -> u64 {
    let given = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(stdx::prng::seed_from_os)
}

/// Traffic on a database that `beside` is done to, given the number of writes so far.
fn traffic(
    world: &World,
    running: &mut Running,
    (seed, operations): (u64, usize),
    beside: impl FnOnce(&Traffic<'_>) + Send,
) {
    let (writes, writers) = (AtomicUsize::new(0), AtomicUsize::new(WRITERS));
    let samples = Mutex::new(Vec::new());
    let traffic = Traffic {
        database: &running.database,
        clock: &world.clock,
        seed,
        writes,
        writers,
        samples,
    };
    traffic.run(operations, || beside(&traffic));
    let samples = traffic.samples.into_inner().expect("nobody panicked");
    for sample in samples {
        running.log.offer(sample);
    }
    let (position, clock) = (running.database.wal().durable_lsn(), world.clock.as_ref());
    running.log.advance(position, clock.wall_ms()).expect("files can be written");
    running.follow(world);
}

#[test]
fn a_hundred_thousand_values_are_served_as_history_says_across_a_kill_and_other_definitions() {
    let (seed, world) = (seed(), World::new());
    eprintln!("LARDER_SEED={seed}");
    let mut running = world.open(DEFINITIONS);
    traffic(&world, &mut running, (seed, 700), |traffic| {
        traffic.wait_for(700);
        traffic.database.abandon();
    });
    drop(running);
    let mut running = world.open(DEFINITIONS);
    traffic(&world, &mut running, (seed + 1, 900), |traffic| {
        traffic.wait_for(900);
        traffic.database.apply("later.toml", LATER, false).expect("it can be changed so");
    });
    world.close(running);
    let report = world.verify(1 << 30);
    let VerifyReport { reads, values, different, unverifiable, differences, .. } = &report;
    eprintln!(
        "{reads} vectors, {values} values, {different} different; not verifiable: {unverifiable:?}"
    );
    assert_eq!(*different, 0, "{differences:#?}");
    assert!(report.values >= 100_000, "{} values", report.values);
    assert!(report.unverifiable.is_empty(), "{:?}", report.unverifiable);
    // Many passes find the same.
    assert_eq!(world.verify(1 << 22), report);
}
