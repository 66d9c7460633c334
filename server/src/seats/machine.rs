//! How much of the machine has nothing to do.

/// Where the kernel counts what cores do.
const STAT: &str = "/proc/stat";
/// Of the columns behind `cpu`: idle, and idle while something waits for a disk.
const IDLE: [usize; 2] = [3, 4];

/// See the module.
#[derive(Debug)]
pub(super) struct Machine {
    /// Seconds of one count.
    tick_s: f64,
    /// Seconds that cores were idle, and when that was, in ns.
    last: Option<(f64, u64)>,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self { tick_s: 1.0 / rustix::param::clock_ticks_per_second() as f64, last: None }
    }

    /// Cores that were idle since the last look; `None` when it is the first, or not known.
    pub(super) fn idle(&mut self, now_ns: u64) -> Option<f64> {
        let idle_s = idle(&std::fs::read_to_string(STAT).ok()?)? as f64 * self.tick_s;
        let (before_s, then_ns) = self.last.replace((idle_s, now_ns))?;
        let passed_s = now_ns.saturating_sub(then_ns) as f64 / 1e9;
        (passed_s > 0.0).then(|| ((idle_s - before_s) / passed_s).max(0.0))
    }

    /// Nobody looks for a while: the next look is a first one.
    pub(super) fn rests(&mut self) {
        self.last = None;
    }

    /// The next look is a first one.
    pub(super) fn is_resting(&self) -> bool {
        self.last.is_none()
    }
}

/// Ticks that all cores together were idle.
fn idle(stat: &str) -> Option<u64> {
    let columns: Vec<u64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_ascii_whitespace()
        .map_while(|column| column.parse().ok())
        .collect();
    IDLE.into_iter().map(|at| columns.get(at)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cores_did_is_read_as_the_kernel_writes_it() {
        let stat = "cpu  100 20 3 4000 500 60 7 8 0 0\ncpu0 1 2\ncpu1 3 4\nintr 9\n";
        assert_eq!(idle(stat), Some(4500));
        for other in ["", "cpu  1 2 3\n", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  a b c\n"] {
            assert_eq!(idle(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_first_look_says_nothing_and_the_next_ones_what_was_idle_since() {
        let mut machine = Machine::new();
        assert!(machine.is_resting());
        assert_eq!(machine.idle(0), None);
        let idle = machine.idle(1_000_000_000);
        assert!(idle.is_some_and(|idle| (0.0..100_000.0).contains(&idle)), "Linux: {idle:?}");
        machine.rests();
        assert_eq!((machine.is_resting(), machine.idle(3_000_000_000)), (true, None));
    }
}
