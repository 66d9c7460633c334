//! What a served value is worth: every value of a reply carries one status.

use std::fmt;

/// The status of one value. The discriminants are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// The value is given and valid.
    Present = 0,
    /// A stored null, or the aggregate of no event.
    Null = 1,
    /// Entity or feature was never written.
    NotFound = 2,
    /// Older than the group's max age; withheld.
    Expired = 3,
    /// The window reaches back before observation began; the value is given.
    Partial = 4,
    /// The value could not be computed, for example on overflow.
    Error = 5,
}

impl Status {
    /// All of them, in wire order.
    pub const ALL: [Self; 6] =
        [Self::Present, Self::Null, Self::NotFound, Self::Expired, Self::Partial, Self::Error];

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

    /// The word shown to people and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "PRESENT",
            Self::Null => "NULL",
            Self::NotFound => "NOT_FOUND",
            Self::Expired => "EXPIRED",
            Self::Partial => "PARTIAL",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dense_and_round_trip() {
        for (code, status) in (0..).zip(Status::ALL) {
            assert_eq!((status.code(), Status::from_code(code)), (code, Some(status)));
        }
        assert_eq!(Status::from_code(6), None);
    }
}
