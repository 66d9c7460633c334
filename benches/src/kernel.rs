//! What a measurement takes from the kernel: CPU time, which means something on a machine that is shared, and resident
//! memory.

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

#[expect(clippy::disallowed_methods, reason = "what work took, not what time it is")]
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

/// The largest resident set of this process so far, from /proc; 0 elsewhere.
#[must_use]
pub fn resident_bytes_max() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    1024 * word(status.lines().find_map(|line| line.strip_prefix("VmHWM:")), 0)
}

/// How long this thread could have run while others had the core: what a shared machine adds to a latency.
#[derive(Debug)]
pub struct RunQueue {
    schedstat: std::fs::File,
}

impl RunQueue {
    /// That of the calling thread, from /proc; `None` elsewhere.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "/proc is not a file of the database")]
    pub fn of_this_thread() -> Option<Self> {
        std::fs::File::open("/proc/thread-self/schedstat").ok().map(|schedstat| Self { schedstat })
    }

    /// Time spent ready to run and not running so far, in ns.
    #[must_use]
    pub fn waited_ns(&self) -> u64 {
        use std::os::unix::fs::FileExt;
        let mut text = [0; 96];
        let length = self.schedstat.read_at(&mut text, 0).unwrap_or(0);
        word(text.get(..length).and_then(|text| str::from_utf8(text).ok()), 1)
    }
}

/// Resident memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resident {
    /// Its own.
    pub anonymous: u64,
    /// Pages of files it has mapped: the system takes them back when it needs them.
    pub file: u64,
}

/// Resident memory of process `pid`, from /proc; zeros elsewhere.
#[must_use]
pub fn resident_of(pid: u32) -> Resident {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        1024 * word(line, 0)
    };
    Resident { anonymous: kilobytes("RssAnon:"), file: kilobytes("RssFile:") }
}

/// CPU time of process `pid` so far, in ns, from /proc: exact for threads that live, in hundredths of a second for those
/// that ended.
#[must_use]
pub fn process_ns_of(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything: the 12th and 13th word are times in user and kernel mode.
    let times = stat.rsplit_once(')').map(|(_, words)| words);
    let ticks = word(times, 11) + word(times, 12);
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    let living: u64 = tasks
        .into_iter()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .map(|text| word(Some(&text), 0))
        .sum();
    living.max(ticks * TICK_NS)
}

/// Linux counts CPU time of a process in hundredths of a second, whatever its timer does.
const TICK_NS: u64 = 10_000_000;

/// The word `number` of `text` as a number; 0 when there is none.
fn word(text: Option<&str>, number: usize) -> u64 {
    let word = text.and_then(|text| text.split_whitespace().nth(number));
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Has the system forget what it keeps of a file in memory, so that the next reader reads the disk.
///
/// # Errors
/// When the file cannot be opened or synced.
#[expect(clippy::disallowed_methods, reason = "a look from outside at files that nobody has open")]
pub fn forget_cached(path: &std::path::Path) -> std::io::Result<()> {
    let file = std::fs::File::open(path)?;
    // Only what is on the disk can be forgotten.
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}
