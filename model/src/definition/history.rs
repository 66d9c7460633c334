//! How much of what a stream or row group took is kept as files.

use std::fmt;

use crate::{size, time::format_span};

/// What was accepted is kept as files, whole ones of which go when they are too old or too many; without a limit for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// A file goes when all in it was accepted longer ago than this, in ms.
    pub age_ms: Option<i64>,
    /// The oldest files go when there are more bytes of them than this.
    pub bytes: Option<u64>,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.age_ms.map(format_span), self.bytes.map(size::format)) {
            (None, None) => f.write_str("kept for ever"),
            (Some(age), None) => write!(f, "kept for {age}"),
            (None, Some(bytes)) => write!(f, "at most {bytes} kept"),
            (Some(age), Some(bytes)) => write!(f, "kept for {age}, at most {bytes}"),
        }
    }
}
