//! `put`: rows into a row group.

use engine::{PutRequest, PutRowRequest};
use protocol::{Failure, PutReply};

use super::{prepared, writing, wrong_kind};
use crate::{
    dispatch::Outcome,
    error::{engine_failure, malformed},
    shared::{Prepared, Shared},
};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = protocol::PutRequest::decode(body).map_err(malformed)?;
    let prepared = prepared(shared, request.handle)?;
    let Prepared::Group { group, is_rows: true, .. } = &*prepared else {
        return Err(wrong_kind("a row group"));
    };
    let rows = request
        .rows
        .iter()
        .map(|row| PutRowRequest { key: row.key, event_time: row.event_time, row: row.row })
        .collect();
    let put = PutRequest { group: *group, features: usize::from(request.features), rows };
    let written =
        shared.database.put(&put, &writing::options(request.options)).map_err(engine_failure)?;
    let (outcome, rejects) = (written.outcome, writing::rejects(written.rejects));
    Ok(Outcome::Later {
        ticket: written.ticket,
        repeated: written.repeated,
        reply: Box::new(move |out, receipt| {
            let (applied, stale, rejected) = (outcome.applied, outcome.duplicate, outcome.rejected);
            PutReply { receipt, applied, stale, rejected, rejects }.encode(out);
        }),
    })
}
