//! `export`: every group at one moment as files, written by the exporter's thread.

use protocol::{ExportRequest, Failure};

use crate::{dispatch::Outcome, error::malformed, shared::Shared};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = ExportRequest::decode(body).map_err(malformed)?;
    Ok(Outcome::Elsewhere(shared.exports.ask(&request)?))
}
