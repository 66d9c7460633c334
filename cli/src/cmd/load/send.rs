//! Sending one batch until the server has answered it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::{Error, Reject};
use tokio::time::Instant;

use crate::output;

/// What became of rows or events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Applied or accepted.
    pub(crate) applied: u64,
    /// Arrived before; of rows: nothing was newer.
    pub(crate) duplicate: u64,
    /// Too old for every window.
    pub(crate) late: u64,
    /// Refused.
    pub(crate) rejected: u64,
    /// Batches that had been applied before.
    pub(crate) repeated: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.applied += other.applied;
        self.duplicate += other.duplicate;
        self.late += other.late;
        self.rejected += other.rejected;
        self.repeated += other.repeated;
    }
}

/// The answer to one batch.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) counts: Counts,
    pub(crate) rejects: Vec<Reject>,
}

/// The user is told once, not for every batch on its way.
static TOLD: AtomicBool = AtomicBool::new(false);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest that one attempt may take.
const CALL_MAX: Duration = Duration::from_secs(10);

/// A batch that has no answer, or not the one that was wanted.
#[derive(Debug)]
pub(crate) struct Unanswered {
    /// What the last attempt ended with.
    pub(crate) error: Error,
    /// Whether some attempt may have been applied.
    pub(crate) may_be_applied: bool,
}

/// How long a batch is sent again while its server is away. The batch keeps its number: it is applied once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From the first attempt that failed to the end of the last.
    wait: Duration,
}

impl Patience {
    /// Patience for so long.
    pub(crate) fn new(wait: Duration) -> Self {
        Self { wait }
    }

    /// How long one attempt may take, so that several fit in.
    pub(crate) fn call_timeout(self) -> Duration {
        CALL_MAX.min(self.wait / 2)
    }

    /// The answer to the batch that `attempt` sends.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn send<F: Future<Output = Result<Sent, Error>>>(
        self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<Sent, Unanswered> {
        let mut may_be_applied = false;
        let mut error = match attempt().await {
            Err(error) => error,
            Ok(sent) => return Ok(sent),
        };
        let end = Instant::now() + self.wait;
        loop {
            // The one request of a load that is refused with a detail: its outcome is forgotten, hence it was applied.
            if matches!(&error, Error::Fix(failure) if failure.detail > 0) {
                let counts = Counts { repeated: 1, ..Counts::default() };
                return Ok(Sent { counts, rejects: Vec::new() });
            }
            may_be_applied |= error.may_be_applied();
            let next = Instant::now() + PAUSE;
            if !is_passing(&error) || next + self.call_timeout() > end {
                return Err(Unanswered { error, may_be_applied });
            }
            if !TOLD.swap(true, Ordering::Relaxed) {
                output::note(&format!(
                    "{error}; trying again for up to {} s, nothing is applied twice",
                    self.wait.as_secs()
                ));
            }
            tokio::time::sleep_until(next).await;
            error = match tokio::time::timeout_at(end, attempt()).await {
                Ok(Ok(sent)) => return Ok(sent),
                Ok(Err(error)) => error,
                // Nobody knows how far it came.
                Err(_) => return Err(Unanswered { error, may_be_applied: true }),
            };
        }
    }
}

/// True when the same batch may be answered a little later.
fn is_passing(error: &Error) -> bool {
    matches!(
        error,
        Error::Connect { .. }
            | Error::Lost { .. }
            | Error::Timeout { .. }
            | Error::Expired { .. }
            | Error::CircuitOpen { .. }
            | Error::Retry(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        Error::Connect { addr: "a:1".into(), reason: "connection refused".into() }
    }

    fn lost() -> Error {
        let operation = client::Opcode::Push;
        Error::Lost { addr: "a:1".into(), operation, reason: "reset".into() }
    }

    /// Sends a batch whose attempts end with `errors` in turn, the last again and again; each takes `call`.
    async fn send(errors: &[fn() -> Error], call: Duration) -> (Unanswered, Duration) {
        let started = Instant::now();
        let mut turn = 0;
        let patience = Patience::new(Duration::from_secs(60));
        let sent = patience.send(|| {
            let error = errors[turn.min(errors.len() - 1)]();
            turn += 1;
            async move {
                tokio::time::advance(call).await;
                Err(error)
            }
        });
        (sent.await.expect_err("never answered"), started.elapsed() - call)
    }

    /// Forty attempts of any length were called "up to a minute": 107 s.
    #[tokio::test(start_paused = true)]
    async fn a_minute_is_a_minute_however_long_attempts_take() {
        for call_ms in [1, 700, 2500, 9_900] {
            let (unanswered, waited) = send(&[refused], Duration::from_millis(call_ms)).await;
            let bounds = Duration::from_secs(38)..=Duration::from_secs(60);
            assert!(bounds.contains(&waited), "{call_ms} ms: {waited:?}");
            assert!(!unanswered.may_be_applied, "nothing was ever sent");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_was_lost_leaves_a_doubt_that_later_ones_do_not_take_away() {
        let (unanswered, _) = send(&[lost, refused], Duration::from_millis(5)).await;
        assert!(unanswered.may_be_applied);
        assert!(matches!(unanswered.error, Error::Connect { .. }));
    }
}
