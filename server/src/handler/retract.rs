//! `retract`: events of a stream, taken back.

use engine::RetractRequest;
use protocol::{Failure, Opcode, RetractReply};

use super::{prepared, writing, wrong_kind};
use crate::{
    access::rule::Right,
    audit::acts,
    bulk::is_long_write,
    dispatch::Outcome,
    error::{engine_failure, malformed},
    prepared::Prepared,
    session::Session,
    shared::Shared,
};

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
) -> Result<Outcome, Failure> {
    let request = protocol::RetractRequest::decode(body).map_err(malformed)?;
    let is_bulk = session.is_bulk();
    let options = writing::options(session, request.options);
    let prepared = prepared(shared, session, request.handle, (Opcode::Retract, Right::Write))?;
    let Prepared::Stream(stream) = **prepared else { return Err(wrong_kind("a stream")) };
    if !is_bulk && is_long_write(request.events.len()) {
        return Ok(Outcome::Bulk);
    }
    let retract =
        RetractRequest { stream, fields: usize::from(request.fields), events: request.events };
    let written = shared.database.retract(&retract, &options).map_err(engine_failure)?;
    acts::stream(shared, &session.audit, "retract", stream, written.outcome.applied);
    Ok(writing::replied(written, |out, receipt, outcome, rejects| {
        let engine::Outcome { applied: retracted, late, rejected, .. } = outcome;
        RetractReply { receipt, retracted, late, rejected, rejects }.encode(out);
    }))
}
