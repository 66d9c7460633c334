//! `scan`: the entities of a group, page by page.

use engine::ScanCursor;
use protocol::{CallStatus, Failure, Opcode, ScanReply, ScanRequest};
use stdx::cursor::{OutOfBytes, Reader, Writer};

use super::{prepared, wrong_kind};
use crate::{
    access::rule::Right,
    audit::acts,
    bulk::is_long,
    dispatch::{Outcome, failure},
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
    let request = ScanRequest::decode(body).map_err(malformed)?;
    let (is_bulk, said) = (session.is_bulk(), session.audit.purpose());
    let prepared = prepared(shared, session, request.handle, (Opcode::Scan, Right::Read))?;
    let Prepared::Group { plan, group, purpose, .. } = &**prepared else {
        return Err(wrong_kind("a group"));
    };
    let purpose = purpose.as_deref().map_or(said, Into::into);
    if !is_bulk && is_long(plan, request.limit as usize) {
        return Ok(Outcome::Bulk);
    }
    let mark = shared.mark(plan.version());
    let cursor = read_cursor(request.cursor, mark)?;
    // What is damaged is told at the end: the client has got all the rest then.
    let page = shared.database.scan_readable(plan, cursor, request.limit as usize);
    let page = page.map_err(engine_failure)?;
    let (group, rows) = (*group, u32::try_from(page.keys.len()).unwrap_or(u32::MAX));
    acts::group(shared, &session.audit, ("scan", &purpose), group, rows);
    let reply = ScanReply {
        keys: page.keys,
        event_times: page.event_times,
        columns: page.columns,
        next: page.next.map(|cursor| write_cursor(cursor, mark)),
    };
    Ok(Outcome::now(move |out| reply.encode(out)))
}

/// An empty cursor is the start; clients pass others back as they got them. A cursor means something only to the server that
/// gave it and under the definitions of then: after a restart or an apply, places are others.
fn read_cursor(bytes: &[u8], mark: u64) -> Result<ScanCursor, Failure> {
    if bytes.is_empty() {
        return Ok(ScanCursor::default());
    }
    let mut input = Reader::new(bytes);
    let given = input.u64();
    let cursor = (|| {
        let (shard, slot, unreadable) = (input.u32()?, input.u32()?, input.u32()?);
        Ok::<_, OutOfBytes>(ScanCursor { shard, slot, unreadable })
    })();
    match (given, cursor, input.is_empty()) {
        (Ok(given), Ok(cursor), true) if given == mark => Ok(cursor),
        _ => Err(failure(
            CallStatus::Invalid,
            "the server was restarted or definitions changed during the scan: begin again",
        )),
    }
}

fn write_cursor(cursor: ScanCursor, mark: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20);
    let mut out = Writer::new(&mut bytes);
    out.u64(mark).u32(cursor.shard).u32(cursor.slot).u32(cursor.unreadable);
    bytes
}
