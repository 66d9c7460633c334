//! What a measurement takes from the kernel: CPU time, which means something on a machine that is shared, and resident memory.

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this thread so far, in ns.
#[must_use]
pub fn thread_ns() -> u64 {
    ns(ClockId::ThreadCPUTime)
}

/// CPU time of this process so far, in ns.
#[must_use]
pub fn process_ns() -> u64 {
    ns(ClockId::ProcessCPUTime)
}

fn ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let (seconds, ns) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    seconds * 1_000_000_000 + ns
}

/// Resident set of this process, from /proc; 0 elsewhere.
#[must_use]
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
