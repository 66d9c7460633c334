//! `put`: rows into a row group.

use engine::{PutRequest, PutRowRequest};
use protocol::{Failure, Opcode, PutReply};

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
    let request = protocol::PutRequest::decode(body).map_err(malformed)?;
    let is_bulk = session.is_bulk();
    let options = writing::options(session, request.options);
    let prepared = prepared(shared, session, request.handle, (Opcode::Put, Right::Write))?;
    let Prepared::Group { group, is_rows: true, .. } = **prepared else {
        return Err(wrong_kind("a row group"));
    };
    if !is_bulk && is_long_write(request.rows.len()) {
        return Ok(Outcome::Bulk);
    }
    let rows = request
        .rows
        .iter()
        .map(|row| PutRowRequest { key: row.key, event_time: row.event_time, row: row.row })
        .collect();
    let put = PutRequest { group, features: usize::from(request.features), rows };
    let written = shared.database.put(&put, &options).map_err(engine_failure)?;
    acts::group(shared, &session.audit, ("put", ""), group, written.outcome.applied);
    Ok(writing::replied(written, |out, receipt, outcome, rejects| {
        let (applied, stale, rejected) = (outcome.applied, outcome.duplicate, outcome.rejected);
        PutReply { receipt, applied, stale, rejected, rejects }.encode(out);
    }))
}
