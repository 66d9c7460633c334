//! Why bytes are no frame, or a body is not what its operation says.

use stdx::cursor::OutOfBytes;

/// An error of decoding or of building a frame. Never about features: those have statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer speaks something else, or the connection lost its place: it has to be closed.
    #[error("no Larder frame: {0}")]
    NotAFrame(String),
    /// The peer speaks a newer or unknown frame layout: the connection has to be closed.
    #[error("frame version {0} is not known, this release speaks version {known}", known = crate::frame::VERSION)]
    Version(u8),
    /// A frame whose length is not allowed: the connection has to be closed.
    #[error(
        "a frame of {0} bytes: allowed are {least} to {most}; send several smaller requests",
        least = crate::frame::HEADER_BYTES,
        most = model::limits::FRAME_BYTES_MAX
    )]
    Length(usize),
    /// A body that ends too early. The frame was whole, so the connection can go on.
    #[error("malformed body: {0}")]
    Truncated(#[from] OutOfBytes),
    /// A body whose bytes mean nothing.
    #[error("malformed body: {0}")]
    Malformed(String),
    /// A count above its limit.
    #[error("{count} {what} in one request or reply: at most {max} are allowed, send several")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many there would be.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
}

impl Error {
    /// True when nothing after these bytes can be trusted: the connection has to be closed.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::NotAFrame(_) | Self::Version(_) | Self::Length(_))
    }
}

impl From<model::Error> for Error {
    fn from(error: model::Error) -> Self {
        match error {
            model::Error::Malformed(reason) => Self::Malformed(reason),
            other => Self::Malformed(other.to_string()),
        }
    }
}
