//! Sending one batch until the server has answered it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::{Error, Reject};

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
/// Attempts while a server is gone: with their own short retries and the pauses between them about a minute.
const ATTEMPTS: u32 = 40;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a batch is sent again while its server is away. The batch keeps its number: it is applied once.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    attempts: u32,
}

impl Patience {
    /// The answer to the batch, or after a pause `None`: send it again.
    pub(crate) async fn after(
        &mut self,
        answer: Result<Sent, Error>,
    ) -> Option<Result<Sent, Error>> {
        match answer {
            // The one request of a load that is refused with a detail: its outcome is forgotten, hence it was applied.
            Err(Error::Fix(failure)) if failure.detail > 0 => {
                let counts = Counts { repeated: 1, ..Counts::default() };
                Some(Ok(Sent { counts, rejects: Vec::new() }))
            }
            Err(error) if self.attempts < ATTEMPTS && is_passing(&error) => {
                self.attempts += 1;
                if !TOLD.swap(true, Ordering::Relaxed) {
                    output::note(&format!(
                        "{error}; trying again for up to a minute, nothing is applied twice"
                    ));
                }
                tokio::time::sleep(PAUSE).await;
                None
            }
            done => Some(done),
        }
    }
}

/// True when the same batch may be answered a little later.
fn is_passing(error: &Error) -> bool {
    matches!(
        error,
        Error::Connect { .. } | Error::Lost { .. } | Error::Timeout { .. } | Error::Retry(_)
    )
}
