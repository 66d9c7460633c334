//! A line in the log once a second at most, however often its cause comes; how many were left out is said in the next.

use std::sync::atomic::{AtomicU64, Ordering};

const PAUSE_NS: u64 = 1_000_000_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// When the last line was written; 0 is never.
    last_ns: AtomicU64,
    left_out: AtomicU64,
}

impl Throttle {
    /// How many were left out since the last line, when it is time for one.
    pub(crate) fn pass(&self, now_ns: u64) -> Option<u64> {
        let last_ns = self.last_ns.load(Ordering::Relaxed);
        let is_time = last_ns == 0 || now_ns.saturating_sub(last_ns) >= PAUSE_NS;
        let taken = is_time
            && self
                .last_ns
                .compare_exchange(last_ns, now_ns.max(1), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if taken {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_one_line_a_second() {
        let throttle = Throttle::default();
        let lines: Vec<u64> =
            (0..1000).filter_map(|ms| throttle.pass(5 + ms * 2_500_000)).collect();
        assert_eq!(lines, [0, 399, 399]);
    }
}
