//! Which served vectors of a service are kept as files.

use std::fmt;

use super::History;

/// A sample of the vectors that are served is kept, as they were served and with all that is needed to compute them again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadLog {
    /// The part of all vectors that is kept: above 0, at most 1.
    pub rate: f64,
    /// How much of it is kept for how long.
    pub kept: History,
}

impl ReadLog {
    /// Most bytes kept where the definition gives no limit.
    pub const BYTES_DEFAULT: u64 = 1 << 30;
}

impl fmt::Display for ReadLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of all vectors, {}", self.rate, self.kept)
    }
}
