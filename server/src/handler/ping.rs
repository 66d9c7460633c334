//! `ping`: an empty answer.

use protocol::{Failure, op::ping};

use crate::{dispatch::Outcome, error::malformed};

pub(crate) fn handle(body: &[u8]) -> Result<Outcome, Failure> {
    ping::decode(body).map_err(malformed)?;
    Ok(Outcome::now(|_| {}))
}
