//! `apply`: a definitions file becomes valid, or would.

use model::definition::Verb;
use protocol::{AppliedChange, ApplyReply, ApplyRequest, Failure};

use crate::{
    dispatch::Outcome,
    error::{engine_failure, malformed},
    shared::Shared,
};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = ApplyRequest::decode(body).map_err(malformed)?;
    let applied = shared
        .database
        .apply(request.file, request.definitions, request.dry_run)
        .map_err(engine_failure)?;
    let changes = applied.plan.changes.into_iter().filter(|change| change.verb != Verb::Keep);
    let reply = ApplyReply {
        version: applied.version,
        applied: applied.ticket.is_some(),
        changes: changes
            .map(|change| AppliedChange {
                verb: change.verb,
                kind: change.kind.to_owned(),
                name: change.name,
                detail: change.detail,
            })
            .collect(),
    };
    Ok(match applied.ticket {
        None => Outcome::now(move |out| reply.encode(out)),
        Some(ticket) => Outcome::Later {
            ticket,
            repeated: false,
            reply: Box::new(move |out, _| reply.encode(out)),
        },
    })
}
