//! `stats`: everything an operator asks for.

use protocol::{Failure, Opcode, StatValue, StatsReply};

use crate::{access::state::Access, dispatch::Outcome, session::Session, shared::Shared};

pub(crate) fn handle(shared: &Shared, session: &mut Session) -> Result<Outcome, Failure> {
    session.caller.decide(shared, Opcode::Stats, (&[], None), |asker| asker.administrate())?;
    let reply = StatsReply { figures: figures(shared) };
    Ok(Outcome::now(move |out| reply.encode(out)))
}

/// Everything there is to say.
pub(crate) fn figures(shared: &Shared) -> Vec<(String, StatValue)> {
    let connections = shared.connections.count() as u64;
    let mut figures = vec![("connections_count".to_owned(), StatValue::U64(connections))];
    figures.extend(shared.database.stats().into_iter().map(|(name, value)| {
        let value = match value {
            engine::StatValue::Number(number) => StatValue::U64(number),
            engine::StatValue::Text(text) => StatValue::Text(text),
        };
        (name, value)
    }));
    figures.extend(shared.load.figures());
    figures.extend(shared.witness.figures());
    figures.extend(shared.access.iter().flat_map(|access| access.figures()));
    // Without a policy or certificates nothing can fail.
    let failed = [
        ("access_reloads_failed_count", shared.access.as_ref().map_or(0, Access::failed)),
        ("tls_reloads_failed_count", shared.tls.as_ref().map_or(0, |tls| tls.failed())),
    ];
    figures.extend(failed.map(|(name, failed)| (name.to_owned(), StatValue::U64(failed))));
    let held = [
        ("handles_count", shared.handles.count()),
        ("network_threads_used_count", shared.seats.used()),
        ("buffers_bytes", shared.buffers.used() + shared.bulk.held()),
    ];
    figures.extend(held.map(|(name, held)| (name.to_owned(), StatValue::U64(held as u64))));
    figures.extend(shared.exports.figures());
    figures.extend(shared.history.figures());
    figures.extend(shared.reads.figures());
    figures.extend(shared.spans.iter().flat_map(|spans| spans.figures()));
    figures.extend(shared.audit.figures());
    figures
}
