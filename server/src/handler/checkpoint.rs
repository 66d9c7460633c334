//! `checkpoint`: a snapshot, and a backup if asked, made by the checkpointer's thread.

use protocol::{CheckpointRequest, Failure, Opcode};

use crate::{audit::acts, dispatch::Outcome, error::malformed, session::Session, shared::Shared};

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
) -> Result<Outcome, Failure> {
    let request = CheckpointRequest::decode(body).map_err(malformed)?;
    session.caller.decide(shared, Opcode::Checkpoint, (&[], None), |asker| asker.administrate())?;
    let asked = shared.checkpoints.ask(request.backup);
    let what = ("checkpoint", request.backup, session.caller.purpose());
    acts::asked(shared, &session.audit, what, None::<String>, asked.as_ref().err());
    Ok(Outcome::Elsewhere(asked?))
}
