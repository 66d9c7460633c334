//! What went wrong, cut by what the caller does next: connect elsewhere, retry, wait for room, fix the request, call the operator.

use std::time::Duration;

use model::status::Status;
use protocol::{CallStatus, Failure, NextStep, Opcode};

/// An error of the client.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Nobody answers at the address.
    #[error(
        "connect to {addr}: {reason}; is `larder serve` running there? set --addr or LARDER_ADDR"
    )]
    Connect {
        /// The address.
        addr: String,
        /// What the system said.
        reason: String,
    },
    /// Certificates or keys that cannot be used: found before anything was sent.
    #[error("TLS: {0}")]
    Tls(String),
    /// The connection broke while a reply was awaited, and it was not (or could no longer be) sent again.
    #[error("the connection to {addr} broke during {operation}: {reason}{}", outcome(*.operation))]
    Lost {
        /// The address.
        addr: String,
        /// What was asked.
        operation: Opcode,
        /// Why.
        reason: String,
    },
    /// No reply in time.
    #[error("{operation} at {addr}: no answer within {after_ms} ms{}", outcome(*.operation))]
    Timeout {
        /// The address.
        addr: String,
        /// What was asked.
        operation: Opcode,
        /// The time of the whole call; what its last attempt had of it, when the call ended sooner for want of retries.
        after_ms: u64,
    },
    /// The time that the call was given passed before it was sent: too many others wait on the connection, or it was given none.
    #[error("{operation}: the {after_ms} ms it had passed before it was sent")]
    Expired {
        /// What was asked.
        operation: Opcode,
        /// The time it had, as in [`Error::Timeout`].
        after_ms: u64,
    },
    /// The address is left alone for a while, because its last calls failed: nothing was sent.
    #[error(
        "{addr} is left alone for another {retry_after_ms} ms, its last calls failed: {reason}"
    )]
    CircuitOpen {
        /// The address.
        addr: String,
        /// How the last of them failed.
        reason: String,
        /// After how long it is tried again.
        retry_after_ms: u64,
    },
    /// A value was missing of a read that was not to be without: see [`crate::OnMissing::Error`].
    #[error("{feature} of vector {row} is {status}, and this read does without no value")]
    Missing {
        /// Name of the value.
        feature: String,
        /// Which vector of the read.
        row: usize,
        /// What it is instead of a value.
        status: Status,
    },
    /// The server has too much to do, or cannot tell whether a write was applied: try again later. For a write of rows or
    /// events [`Error::may_be_applied`] says whether it may have been.
    #[error("{} ({})", .0.message, .0.status)]
    Retry(Failure),
    /// The server has no memory for what the write adds; nothing of it was applied. Send it again when there is room: entities are
    /// deleted, expire, or the operator gives it more.
    #[error("{} ({})", .0.message, .0.status)]
    MemoryFull(Failure),
    /// The server refused the request: correct it.
    #[error("{} ({})", .0.message, .0.status)]
    Fix(Failure),
    /// The server cannot do it: its operator has to look.
    #[error("{} ({})", .0.message, .0.status)]
    Operator(Failure),
    /// A value, key or name that cannot be right: found before anything was sent.
    #[error(transparent)]
    Invalid(#[from] model::Error),
    /// The server's bytes make no sense: it is no Larder server, or of another version.
    #[error("{addr}: {source}")]
    Protocol {
        /// The address.
        addr: String,
        /// What is wrong with them.
        source: protocol::Error,
    },
    /// The client's runtime was shut down.
    #[error("the client was closed")]
    Closed,
}

/// The half sentence that a lost write needs.
fn outcome(operation: Opcode) -> &'static str {
    if operation.writes() { "; it may or may not have been applied" } else { "" }
}

impl Error {
    /// The error of a reply that is not OK.
    pub(crate) fn from_failure(failure: Failure) -> Self {
        match failure.status.next_step() {
            NextStep::Retry | NextStep::RetrySameSequence | NextStep::PrepareAgain => {
                Self::Retry(failure)
            }
            NextStep::RetryWhenRoom => Self::MemoryFull(failure),
            NextStep::Fix => Self::Fix(failure),
            NextStep::CallOperator | NextStep::Done => Self::Operator(failure),
        }
    }

