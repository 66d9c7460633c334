//! Third step of a replay: what is of no shard, record by record in log order: ids of events, clocks of streams, producers.

use super::{
    Memory,
    routed::{Ending, Ids},
};
use crate::producer::ProducerId;

impl Memory {
    /// Does what a record says beside changes in shards, after those.
    pub(super) fn end(&self, ending: &Ending) {
        match &ending.ids {
            Ids::Unchanged => {}
            Ids::Arrived { stream, now, events } => self.arrived(*stream, *now, events),
            Ids::Forgotten { stream, ids } => {
                if let Ok((_, runtime)) = self.catalog.stream(*stream) {
                    let mut known = runtime.state.dedup.lock(ids.iter().copied());
                    ids.iter().for_each(|id| known.forget(*id));
                }
            }
        }
        let (lsn, header) = (ending.lsn, &ending.header);
        if header.producer != ProducerId::default() && lsn.0 > self.fences.everything() {
            let producer = self.producers.get(header.producer);
            producer.lock().record(header.sequence, lsn, ending.outcome());
        }
    }

    fn arrived(&self, stream: usize, now: i64, events: &[(Option<u128>, i64)]) {
        let Ok((stream, runtime)) = self.catalog.stream(stream) else { return };
        let mut known = runtime.state.dedup.lock(events.iter().filter_map(|(id, _)| *id));
        for (id, event_time) in events {
            if let Some((id, span_ms)) = id.zip(stream.dedup_ms) {
                known.insert(id, runtime.state.arrival(stream, now, *event_time), span_ms);
            }
            runtime.state.advance(*event_time);
        }
        drop(known);
        runtime.state.applies(now);
    }
}
