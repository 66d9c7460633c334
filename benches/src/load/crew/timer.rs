//! A timer of nanoseconds that the runtime can wait for: Linux's timerfd.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// See the module.
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    /// A timer of the current runtime.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe because a descriptor may be closed under it; this one is owned and never let out"
        )]
        AsyncFd::new(timer).map(Self)
    }

    /// Waits for `ns`, 1 at least, or a little more.
    pub(super) async fn wait(&self, ns: u64) -> io::Result<()> {
        let (seconds, rest) = (ns / 1_000_000_000, ns.max(1) % 1_000_000_000);
        let value = Timespec {
            tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(rest).unwrap_or(0),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.0.readable().await?;
            let mut expirations = [0; 8];
            let read = ready.try_io(|timer| {
                rustix::io::read(timer.get_ref(), &mut expirations).map_err(io::Error::from)
            });
            // Not readable after all: wait again.
            if let Ok(read) = read {
                return read.map(|_| ());
            }
        }
    }
}