    /// This error of an earlier attempt, followed by what became of the last one.
    pub(crate) fn then(self, last: &Self) -> Self {
        match self {
            Self::Lost { addr, operation, reason } => {
                Self::Lost { addr, operation, reason: format!("{reason}; sent again: {last}") }
            }
            Self::Retry(failure) => Self::Retry(Failure {
                message: format!("{}; sent again: {last}", failure.message),
                ..failure
            }),
            other => other,
        }
    }

    /// The status the server gave; `None` when it gave none.
    #[must_use]
    pub fn status(&self) -> Option<CallStatus> {
        match self {
            Self::Retry(failure)
            | Self::MemoryFull(failure)
            | Self::Fix(failure)
            | Self::Operator(failure) => Some(failure.status),
            _ => None,
        }
    }

    /// What belongs to the status: the floor in ms of an as-of that is too old, the limit in bytes of a memory that is full, after
    /// how many ms a server with too much to do is worth another try.
    #[must_use]
    pub fn detail(&self) -> Option<i64> {
        match self {
            Self::Retry(failure)
            | Self::MemoryFull(failure)
            | Self::Fix(failure)
            | Self::Operator(failure) => Some(failure.detail),
            _ => None,
        }
    }

    /// How long to wait before the same call is worth another try, when that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { retry_after_ms, .. } => {
                Some(Duration::from_millis(*retry_after_ms))
            }
            Self::Retry(failure) if failure.status == CallStatus::Overloaded => {
                let asked_ms = u64::try_from(failure.detail).ok().filter(|ms| *ms > 0)?;
                Some(Duration::from_millis(asked_ms))
            }
            _ => None,
        }
    }

    /// True when the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::Lost { .. }
                | Self::Timeout { .. }
                | Self::Expired { .. }
                | Self::CircuitOpen { .. }
                | Self::Retry(_)
                | Self::MemoryFull(_)
        )
    }

    /// True when the server could not be asked or did not do its part, so that defaults may stand in; false when the request is
    /// wrong.
    pub(crate) fn is_trouble(&self) -> bool {
        self.is_retryable() || matches!(self, Self::Operator(_) | Self::Protocol { .. })
    }

    /// True when a write that ended this way may have been applied.
    #[must_use]
    pub fn may_be_applied(&self) -> bool {
        match self {
            Self::Lost { operation, .. } | Self::Timeout { operation, .. } => operation.writes(),
            Self::Protocol { .. } | Self::Closed => true,
            other => other.status() == Some(CallStatus::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_what_the_caller_does() {
        for status in CallStatus::ALL {
            let error = Error::from_failure(Failure { status, detail: 7, message: "why".into() });
            assert_eq!((error.status(), error.detail()), (Some(status), Some(7)));
            assert_eq!(error.may_be_applied(), status == CallStatus::Unknown, "{status}");
            assert_eq!(error.to_string(), format!("why ({status})"));
            let waits = (status == CallStatus::Overloaded).then_some(Duration::from_millis(7));
            assert_eq!(error.retry_after(), waits, "{status}");
        }
    }

    #[test]
    fn defaults_stand_in_for_trouble_and_never_for_mistakes() {
        let told =
            |status| Error::from_failure(Failure { status, detail: 0, message: String::new() });
        for status in [CallStatus::Overloaded, CallStatus::Unavailable, CallStatus::Internal] {
            assert!(told(status).is_trouble(), "{status}");
        }
        for status in [CallStatus::Invalid, CallStatus::NotFound, CallStatus::AsOfTooOld] {
            assert!(!told(status).is_trouble(), "{status}");
        }
        assert!(!Error::Invalid(model::Error::Malformed("key".into())).is_trouble());
        let missing = Error::Missing { feature: "f".into(), row: 0, status: Status::NotFound };
        assert!(!missing.is_trouble() && !missing.is_retryable() && !missing.may_be_applied());
    }

    #[test]
    fn only_lost_writes_say_that_they_may_have_been_applied() {
        let lost = |operation| Error::Timeout { addr: "a:1".into(), operation, after_ms: 5 };
        assert_eq!(lost(Opcode::Read).to_string(), "read at a:1: no answer within 5 ms");
        assert!(lost(Opcode::Apply).to_string().ends_with("may or may not have been applied"));
    }
}
