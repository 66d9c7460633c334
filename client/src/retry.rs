//! When a call is sent again: which outcomes, after what pause, and out of what budget.
//!
//! | outcome | reads | put, push, delete | apply, checkpoint |
//! |---|---|---|---|
//! | cannot connect, no room on the connection within an attempt's part of the time | again | again | again: nothing was sent |
//! | every address left alone (circuit open) | error, at once | error, at once | error, at once |
//! | connection broke | again | again, same producer and sequence: applied once | error |
//! | OVERLOADED, DEADLINE_EXCEEDED | again | again | error |
//! | UNKNOWN | again | again, same producer and sequence: applied once | error |
//! | no answer within an attempt's part of the time | again, elsewhere | (has no parts) | (has no parts) |
//! | MEMORY_FULL | error | error: room takes longer than a pause | error |
//! | anything else | error | error | error |
//!
//! Nothing is sent again when the time of the call is over, or when the server asks for a longer pause than is left of it. The
//! budget of retries is one for each ten calls of the client.

use std::time::Duration;

use protocol::{CallStatus, Opcode};
use stdx::{prng::Prng, sync::Mutex};

use crate::{Error, budget::Budget};

/// Calls that earn one retry.
const CALLS_PER_RETRY: u32 = 10;
/// The first pause, doubled for each further one.
const PAUSE_MS_FIRST: u64 = 25;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 2_000;

/// The budget of one client and its source of jitter.
pub(crate) struct Retries {
    budget: Budget,
    jitter: Mutex<Prng>,
}

impl Retries {
    pub(crate) fn new(seed: u64) -> Self {
        Self { budget: Budget::one_in(CALLS_PER_RETRY), jitter: Mutex::new(Prng::new(seed)) }
    }

    /// Counts a call.
    pub(crate) fn earn(&self) {
        self.budget.earn();
    }

    /// Takes the price of one retry; false when the budget is used up.
    pub(crate) fn spend(&self) -> bool {
        self.budget.spend()
    }

    /// The pause before the `attempt`-th retry (from 1): half of it fixed, half random.
    pub(crate) fn pause(&self, attempt: u32) -> Duration {
        let doubled = 1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
        let whole = PAUSE_MS_FIRST.saturating_mul(doubled).min(PAUSE_MS_MAX);
        let jitter = self.jitter.lock().below(whole / 2 + 1);
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

/// True when a call that ended with `error` may be sent again as it is.
pub(crate) fn may_repeat(operation: Opcode, error: &Error) -> bool {
    match error {
        // Nothing was sent.
        Error::Connect { .. } | Error::Expired { .. } => true,
        Error::Lost { .. } | Error::Timeout { .. } => operation.is_repeatable(),
        other => other.status().is_some_and(|status| {
            let passes = matches!(
                status,
                CallStatus::Overloaded | CallStatus::DeadlineExceeded | CallStatus::Unknown
            );
            passes && operation.is_repeatable()
        }),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Failure;

    use super::*;

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
    fn apply_and_checkpoint_are_never_repeated_once_they_were_sent() {
        let told =
            |status| Error::from_failure(Failure { status, detail: 0, message: String::new() });
        let lost =
            |operation| Error::Lost { addr: "a:1".into(), operation, reason: "reset".into() };
        let refused = Error::Connect { addr: "a:1".into(), reason: "connection refused".into() };
        for operation in [Opcode::Apply, Opcode::Checkpoint] {
            assert!(!CallStatus::ALL.iter().any(|status| may_repeat(operation, &told(*status))));
            assert!(!may_repeat(operation, &lost(operation)) && may_repeat(operation, &refused));
        }
        assert!(may_repeat(Opcode::Push, &told(CallStatus::Unknown)));
        assert!(may_repeat(Opcode::Push, &lost(Opcode::Push)));
        assert!(!may_repeat(Opcode::Push, &told(CallStatus::Unavailable)));
    }
}
