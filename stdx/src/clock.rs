//! Time as an argument: nothing at or below the engine reads an ambient clock.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch, UTC. May jump when the machine's clock is corrected.
    fn wall_ms(&self) -> i64;
    /// Nanoseconds since an arbitrary start; never goes back.
    fn mono_ns(&self) -> u64;
    /// Nanoseconds that this thread has worked: not what it waited, nor what the machine did for others meanwhile. Costs several
    /// times what the other clocks do. Without such a clock, those of [`Clock::mono_ns`].
    fn worked_ns(&self) -> u64 {
        self.mono_ns()
    }
    /// How far ahead of this one the machine's wall clock was set, in ms, when this one does not follow it; else 0.
    fn step_ms(&self) -> i64 {
        0
    }
}

/// A machine's wall clock that moves by more than this between two looks, against the time that passed, was set.
const STEP_MS_MAX: i64 = 60_000;

/// The machine's clocks.
///
/// Small corrections of the wall clock are followed as they come. When somebody sets it by more than a minute, this clock goes on
/// as if that had not happened, and says so: a clock set a year ahead by mistake would make everything that windows hold old, and
/// setting it back would not bring it back. The next start takes the machine's time as it is then.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    /// Wall clock less time since boot, in ms.
    offset_ms: AtomicI64,
    /// How far the machine's wall clock is from this one, once it was set.
    step_ms: AtomicI64,
}

impl SystemClock {
    /// A clock whose monotonic reading starts at 0 now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            offset_ms: AtomicI64::new(machine_wall_ms() - since_boot_ms()),
            step_ms: AtomicI64::new(0),
        }
    }

    /// The time, when the machine says `wall_ms` and was booted `boot_ms` ago.
    fn judge(&self, wall_ms: i64, boot_ms: i64) -> i64 {
        let expected = boot_ms + self.offset_ms.load(Ordering::Relaxed);
        let step = wall_ms - expected;
        if step.abs() > STEP_MS_MAX {
            self.step_ms.store(step, Ordering::Relaxed);
            return expected;
        }
        self.offset_ms.store(wall_ms - boot_ms, Ordering::Relaxed);
        self.step_ms.store(0, Ordering::Relaxed);
        wall_ms
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall_ms(&self) -> i64 {
        self.judge(machine_wall_ms(), since_boot_ms())
    }

    fn mono_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn worked_ns(&self) -> u64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let (seconds, rest) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
        seconds.unwrap_or(0) * 1_000_000_000 + rest.unwrap_or(0)
    }

    fn step_ms(&self) -> i64 {
        self.step_ms.load(Ordering::Relaxed)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the machine's clock"
)]
fn machine_wall_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

/// Time since boot, in ms, time asleep included: a machine that was suspended has not had its clock set.
fn since_boot_ms() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// A clock that moves only when told to: tests, simulations.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall_ms: AtomicI64,
    mono_ns: AtomicU64,
}

impl ManualClock {
    /// A clock standing at `wall_ms`.
    #[must_use]
    pub fn at(wall_ms: i64) -> Self {
        Self { wall_ms: AtomicI64::new(wall_ms), mono_ns: AtomicU64::new(0) }
    }

    /// Sets the wall clock, in either direction.
    pub fn set_wall_ms(&self, wall_ms: i64) {
        self.wall_ms.store(wall_ms, Ordering::Release);
    }

    /// Moves both clocks forward by `ms` milliseconds.
    pub fn advance_ms(&self, ms: u32) {
        self.wall_ms.fetch_add(i64::from(ms), Ordering::AcqRel);
        self.mono_ns.fetch_add(u64::from(ms) * 1_000_000, Ordering::AcqRel);
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> i64 {
        self.wall_ms.load(Ordering::Acquire)
    }

    fn mono_ns(&self) -> u64 {
        self.mono_ns.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(-5);
        assert_eq!((clock.wall_ms(), clock.mono_ns()), (-5, 0));
        clock.advance_ms(7);
        assert_eq!((clock.wall_ms(), clock.mono_ns()), (2, 7_000_000));
    }

    #[test]
    fn a_clock_that_is_set_is_not_followed_until_it_comes_back() {
        const HOUR: i64 = 3_600_000;
        let clock = SystemClock { offset_ms: AtomicI64::new(1_000_000), ..SystemClock::new() };
        assert_eq!((clock.judge(1_000_500, 500), clock.step_ms()), (1_000_500, 0));
        assert_eq!(clock.judge(1_030_500, 500), 1_030_500, "a correction of 30 s is followed");
        let set = clock.judge(1_031_000 + 10 * HOUR, 1000);
        assert_eq!((set, clock.step_ms()), (1_031_000, 10 * HOUR), "it goes on from where it was");
        let back = clock.judge(1_032_000 - 10 * HOUR, 2000);
        assert_eq!((back, clock.step_ms()), (1_032_000, -10 * HOUR));
        assert_eq!((clock.judge(1_033_005, 3000), clock.step_ms()), (1_033_005, 0), "set right");
        assert_eq!(
            clock.judge(1_033_000 + HOUR, 3000 + HOUR),
            1_033_000 + HOUR,
            "asleep for an hour"
        );
    }

    #[test]
    fn the_system_clock_is_past_2020_and_monotonic() {
        let clock = SystemClock::new();
        assert!(clock.wall_ms() > 1_577_836_800_000);
        assert!(clock.mono_ns() <= clock.mono_ns());
    }
}
