//! `retract`: events of a stream, taken back.

use engine::RetractRequest;
use protocol::{Failure, RetractReply};

use super::{prepared, writing, wrong_kind};
use crate::{
    dispatch::Outcome,
    error::{engine_failure, malformed},
    shared::{Prepared, Shared},
};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = protocol::RetractRequest::decode(body).map_err(malformed)?;
    let prepared = prepared(shared, request.handle)?;
    let Prepared::Stream(stream) = &*prepared else { return Err(wrong_kind("a stream")) };
    let retract = RetractRequest {
        stream: *stream,
        fields: usize::from(request.fields),
        events: request.events,
    };
    let options = writing::options(request.options);
    let written = shared.database.retract(&retract, &options).map_err(engine_failure)?;
    let (outcome, rejects) = (written.outcome, writing::rejects(written.rejects));
    Ok(Outcome::Later {
        ticket: written.ticket,
        repeated: written.repeated,
        reply: Box::new(move |out, receipt| {
            let engine::Outcome { applied: retracted, late, rejected, .. } = outcome;
            RetractReply { receipt, retracted, late, rejected, rejects }.encode(out);
        }),
    })
}
