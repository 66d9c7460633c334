//! Why an event cannot be aggregated, a value cannot be given, or stored state cannot be read.

use crate::expr::EvalError;

/// What is wrong; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The event's sender must change it: an expression of the definition has no value for it.
    #[error("feature {feature}: {reason}")]
    Event {
        /// The feature whose input or filter it is.
        feature: String,
        /// Why there is no value.
        reason: EvalError,
    },
    /// The operator must look at the files: stored state does not mean anything.
    #[error("malformed window state: {0}")]
    Malformed(&'static str),
    /// The sender of a sketch must change it, or what it is added to.
    #[error("a distinct sketch is refused: {0}")]
    Sketch(String),
}

/// A sum that does not fit into 64 bits: the value is an error then, never a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sum does not fit into 64 bits; use avg(x), or a decimal of fewer places")]
pub struct Overflow;
