//! `push`: events into a stream.

use std::cell::Cell;

use engine::{PushRequest, PushSpace};
use protocol::{Failure, Opcode, PushReply};

use super::{KEPT_BYTES, prepared, writing, wrong_kind};
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

thread_local! {
    /// Memory of the last push of this thread, for its next one.
    static LAST: Cell<PushSpace> = Cell::default();
}

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
) -> Result<Outcome, Failure> {
    let request = protocol::PushRequest::decode(body).map_err(malformed)?;
    let is_bulk = session.is_bulk();
    let options = writing::options(session, request.options);
    let prepared = prepared(shared, session, request.handle, (Opcode::Push, Right::Write))?;
    let Prepared::Stream(stream) = **prepared else { return Err(wrong_kind("a stream")) };
    if !is_bulk && is_long_write(request.events.len()) {
        return Ok(Outcome::Bulk);
    }
    let push = PushRequest { stream, fields: usize::from(request.fields), events: request.events };
    let mut space = LAST.take();
    let written = shared.database.push_in(&push, &options, &mut space);
    if space.allocated() <= KEPT_BYTES {
        LAST.set(space);
    }
    let written = written.map_err(engine_failure)?;
    acts::stream(shared, &session.audit, "push", stream, written.outcome.applied);
    Ok(writing::replied(written, |out, receipt, outcome, rejects| {
        let engine::Outcome { applied: accepted, duplicate, late, rejected } = outcome;
        PushReply { receipt, accepted, duplicate, late, rejected, rejects }.encode(out);
    }))
}
