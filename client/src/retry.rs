//! When a call is sent again: which outcomes, after what pause, and out of what budget.
//!
//! | outcome | reads | put, push, delete | apply, checkpoint |
//! |---|---|---|---|
//! | cannot connect | again | again | again: nothing was sent |
//! | connection broke | again | again, same producer and sequence: applied once | error |
//! | OVERLOADED | again | again | error |
//! | UNKNOWN | again | again, same producer and sequence: applied once | error |
//! | MEMORY_FULL | error | error: room takes longer than a pause | error |
//! | anything else | error | error | error |
//!
//! The budget is a token bucket: every call puts in a tenth of a token, every retry takes a whole one, so that a server in
//! trouble sees at most a tenth more calls, not a multiple of them.

use std::time::Duration;

use protocol::{CallStatus, Opcode};
use stdx::{prng::Prng, sync::Mutex};

use crate::Error;

/// Tenths of a token that the bucket holds and starts with: ten retries.
const TENTHS_MAX: u32 = 100;
/// Tenths of a token a retry takes.
const TENTHS_PER_RETRY: u32 = 10;
/// The first pause, doubled for each further one.
const PAUSE_MS_FIRST: u64 = 25;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 2_000;

/// The budget of one client and its source of jitter.
pub(crate) struct Retries {
    state: Mutex<(u32, Prng)>,
}

impl Retries {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: Mutex::new((TENTHS_MAX, Prng::new(seed))) }
    }

    /// Counts a call.
    pub(crate) fn earn(&self) {
        let tenths = &mut self.state.lock().0;
        *tenths = (*tenths + 1).min(TENTHS_MAX);
    }

    /// Takes the price of one retry; false when the budget is used up.
    pub(crate) fn spend(&self) -> bool {
        let tenths = &mut self.state.lock().0;
        match tenths.checked_sub(TENTHS_PER_RETRY) {
            Some(rest) => {
                *tenths = rest;
                true
            }
            None => false,
        }
    }

    /// The pause before the `attempt`-th retry (from 1): half of it fixed, half random.
    pub(crate) fn pause(&self, attempt: u32) -> Duration {
        let doubled = 1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
        let whole = PAUSE_MS_FIRST.saturating_mul(doubled).min(PAUSE_MS_MAX);
        let jitter = self.state.lock().1.below(whole / 2 + 1);
        Duration::from_millis(whole / 2 + jitter)
    }
}

/// What the attempts of a write left open: one that was lost may have been applied, whatever a later one is told.
#[derive(Default)]
pub(crate) struct Doubt(Option<Error>);

impl Doubt {
    /// Remembers an attempt that may have been applied.
    pub(crate) fn note(&mut self, operation: Opcode, error: &Error) {
        if operation.writes() && error.may_be_applied() {
            self.0 = Some(error.clone());
        }
    }

    /// The error of the whole call, whose last attempt ended with `last`.
    pub(crate) fn settle(self, last: Error) -> Error {
        match self.0 {
            Some(earlier) if !last.may_be_applied() => earlier.then(&last),
            _ => last,
        }
    }
}

/// True when a call that got `status` may be sent again as it is.
pub(crate) fn may_repeat(operation: Opcode, status: CallStatus) -> bool {
    operation.is_repeatable() && matches!(status, CallStatus::Overloaded | CallStatus::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_retries_are_free_and_ten_calls_earn_another() {
        let retries = Retries::new(1);
        assert_eq!((0..20).filter(|_| retries.spend()).count(), 10);
        (0..10).for_each(|_| retries.earn());
        assert_eq!((0..20).filter(|_| retries.spend()).count(), 1);
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_never_vanish() {
        let retries = Retries::new(7);
        for (attempt, whole) in [(1, 25), (2, 50), (3, 100), (9, 2_000), (200, 2_000)] {
            let pause = retries.pause(attempt).as_millis();
            assert!((whole / 2..=whole).contains(&pause), "attempt {attempt}: {pause} ms");
        }
    }

    #[test]
    fn a_write_that_was_lost_once_stays_in_doubt() {
        let lost =
            Error::Lost { addr: "a:1".into(), operation: Opcode::Push, reason: "reset".into() };
        let refused = || Error::Connect { addr: "a:1".into(), reason: "connection refused".into() };
        let mut doubt = Doubt::default();
        doubt.note(Opcode::Push, &refused());
        assert!(!Doubt::default().settle(refused()).may_be_applied());
        doubt.note(Opcode::Push, &lost);
        let settled = doubt.settle(refused());
        assert!(settled.may_be_applied());
        let message = settled.to_string();
        assert!(message.contains("reset; sent again: connect to a:1"), "{message}");
    }

    #[test]
    fn apply_and_checkpoint_are_never_repeated() {
        for operation in [Opcode::Apply, Opcode::Checkpoint] {
            assert!(!CallStatus::ALL.iter().any(|status| may_repeat(operation, *status)));
        }
        assert!(may_repeat(Opcode::Push, CallStatus::Unknown));
        assert!(!may_repeat(Opcode::Push, CallStatus::Unavailable));
    }
}
