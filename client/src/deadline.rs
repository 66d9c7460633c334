//! The time that a whole call has: attempts, pauses, reconnections and hedges all spend from the same.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// Longer than any call: what stands for a timeout that the clock cannot express.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// When a call, or one attempt of it, is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    given: Duration,
}

impl Deadline {
    /// `given` from now.
    pub(crate) fn after(given: Duration) -> Self {
        Self { at: Instant::now() + given.min(LONGEST), given }
    }

    /// How long it was when it began, in ms; for messages.
    pub(crate) fn given_ms(self) -> u64 {
        u64::try_from(self.given.as_millis()).unwrap_or(u64::MAX)
    }

    /// What is left of it.
    pub(crate) fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// True when nothing is left.
    pub(crate) fn is_over(self) -> bool {
        self.left().is_zero()
    }

    /// What is left at `now` as a frame says it: whole ms, at least one, since 0 is none; `None` when nothing is left.
    pub(crate) fn in_frame(self, now: Instant) -> Option<u32> {
        let left = self.at.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1))
    }

    /// Half of what is left: for an attempt that leaves time for another.
    pub(crate) fn half(self) -> Self {
        Self::after(self.left() / 2)
    }

    /// The outcome of `work`; `None` when the time is over first.
    pub(crate) async fn hold<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.at, work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn frames_carry_what_is_left_and_nothing_once_it_is_over() {
        let deadline = Deadline::after(Duration::from_millis(100));
        let at = |micros| deadline.in_frame(Instant::now() + Duration::from_micros(micros));
        assert_eq!((at(0), at(30_000), at(30_001)), (Some(100), Some(70), Some(69)));
        assert_eq!((at(99_999), at(100_000), at(200_000)), (Some(1), None, None));
        tokio::time::advance(Duration::from_millis(40)).await;
        assert_eq!(deadline.half().given_ms(), 30);
        assert!(!deadline.is_over() && Deadline::after(Duration::ZERO).is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_beyond_all_clocks_is_a_long_one() {
        let deadline = Deadline::after(Duration::MAX);
        assert_eq!(deadline.in_frame(Instant::now()), Some(u32::MAX));
        assert_eq!(deadline.hold(std::future::ready(7)).await, Some(7));
    }
}
