//! Positions in the log.

use std::fmt;

/// The number of a record: 1 for the first, then without gaps. 0 is before all records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// No log gets there: what is above was never given, and one more is always possible.
    pub const MAX: Self = Self(u64::MAX >> 1);
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
