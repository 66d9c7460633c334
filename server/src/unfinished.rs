//! A request that was begun and is not finished: its peer has so long for it, however slowly the bytes drip.
//!
//! A connection that says nothing between two requests may do so for ever. The timer is made when a request first comes in pieces, and
//! left running when it is whole: most requests cost nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use stdx::clock::Clock;
use tokio::time::{Instant, Sleep, sleep};

/// See the module.
pub(crate) struct Unfinished {
    limit: Duration,
    /// When its first piece came, and after how many requests; `None`: nothing is begun, or its peer is not what is waited for.
    begun: Option<(u64, u64)>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Unfinished {
    /// A request may take so long to come.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, begun: None, timer: None }
    }

    /// More bytes are waited for: of a request that is begun, if so; `requests` were whole before it. The last bytes came at `at_ns`.
    pub(crate) fn waits(&mut self, is_begun: bool, requests: u64, at_ns: u64) {
        if !is_begun {
            self.begun = None;
        } else if self.begun.is_none_or(|(_, before)| before != requests) {
            self.begun = Some((at_ns, requests));
        }
    }

    /// Ready when it took too long.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, clock: &dyn Clock) -> Poll<()> {
        let Some((since_ns, _)) = self.begun else { return Poll::Pending };
        let left = || {
            let passed = Duration::from_nanos(clock.mono_ns().saturating_sub(since_ns));
            self.limit.saturating_sub(passed)
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(left())));
        loop {
            ready!(timer.as_mut().poll(context));
            let left = left();
            if left.is_zero() {
                return Poll::Ready(());
            }
            // It was made for an earlier request.
            timer.as_mut().reset(Instant::now() + left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use stdx::clock::SystemClock;

    use super::*;

    #[tokio::test]
    async fn drips_do_not_prolong_it_and_another_request_does() {
        let clock = SystemClock::new();
        let mut unfinished = Unfinished::new(Duration::from_millis(60));
        let start_ns = clock.mono_ns();
        unfinished.waits(true, 0, start_ns);
        unfinished.waits(true, 0, start_ns + 50_000_000);
        assert_eq!(unfinished.begun, Some((start_ns, 0)), "the first byte counts");
        unfinished.waits(true, 1, start_ns + 20_000_000);
        poll_fn(|context| unfinished.poll(context, &clock)).await;
        assert!(clock.mono_ns() - start_ns >= 80_000_000, "of the second request");
        unfinished.waits(false, 2, clock.mono_ns());
        let never = tokio::time::timeout(
            Duration::from_millis(1),
            poll_fn(|context| unfinished.poll(context, &clock)),
        );
        assert!(never.await.is_err(), "a quiet connection may stay");
    }
}
