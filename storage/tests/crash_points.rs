//! Random lives of a log and its checkpoints on a disk that loses power at any operation (recovery's too), fails single
//! operations, and fills up.
//!
//! Promises: what the log called durable is there after a power cut, and what it called written after a kill; what is there is
//! a prefix of what was appended, unchanged; a snapshot that was said to count does, or a later one; what it does not hold is in
//! the log; after a failed operation nothing is acknowledged any more; none of this is ever taken for corruption. `LARDER_SEED`
//! replays one seed, `LARDER_CRASHES` sets how many crashes there are.

#[path = "harness/lives.rs"]
mod lives;

use std::sync::atomic::{AtomicU64, Ordering};

use lives::{Coverage, LIVES, run};

/// Runs seeds, taken from `next`, up to `end`.
fn work(next: &AtomicU64, end: u64) -> Coverage {
    let mut coverage = Coverage::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return coverage;
        }
        let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(seed, &mut coverage);
        }));
        assert!(lived.is_ok(), "seed {seed}: replay with LARDER_SEED={seed}");
    }
}

#[test]
fn no_crash_loses_what_was_acknowledged() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let crashes = number("LARDER_CRASHES").unwrap_or(100_000);
    let seeds = match number("LARDER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + crashes.div_ceil(LIVES),
    };
    let few = seeds.end - seeds.start < 100;
    let (next, mut coverage) = (AtomicU64::new(seeds.start), Coverage::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..workers).map(|_| scope.spawn(|| work(&next, seeds.end))).collect();
        for worker in workers {
            coverage += worker.join().expect("see above for the seed");
        }
    });
    println!("{crashes} crashes: {coverage:?}");
    assert!(few || coverage.all().iter().all(|count| *count > 0), "{coverage:?}");
}
