//! `checkpoint`: a snapshot, and a backup if asked, made by the checkpointer's thread.

use protocol::{CheckpointRequest, Failure};

use crate::{dispatch::Outcome, error::malformed, shared::Shared};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = CheckpointRequest::decode(body).map_err(malformed)?;
    Ok(Outcome::Elsewhere(shared.checkpoints.ask(request.backup)?))
}
