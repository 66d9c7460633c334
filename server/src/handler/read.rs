//! `read`: feature vectors.

use std::cell::Cell;

use engine::{ReadOptions, ReadRequest, Vectors};
use model::column::Column;
use protocol::{CallStatus, Failure, ReadReply, ReadTimes};

use super::{prepared, wrong_kind};
use crate::{
    dispatch::{Outcome, failure},
    error::{engine_failure, malformed},
    shared::{Prepared, Shared},
};

/// Bytes of columns that a network thread keeps for its next read.
const KEPT_BYTES: usize = 1 << 20;

thread_local! {
    /// The last vectors that this thread answered with: a reply of the same columns needs no memory of its own.
    static LAST: Cell<Vectors> = Cell::default();
}

pub(crate) fn handle(shared: &Shared, body: &[u8]) -> Result<Outcome, Failure> {
    let request = protocol::ReadRequest::decode(body).map_err(malformed)?;
    let prepared = prepared(shared, request.handle)?;
    let Prepared::Vectors { plan, logged } = &*prepared else {
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
    let traced =
        logged.as_ref().map_or_else(Vec::new, |logged| shared.reads.draw(logged.rate, count));
    let mut vectors = LAST.take();
    let trace = shared.database.read_into(plan, &read, &traced, &mut vectors);
    let trace = trace.map_err(engine_failure)?;
    if let Some(logged) = logged.as_ref().filter(|_| !traced.is_empty()) {
        shared.reads.offer(logged, &read, &vectors, trace);
    }
    let rows = vectors.columns.first().map_or(0, Column::len);
    let reply = ReadReply {
        as_of: vectors.as_of,
        snapped: vectors.snapped,
        rows: u32::try_from(rows).unwrap_or(u32::MAX),
        columns: vectors.columns,
        times: times.then_some(ReadTimes {
            groups: vectors.group_times,
            window_starts: vectors.window_starts,
        }),
    };
    Ok(Outcome::now(move |out| {
        reply.encode(out);
        keep(reply.columns);
    }))
}

fn keep(columns: Vec<Column>) {
    if columns.iter().map(Column::capacity).sum::<usize>() <= KEPT_BYTES {
        LAST.set(Vectors { columns, ..Vectors::default() });
    }
}
