//! The circuit breaker of one endpoint: after failures in a row it is left alone for a while, then one call tries it.
//!
//! ```text
//!           failures in a row                     pause over: one call is the probe
//! closed ───────────────────► open (pause) ─────────────────────────────► half open
//!   ▲                           ▲   ▲            probe given up            │   │
//!   │                           │   └──────────────────────────────────────┘   │
//!   │                           └──── probe failed: the next pause is twice as long
//!   └──────────────────────────────── any call succeeded
//! ```
//!
//! Reads no clock: whoever asks says what time it is. The pauses of many clients do not fall together: half is random.

use std::time::Duration;

use stdx::prng::Prng;
use tokio::time::Instant;

/// The first pause, doubled each time that the probe fails.
const PAUSE_MS_FIRST: u64 = 100;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 10_000;
/// Longest pause that a server can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// What those are told who come while the probe is under way.
const WHILE_PROBING: Duration = Duration::from_millis(PAUSE_MS_FIRST);

/// See the module.
pub(crate) struct Breaker {
    /// Failures in a row that open it; never when 0.
    threshold: u32,
    state: State,
    /// Why it is not closed.
    reason: String,
    jitter: Prng,
}

#[derive(Clone, Copy)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
        /// How often in a row.
        times: u32,
    },
    HalfOpen {
        times: u32,
    },
}

/// A call that may go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// As usual.
    Usual,
    /// As the one that finds out whether the endpoint works again.
    Probe,
}

/// A call that may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Until it is worth another try.
    pub(crate) wait: Duration,
    /// What the last failure was.
    pub(crate) reason: String,
}

impl Breaker {
    /// A closed one that opens after `threshold` failures in a row; never when 0.
    pub(crate) fn new(threshold: u32, seed: u64) -> Self {
        let state = State::Closed { failures: 0 };
        Self { threshold, state, reason: String::new(), jitter: Prng::new(seed) }
    }

