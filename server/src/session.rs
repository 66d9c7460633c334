//! One peer's bytes as requests: no socket, no clock but the one given, no engine.

use bytes::BytesMut;
use protocol::frame::{self, Frame};

/// What is known of a peer.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Requests taken, for the log line at the end.
    pub(crate) requests: u64,
}

impl Session {
    /// Takes the next whole request off `input`, or `None` when bytes are missing.
    ///
    /// # Errors
    /// When what stands there is no frame: the connection cannot go on.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, protocol::Error> {
        let frame = frame::split(input)?;
        self.requests += u64::from(frame.is_some());
        Ok(frame)
    }
}
