//! `stats`: everything an operator asks for.

use std::sync::atomic::Ordering;

use protocol::{Failure, StatValue, StatsReply};

use crate::{dispatch::Outcome, shared::Shared};

pub(crate) fn handle(shared: &Shared) -> Result<Outcome, Failure> {
    let connections = shared.connections.load(Ordering::Relaxed) as u64;
    let mut figures = vec![("connections_count".to_owned(), StatValue::U64(connections))];
    figures.extend(shared.database.stats().into_iter().map(|(name, value)| {
        let value = match value {
            engine::StatValue::Number(number) => StatValue::U64(number),
            engine::StatValue::Text(text) => StatValue::Text(text),
        };
        (name, value)
    }));
    figures.extend(shared.exports.figures());
    figures.extend(shared.history.figures());
    figures.extend(shared.reads.figures());
    let reply = StatsReply { figures };
    Ok(Outcome::now(move |out| reply.encode(out)))
}
