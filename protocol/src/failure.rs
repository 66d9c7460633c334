//! The body of every reply whose status is not `OK`.
//!
//! ```text
//! detail    i64      belongs to the status: the floor in ms of AS_OF_TOO_OLD, the limit in bytes of MEMORY_FULL, after how many ms
//!                    an OVERLOADED server is worth another try (0: it does not say), else 0
//! message   text     for people: the thing, the value, what is allowed
//! ```

use stdx::cursor::{Reader, Writer};

use crate::{CallStatus, Error, checked};

/// Longest message, in bytes; longer ones are cut at the end.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the caller does next. It stands in the header of the frame.
    pub status: CallStatus,
    /// See the table.
    pub detail: i64,
    /// See the table.
    pub message: String,
}

impl Failure {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        let message = self.message.as_str();
        let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
        out.i64(self.detail).block(message.get(..end).unwrap_or(message).as_bytes());
    }

    /// Reads the body of a reply with `status`.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Malformed`].
    pub fn decode(status: CallStatus, body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let (detail, message) = (input.i64()?, checked::text(&mut input)?.to_owned());
        checked::end(&input)?;
        Ok(Self { status, detail, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_round_trips_and_long_messages_are_cut() {
        let long = "é".repeat(MESSAGE_BYTES_MAX);
        for (message, length) in [("no group is called x", 20), (&long, MESSAGE_BYTES_MAX)] {
            let failure =
                Failure { status: CallStatus::NotFound, detail: -3, message: message.to_owned() };
            let mut body = Vec::new();
            failure.encode(&mut Writer::new(&mut body));
            let read = Failure::decode(CallStatus::NotFound, &body).expect("it was written");
            assert_eq!((read.message.len(), read.detail), (length, -3));
        }
    }
}
