//! `read`: feature vectors.

use std::cell::Cell;

use engine::{LOOK_AHEAD_MAX, ReadOptions, ReadRequest, ReadSpace};
use protocol::{CallStatus, Failure, Opcode, ReadReply, ReadTimes};
use smallvec::SmallVec;

use super::{KEPT_BYTES, prepared, wrong_kind};
use crate::{
    access::rule::Right,
    audit::acts,
    bulk::is_long,
    dispatch::{Outcome, Reply, failure},
    error::{engine_failure, malformed},
    prepared::Prepared,
    session::Session,
    shared::Shared,
};

thread_local! {
    /// Memory of the last read of this thread: a reply of the same columns needs none of its own.
    static LAST: Cell<ReadSpace> = Cell::default();
}

/// Looks at the memory that the read requests of `bodies` will take, as far as they are of what the peer used last, and small.
pub(crate) fn look_ahead(shared: &Shared, session: &mut Session, bodies: &[&[u8]]) {
    let (Some((recent, prepared)), _) = session.recent() else { return };
    let Some(plan) = prepared.plan() else { return };
    let width = plan.entities().len();
    let mut keys = SmallVec::<[&[u8]; LOOK_AHEAD_MAX]>::new();
    for body in bodies {
        let Ok(request) = protocol::ReadRequest::decode(body) else { continue };
        let fits = keys.len() + request.keys.len() <= LOOK_AHEAD_MAX;
        if request.handle == *recent && usize::from(request.entities) == width && fits {
            keys.extend_from_slice(&request.keys);
        }
    }
    let mut space = LAST.take();
    shared.database.look_ahead(plan, &keys, &mut space);
    LAST.set(space);
}

pub(crate) fn handle(
    shared: &Shared,
    session: &mut Session,
    body: &[u8],
    reply: Reply<'_>,
) -> Result<Outcome, Failure> {
    let request = protocol::ReadRequest::decode(body).map_err(malformed)?;
    let (is_bulk, lane) = (session.is_bulk(), session.lane());
    // A long read comes by twice: only the second time counts.
    let told = session.audit.draw().map(|who| (who, session.audit.purpose()));
    let prepared = prepared(shared, session, request.handle, (Opcode::Read, Right::Read))?;
    let Prepared::Vectors { plan, logged, served, .. } = &**prepared else {
        return Err(wrong_kind("a service or features"));
    };
    let entities = plan.entities().len();
    if usize::from(request.entities) != entities {
        let message = format!("a vector needs {entities} keys, got {}", request.entities);
        return Err(failure(CallStatus::Invalid, message));
    }
    let protocol::ReadOptions { as_of, exclusive, snap, times } = request.options;
    let read = ReadRequest {
        keys: &request.keys,
        request_rows: &request.request_rows,
        options: ReadOptions { as_of, exclusive, snap, times },
    };
    let count = request.keys.len().checked_div(entities).unwrap_or(1);
    if !is_bulk && is_long(plan, count) {
        return Ok(Outcome::Bulk);
    }
    let traced =
        logged.as_ref().map_or_else(Vec::new, |logged| shared.reads.draw(logged.rate, count));
    let mut space = LAST.take();
    let trace = shared.database.read_into(plan, &read, &traced, &mut space);
    let trace = trace.map_err(engine_failure)?;
    if let Some((who, said)) = told {
        let purpose = prepared.purpose().unwrap_or(&said);
        acts::read(shared, who, (plan, purpose), &request.keys);
    }
    if let Some(logged) = logged.as_ref().filter(|_| !traced.is_empty()) {
        shared.reads.offer(logged, &read, &space.vectors, trace);
    }
    let vectors = &mut space.vectors;
    if let Some(served) = served {
        served.count(lane, count, vectors.columns.statuses());
        served.reads(lane, &request.keys, entities);
    }
    let answer = ReadReply {
        as_of: vectors.as_of,
        snapped: vectors.snapped,
        columns: std::mem::take(&mut vectors.columns),
        times: times.then(|| ReadTimes {
            groups: std::mem::take(&mut vectors.group_times),
            window_starts: std::mem::take(&mut vectors.window_starts),
        }),
    };
    let outcome = reply.ok(|out| answer.encode(out));
    space.vectors.columns = answer.columns;
    if space.allocated() <= KEPT_BYTES {
        LAST.set(space);
    }
    Ok(outcome)
}
