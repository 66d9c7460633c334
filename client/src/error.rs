//! What went wrong, cut by what the caller does next: connect elsewhere, retry, wait for room, fix the request, call the operator.

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
        /// The request timeout.
        after_ms: u64,
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

    /// What belongs to the status: the floor in ms of an as-of that is too old, the limit in bytes of a memory that is full.
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

    /// True when the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::Lost { .. }
                | Self::Timeout { .. }
                | Self::Retry(_)
                | Self::MemoryFull(_)
        )
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
        }
    }

    #[test]
    fn only_lost_writes_say_that_they_may_have_been_applied() {
        let lost = |operation| Error::Timeout { addr: "a:1".into(), operation, after_ms: 5 };
        assert_eq!(lost(Opcode::Read).to_string(), "read at a:1: no answer within 5 ms");
        assert!(lost(Opcode::Apply).to_string().ends_with("may or may not have been applied"));
    }
}
