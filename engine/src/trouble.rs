//! What an operator has to know of, each with what to do about it.

use std::fmt;

use model::time::format_span;
use storage::Vfs;

use crate::Database;

/// Something that is wrong although requests are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong.
    pub reason: String,
    /// What the operator does about it.
    pub remedy: &'static str,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.reason, self.remedy)
    }
}

impl<V: Vfs> Database<V> {
    /// What is wrong with the machine's clock, if something is.
    pub fn clock_trouble(&self) -> Option<Trouble> {
        let step_ms = self.clock.step_ms();
        let way = if step_ms > 0 { "ahead" } else { "back" };
        let far = format_span(i64::try_from(step_ms.unsigned_abs()).unwrap_or(i64::MAX));
        (step_ms != 0).then(|| Trouble {
            reason: format!(
                "the machine's clock was set {way} by {far}; the database goes on with its own time"
            ),
            remedy: "set the clock right, or restart the server to take the new time",
        })
    }
}
