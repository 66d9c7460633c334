//! `scan`: the entities of a group, page by page.

use engine::ScanCursor;
use protocol::{CallStatus, Failure, ScanReply, ScanRequest};
use stdx::cursor::{Reader, Writer};

use super::{prepared, wrong_kind};
use crate::{
    dispatch::{Outcome, failure},
    error::{engine_failure, malformed},
    shared::{Prepared, Shared},
};

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = ScanRequest::decode(body).map_err(malformed)?;
    let prepared = prepared(shared, request.handle)?;
    let Prepared::Group { plan, .. } = &*prepared else { return Err(wrong_kind("a group")) };
    let mark = shared.mark(plan.version());
    let cursor = read_cursor(request.cursor, mark)?;
    let page =
        shared.database.scan(plan, cursor, request.limit as usize).map_err(engine_failure)?;
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
    match (input.u64(), input.u32(), input.u32(), input.is_empty()) {
        (Ok(given), Ok(shard), Ok(slot), true) if given == mark => Ok(ScanCursor { shard, slot }),
        _ => Err(failure(
            CallStatus::Invalid,
            "the server was restarted or definitions changed during the scan: begin again",
        )),
    }
}

fn write_cursor(cursor: ScanCursor, mark: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    Writer::new(&mut bytes).u64(mark).u32(cursor.shard).u32(cursor.slot);
    bytes
}
