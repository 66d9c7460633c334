//! What became of a call, as one byte that says what its sender should do.
//!
//! Every status but `OK` and `UNKNOWN` guarantees that a write was **not** applied.

use std::fmt;

/// The status of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CallStatus {
    /// Done.
    Ok = 0,
    /// The request is wrong.
    Invalid = 1,
    /// A name that is not defined.
    NotFound = 2,
    /// The definitions changed, or the server was started again.
    StaleHandle = 3,
    /// The as-of lies before what is answered exactly; the detail is the floor in ms.
    AsOfTooOld = 4,
    /// Too much to do just now; the detail is after how many ms to try again, 0 when it cannot be said.
    Overloaded = 5,
    /// The deadline of the request passed before it was done.
    DeadlineExceeded = 6,
    /// The server cannot write any more: disk full or failed, or it is shutting down.
    Unavailable = 7,
    /// Whether a write was applied cannot be told.
    Unknown = 8,
    /// A defect of the server.
    Internal = 9,
    /// No memory for what the write adds; the detail is the limit in bytes.
    MemoryFull = 10,
    /// Who asks is not known: no token, or one that is not (or no longer) valid.
    Unauthenticated = 11,
    /// Who asks may not do that; the message names what is missing.
    Denied = 12,
}

/// What the caller of a failed call does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing: it is done.
    Done,
    /// Correct the request.
    Fix,
    /// Prepare again, then send it again.
    PrepareAgain,
    /// Send it again a little later.
    Retry,
    /// Send it again when there is room: that takes deletes, expiry, or the operator.
    RetryWhenRoom,
    /// Send it again with the same producer and sequence: it is applied once.
    RetrySameSequence,
    /// Call the operator.
    CallOperator,
}

impl CallStatus {
    /// All of them, by code.
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::Invalid,
        Self::NotFound,
        Self::StaleHandle,
        Self::AsOfTooOld,
        Self::Overloaded,
        Self::DeadlineExceeded,
        Self::Unavailable,
        Self::Unknown,
        Self::Internal,
        Self::MemoryFull,
        Self::Unauthenticated,
        Self::Denied,
    ];

    /// The status of wire byte `code`.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Its wire byte.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What the caller does next.
    #[must_use]
    pub fn next_step(self) -> NextStep {
        match self {
            Self::Ok => NextStep::Done,
            Self::Invalid
            | Self::NotFound
            | Self::AsOfTooOld
            | Self::Unauthenticated
            | Self::Denied => NextStep::Fix,
            Self::StaleHandle => NextStep::PrepareAgain,
            Self::Overloaded | Self::DeadlineExceeded => NextStep::Retry,
            Self::MemoryFull => NextStep::RetryWhenRoom,
            Self::Unknown => NextStep::RetrySameSequence,
            Self::Unavailable | Self::Internal => NextStep::CallOperator,
        }
    }

    /// True when a write that got this status was certainly not applied.
    #[must_use]
    pub fn guarantees_not_applied(self) -> bool {
        !matches!(self, Self::Ok | Self::Unknown)
    }

    /// The word shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Invalid => "INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::StaleHandle => "STALE_HANDLE",
            Self::AsOfTooOld => "AS_OF_TOO_OLD",
            Self::Overloaded => "OVERLOADED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
            Self::Internal => "INTERNAL",
            Self::MemoryFull => "MEMORY_FULL",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Denied => "DENIED",
        }
    }
}

impl fmt::Display for CallStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dense_and_round_trip() {
        for (code, status) in (0..).zip(CallStatus::ALL) {
            assert_eq!((status.code(), CallStatus::from_code(code)), (code, Some(status)));
        }
        assert_eq!(CallStatus::from_code(13), None);
    }

    #[test]
    fn what_may_have_been_applied_is_retried_under_the_same_sequence() {
        for status in CallStatus::ALL {
            let open = !status.guarantees_not_applied() && status != CallStatus::Ok;
            assert_eq!(open, status.next_step() == NextStep::RetrySameSequence, "{status}");
        }
    }
}
