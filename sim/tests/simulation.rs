//! A share of the long run: crashes of every kind, and a count of all that happened in them.
//!
//! `LARDER_CRASHES` sets how many, `LARDER_SEED` replays one simulation with everything that happens printed.

use sim::{Campaign, Options, run};

/// From so many crashes on, nothing that the simulation is about has not happened.
const CRASHES_FOR_ALL: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_crash_loses_what_was_promised() {
    if let Some(seed) = number("LARDER_SEED") {
        let passed = run(seed, Options { is_shown: true, is_canary: false });
        assert!(passed.is_ok(), "{}", passed.expect_err("just checked"));
        return;
    }
    let crashes = number("LARDER_CRASHES").unwrap_or(100_000);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let report = Campaign { first_seed: 1, crashes, threads }.run();
    let (count, seconds) = (report.crashes(), report.took_ms / 1_000);
    println!("{count} crashes in {seconds} s, {} a second and thread", report.rate(threads));
    assert!(report.found.is_empty(), "{}", report.found[0]);
    assert!(report.canaries > 0 || crashes < CRASHES_FOR_ALL);
    for (name, count) in report.coverage.list() {
        println!("{name:26} {count:10}");
        assert!(count > 0 || crashes < CRASHES_FOR_ALL, "{name} never happened");
    }
}
