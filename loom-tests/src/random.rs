//! Runs a model in interleavings drawn at random: threads have priorities, and lose them at a few random moments (PCT: Burckhardt et
//! al., ASPLOS 2010), so that a thread may rest where an evenly drawn schedule would hardly let it.

use std::panic::Location;

use shuttle::{Config, FailurePersistence, Runner, scheduler::PctScheduler};
use stdx::{
    clock::{Clock, SystemClock},
    prng::seed_from_os,
};

/// Interleavings that are tried when nobody says how many.
const SCHEDULES: usize = 2_000;
/// Moments at which a thread falls behind all others, in each.
const DEPTH: usize = 4;
/// Of each thread: a request goes deeper than shuttle expects.
const STACK_BYTES: usize = 1 << 20;

/// Checks `model` in `LARDER_SCHEDULES` interleavings. Prints their seed first: `LARDER_SEED` repeats them.
///
/// # Panics
/// As the model does.
#[track_caller]
pub fn check(model: impl Fn() + Send + Sync + 'static) {
    let place = Location::caller();
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("LARDER_SEED").unwrap_or_else(seed_from_os);
    let schedules = number("LARDER_SCHEDULES").and_then(|schedules| schedules.try_into().ok());
    let schedules = schedules.unwrap_or(SCHEDULES);
    #[expect(clippy::print_stdout, reason = "shown when the test fails: what repeats it")]
    {
        println!("{}: {schedules} schedules, LARDER_SEED={seed}", place.file());
    }
    let clock = SystemClock::new();
    let start_ns = clock.mono_ns();
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::None;
    Runner::new(PctScheduler::new_from_seed(seed, DEPTH, schedules), config).run(model);
    let took_ms = (clock.mono_ns() - start_ns) / 1_000_000;
    #[expect(clippy::print_stdout, reason = "shown with --nocapture: how long it took")]
    {
        println!("{}: {took_ms} ms", place.file());
    }
}
