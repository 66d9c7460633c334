//! `delete`: entities out of a group.

use protocol::{DeleteReply, DeleteRequest, Failure};

use super::{prepared, writing, wrong_kind};
use crate::{
    dispatch::Outcome,
    error::{engine_failure, malformed},
    shared::{Prepared, Shared},
};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = DeleteRequest::decode(body).map_err(malformed)?;
    let prepared = prepared(shared, request.handle)?;
    let Prepared::Group { group, .. } = &*prepared else { return Err(wrong_kind("a group")) };
    let written = shared
        .database
        .delete(*group, &request.keys, &writing::options(request.options))
        .map_err(engine_failure)?;
    let (outcome, rejects) = (written.outcome, writing::rejects(written.rejects));
    Ok(Outcome::Later {
        ticket: written.ticket,
        repeated: written.repeated,
        reply: Box::new(move |out, receipt| {
            let (deleted, rejected) = (outcome.applied, outcome.rejected);
            DeleteReply { receipt, deleted, rejected, rejects }.encode(out);
        }),
    })
}
