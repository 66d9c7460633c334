//! `delete`: entities out of a group.

use protocol::{DeleteReply, DeleteRequest, Failure, Opcode};

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
    let request = DeleteRequest::decode(body).map_err(malformed)?;
    let is_bulk = session.is_bulk();
    let options = writing::options(session, request.options);
    let prepared = prepared(shared, session, request.handle, (Opcode::Delete, Right::Write))?;
    let Prepared::Group { group, .. } = **prepared else { return Err(wrong_kind("a group")) };
    if !is_bulk && is_long_write(request.keys.len()) {
        return Ok(Outcome::Bulk);
    }
    let written = shared.database.delete(group, &request.keys, &options).map_err(engine_failure)?;
    acts::deleted(shared, &session.audit, group, &request.keys, written.outcome.applied);
    Ok(writing::replied(written, |out, receipt, outcome, rejects| {
        let (deleted, rejected) = (outcome.applied, outcome.rejected);
        DeleteReply { receipt, deleted, rejected, rejects }.encode(out);
    }))
}
