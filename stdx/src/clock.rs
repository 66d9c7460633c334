//! Time as an argument: nothing at or below the engine reads an ambient clock.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

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
const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: i64 = 1_000_000_000;

/// The machine's clocks.
///
/// Small corrections of the wall clock are followed as they come. When somebody sets it by more than a minute, this clock goes on
/// as if that had not happened, and says so: a clock set a year ahead by mistake would make everything that windows hold old, and
/// setting it back would not bring it back. The next start takes the machine's time as it is then.
#[derive(Debug)]
pub struct SystemClock {
    start_ns: u64,
    /// Wall clock less time since boot, in ns.
    offset_ns: AtomicI64,
    /// How far the machine's wall clock is from this one, once it was set.
    step_ms: AtomicI64,
}

impl SystemClock {
    /// A clock whose monotonic reading starts at 0 now.
    #[must_use]
    pub fn new() -> Self {
        let clock = Self::booted(now_ns(ClockId::Realtime) - now_ns(ClockId::Boottime));
        Self { start_ns: mono_ns(), ..clock }
    }

    /// On a machine whose wall clock is so far ahead of the time since boot.
    fn booted(offset_ns: i64) -> Self {
        Self { start_ns: 0, offset_ns: AtomicI64::new(offset_ns), step_ms: AtomicI64::new(0) }
    }

    /// The time in ms, when the machine says `wall_ns` and was booted `boot_ns` ago.
    fn judge(&self, wall_ns: i64, boot_ns: i64) -> i64 {
        let expected = boot_ns + self.offset_ns.load(Ordering::Relaxed);
        let step_ms = (wall_ns - expected) / NS_PER_MS;
        if step_ms.abs() > STEP_MS_MAX {
            self.step_ms.store(step_ms, Ordering::Relaxed);
            return expected.div_euclid(NS_PER_MS);
        }
        self.offset_ns.store(wall_ns - boot_ns, Ordering::Relaxed);
        self.step_ms.store(0, Ordering::Relaxed);
        wall_ns.div_euclid(NS_PER_MS)
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall_ms(&self) -> i64 {
        self.judge(now_ns(ClockId::Realtime), now_ns(ClockId::Boottime))
    }

    fn mono_ns(&self) -> u64 {
        mono_ns().saturating_sub(self.start_ns)
    }

    fn worked_ns(&self) -> u64 {
        u64::try_from(now_ns(ClockId::ThreadCPUTime)).unwrap_or(0)
    }

    fn step_ms(&self) -> i64 {
        self.step_ms.load(Ordering::Relaxed)
    }
}

fn mono_ns() -> u64 {
    u64::try_from(now_ns(ClockId::Monotonic)).unwrap_or(0)
}

/// What one of the machine's clocks shows. That since boot counts time asleep: a machine that was suspended has not had its clock set.
#[expect(clippy::disallowed_methods, reason = "the clock that is handed to everybody")]
fn now_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * NS_PER_S + time.tv_nsec
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
        let clock = SystemClock::booted(1_000_000 * NS_PER_MS);
        let at = |wall_ms: i64, boot_ms: i64| clock.judge(wall_ms * NS_PER_MS, boot_ms * NS_PER_MS);
        assert_eq!((at(1_000_500, 500), clock.step_ms()), (1_000_500, 0));
        assert_eq!(at(1_030_501, 501), 1_030_501, "a correction of 30 s is followed");
        let set = at(1_031_000 + 10 * HOUR, 1000);
        assert_eq!((set, clock.step_ms()), (1_031_000, 10 * HOUR), "it goes on from where it was");
        let back = at(1_032_000 - 10 * HOUR, 2000);
        assert_eq!((back, clock.step_ms()), (1_032_000, -10 * HOUR));
        assert_eq!((at(1_033_005, 3000), clock.step_ms()), (1_033_005, 0), "set right");
        assert_eq!(at(1_033_000 + HOUR, 3000 + HOUR), 1_033_000 + HOUR, "asleep for an hour");
    }

    #[test]
    fn the_system_clock_is_past_2020_and_monotonic() {
        let clock = SystemClock::new();
        assert!(clock.wall_ms() > 1_577_836_800_000);
        assert!(clock.mono_ns() <= clock.mono_ns());
    }
}
