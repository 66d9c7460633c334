//! `push`: events into a stream.

use engine::PushRequest;
use protocol::{Failure, PushReply};

use super::{prepared, writing, wrong_kind};
use crate::{
    dispatch::Outcome,
    error::{engine_failure, malformed},
    shared::{Prepared, Shared},
};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = protocol::PushRequest::decode(body).map_err(malformed)?;
    let prepared = prepared(shared, request.handle)?;
    let Prepared::Stream(stream) = &*prepared else { return Err(wrong_kind("a stream")) };
    let push = PushRequest {
        stream: *stream,
        fields: usize::from(request.fields),
        events: request.events,
    };
    let written =
        shared.database.push(&push, &writing::options(request.options)).map_err(engine_failure)?;
    let (outcome, rejects) = (written.outcome, writing::rejects(written.rejects));
    Ok(Outcome::Later {
        ticket: written.ticket,
        repeated: written.repeated,
        reply: Box::new(move |out, receipt| {
            let engine::Outcome { applied: accepted, duplicate, late, rejected } = outcome;
            PushReply { receipt, accepted, duplicate, late, rejected, rejects }.encode(out);
        }),
    })
}
