//! Ping: a sign of life. Request and reply are empty.

use stdx::cursor::Reader;

use crate::{Error, checked};

/// Checks that the body of a request or reply is empty.
///
/// # Errors
/// [`Error::Malformed`] when it is not.
pub fn decode(body: &[u8]) -> Result<(), Error> {
    checked::end(&Reader::new(body))
}
