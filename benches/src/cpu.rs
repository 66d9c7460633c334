//! CPU time: these figures mean something on a machine that is shared.

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this thread so far, in ns.
#[must_use]
pub fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, ns) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    seconds * 1_000_000_000 + ns
}
