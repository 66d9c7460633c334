//! Why a name, a value, a key or a definition is not valid. Every case is the caller's to fix.

use stdx::cursor::OutOfBytes;

/// Invalid input, with the thing, the value and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Text that does not name, type, time or span anything.
    #[error("{what} {value:?}: {allowed}")]
    Invalid {
        /// What was being read: `name`, `type`, `duration`, …
        what: &'static str,
        /// The text as given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A value of the wrong type or outside its range.
    #[error("{field}: expected {expected}, got {got}")]
    Type {
        /// The feature or field.
        field: String,
        /// Its type, or the range allowed.
        expected: String,
        /// What came instead.
        got: String,
    },
    /// A definitions file that cannot be accepted; the message starts with `file:line:`.
    #[error("{0}")]
    Definition(String),
    /// An expression that cannot be accepted.
    #[error("{line}:{column}: {message}")]
    Expression {
        /// Line within the expression, from 1.
        line: u64,
        /// Column within the line, from 1.
        column: u64,
        /// What is wrong, and what is supported.
        message: String,
    },
    /// Packed bytes that end too early or do not mean anything.
    #[error("malformed bytes: {0}")]
    Malformed(String),
}

impl From<OutOfBytes> for Error {
    fn from(error: OutOfBytes) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl Error {
    /// Shorthand for [`Error::Invalid`].
    pub fn invalid(
        what: &'static str,
        value: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Invalid { what, value: value.into(), allowed: allowed.into() }
    }

    /// Shorthand for [`Error::Type`].
    pub fn mismatch(
        field: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self::Type { field: field.into(), expected: expected.into(), got: got.into() }
    }
}