    /// True when a call would be admitted as usual.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Asks to call the endpoint. Every call that is admitted as [`Admitted::Probe`] must end in one of the other methods.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<Admitted, Refused> {
        match self.state {
            State::Closed { .. } => Ok(Admitted::Usual),
            State::Open { until, times } if until <= now => {
                self.state = State::HalfOpen { times };
                Ok(Admitted::Probe)
            }
            State::Open { until, .. } => {
                Err(Refused { wait: until - now, reason: self.reason.clone() })
            }
            State::HalfOpen { .. } => {
                Err(Refused { wait: WHILE_PROBING, reason: self.reason.clone() })
            }
        }
    }

    /// A call succeeded, whenever it was admitted: the endpoint works.
    pub(crate) fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A call failed for `reason`; `retry_after` when the server said how long it wants to be left alone.
    pub(crate) fn failed(
        &mut self,
        admitted: Admitted,
        now: Instant,
        reason: impl FnOnce() -> String,
        retry_after: Option<Duration>,
    ) {
        let times = match (self.state, admitted) {
            (State::Closed { failures }, _) => {
                let failures = failures + 1;
                self.state = State::Closed { failures };
                if self.threshold == 0 || failures < self.threshold {
                    return;
                }
                1
            }
            (State::HalfOpen { times }, Admitted::Probe) => times.saturating_add(1),
            // Calls from before it opened: nothing new.
            _ => return,
        };
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        let until = now + self.pause(times).max(asked);
        self.state = State::Open { until, times };
        self.reason = reason();
    }

    /// The probe was given up by its caller: the next call is one.
    pub(crate) fn given_up(&mut self, now: Instant) {
        if let State::HalfOpen { times } = self.state {
            self.state = State::Open { until: now, times };
        }
    }

    fn pause(&mut self, times: u32) -> Duration {
        let doubled = 1_u64.checked_shl(times.saturating_sub(1)).unwrap_or(u64::MAX);
        let whole = PAUSE_MS_FIRST.saturating_mul(doubled).min(PAUSE_MS_MAX);
        Duration::from_millis(whole / 2 + self.jitter.below(whole / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A breaker of three failures, a time, and ms after it.
    fn three() -> (Breaker, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        (Breaker::new(3, 1), move |ms| start + Duration::from_millis(ms))
    }

    fn fail(breaker: &mut Breaker, admitted: Admitted, now: Instant) {
        breaker.failed(admitted, now, || "refused".to_owned(), None);
    }

    /// Fails as the probe at `now`; how long it is left alone after that.
    fn probe_fails(breaker: &mut Breaker, now: Instant) -> Duration {
        assert_eq!(breaker.admit(now), Ok(Admitted::Probe));
        fail(breaker, Admitted::Probe, now);
        breaker.admit(now).expect_err("it is open").wait
    }

    #[test]
    fn only_failures_in_a_row_open_it_and_it_says_why() {
        let (mut breaker, at) = three();
        for _ in 0..10 {
            fail(&mut breaker, Admitted::Usual, at(0));
            fail(&mut breaker, Admitted::Usual, at(0));
            breaker.succeeded();
        }
        assert_eq!(breaker.admit(at(0)), Ok(Admitted::Usual));
        (0..3).for_each(|_| fail(&mut breaker, Admitted::Usual, at(0)));
        let refused = breaker.admit(at(0)).expect_err("three in a row");
        assert_eq!(refused.reason, "refused");
        assert!((50..=100).contains(&refused.wait.as_millis()), "{refused:?}");
    }

    #[test]
    fn one_call_at_a_time_finds_out_and_its_success_closes() {
        let (mut breaker, at) = three();
        (0..3).for_each(|_| fail(&mut breaker, Admitted::Usual, at(0)));
        assert_eq!(breaker.admit(at(100)), Ok(Admitted::Probe));
        assert!(breaker.admit(at(100)).is_err() && breaker.admit(at(9_999)).is_err());
        // What was under way before says nothing new.
        fail(&mut breaker, Admitted::Usual, at(101));
        breaker.given_up(at(102));
        assert_eq!(breaker.admit(at(102)), Ok(Admitted::Probe), "the next one is the probe");
        breaker.succeeded();
        assert_eq!(breaker.admit(at(102)), Ok(Admitted::Usual));
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_start_small_again() {
        let (mut breaker, at) = three();
        (0..3).for_each(|_| fail(&mut breaker, Admitted::Usual, at(0)));
        let mut now = at(0) + breaker.admit(at(0)).expect_err("open").wait;
        for whole in [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            let wait = probe_fails(&mut breaker, now);
            assert!((whole / 2..=whole).contains(&wait.as_millis()), "{whole}: {wait:?}");
            now += wait;
        }
        assert_eq!(breaker.admit(now), Ok(Admitted::Probe));
        breaker.succeeded();
        (0..3).for_each(|_| fail(&mut breaker, Admitted::Usual, now));
        assert!(breaker.admit(now).is_err_and(|refused| refused.wait.as_millis() <= 100));
    }

    #[test]
    fn a_server_that_asks_to_be_left_alone_is_within_reason() {
        for (asked, least, most) in [(3, 3_000, 3_000), (86_400, 60_000, 60_000), (0, 50, 100)] {
            let (mut breaker, at) = three();
            let asked = Some(Duration::from_secs(asked));
            (0..3).for_each(|_| breaker.failed(Admitted::Usual, at(0), String::new, asked));
            let wait = breaker.admit(at(0)).expect_err("open").wait.as_millis();
            assert!((least..=most).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn one_that_is_switched_off_never_opens() {
        let mut breaker = Breaker::new(0, 1);
        let now = Instant::now();
        (0..1_000).for_each(|_| fail(&mut breaker, Admitted::Usual, now));
        assert_eq!(breaker.admit(now), Ok(Admitted::Usual));
    }
}
