//! Exactly once: what each producer's sequences did, so that a retried write is answered and not applied again.
//!
//! A producer is a 128-bit number its client chose; it numbers its writes 1, 2, 3, … and may have several in flight. The
//! last [`PRODUCER_SEQUENCES_MAX`] outcomes are remembered; a sequence older than that is refused, never applied twice. The
//! table holds [`PRODUCERS_MAX`] producers: one that is forgotten, because so many others wrote since, starts anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use dashmap::DashMap;
use model::limits::{PRODUCER_SEQUENCES_MAX, PRODUCERS_MAX};
use stdx::sync::Mutex;
use storage::Lsn;

/// Who writes: chosen by the client. 0 is nobody: such writes are not remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ProducerId(pub u128);

/// What one write did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows put, events accepted, entities deleted, events retracted.
    pub applied: u32,
    /// Events that arrived before; rows with nothing newer than what is stored.
    pub duplicate: u32,
    /// Events too old for every window; retractions of events before the floor.
    pub late: u32,
    /// Rows or events refused.
    pub rejected: u32,
}

/// The sequences of one producer.
#[derive(Debug, Default)]
pub(crate) struct Producer {
    outcomes: BTreeMap<u64, (Lsn, Outcome)>,
    /// Every sequence up to here is refused: its outcome was forgotten.
    forgotten: u64,
    last_seen: u64,
    /// Outcomes of all producers.
    kept: Arc<AtomicI64>,
}

/// Bytes of a producer with its first outcomes: its place in the table, itself, a leaf of the map.
const PRODUCER_BYTES: u64 = 512;
/// Bytes of an outcome in leaves that are half full.
const OUTCOME_BYTES: u64 = 72;

/// What is known of a sequence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Never seen: apply it.
    New,
    /// Applied at this position, with this outcome.
    Applied(Lsn, Outcome),
    /// So old that its outcome is no longer known; every sequence up to this one is.
    Forgotten(u64),
}

impl Producer {
    pub(crate) fn known(&self, sequence: u64) -> Known {
        match self.outcomes.get(&sequence) {
            Some((lsn, outcome)) => Known::Applied(*lsn, *outcome),
            None if sequence <= self.forgotten => Known::Forgotten(self.forgotten),
            None => Known::New,
        }
    }

    /// Every sequence up to the first is forgotten; what the later ones did.
    pub(crate) fn memory(&self) -> (u64, impl ExactSizeIterator<Item = (u64, Lsn, Outcome)>) {
        let outcomes = self.outcomes.iter();
        (self.forgotten, outcomes.map(|(sequence, (lsn, outcome))| (*sequence, *lsn, *outcome)))
    }

    /// Every sequence up to this one is forgotten.
    pub(crate) fn forget_up_to(&mut self, sequence: u64) {
        self.forgotten = self.forgotten.max(sequence);
    }

    pub(crate) fn record(&mut self, sequence: u64, lsn: Lsn, outcome: Outcome) {
        let is_new = self.outcomes.insert(sequence, (lsn, outcome)).is_none();
        self.kept.fetch_add(is_new.into(), Ordering::Relaxed);
        while self.outcomes.len() > PRODUCER_SEQUENCES_MAX {
            if let Some((oldest, _)) = self.outcomes.pop_first() {
                self.forgotten = self.forgotten.max(oldest);
                self.kept.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let outcomes = i64::try_from(self.outcomes.len()).unwrap_or(0);
        self.kept.fetch_sub(outcomes, Ordering::Relaxed);
    }
}

/// All producers. A bounded table: beyond [`PRODUCERS_MAX`] those not seen for longest are forgotten.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    table: DashMap<u128, Arc<Mutex<Producer>>>,
    tick: AtomicU64,
    /// Outcomes remembered, of all together: counted without a lock.
    outcomes: Arc<AtomicI64>,
}

impl Producers {
    /// The producer, made when new. Its lock is held by a write from the check until the record is in the log buffer, so
    /// that a retry racing its original waits for it. It comes first in the lock order.
    pub(crate) fn get(&self, id: ProducerId) -> Arc<Mutex<Producer>> {
        let tick = self.tick.fetch_add(1, Ordering::Relaxed);
        if self.table.len() > PRODUCERS_MAX {
            self.forget_oldest();
        }
        let fresh = || {
            let (outcomes, forgotten) = (BTreeMap::new(), 0);
            let kept = Arc::clone(&self.outcomes);
            Arc::new(Mutex::new(Producer { outcomes, forgotten, last_seen: tick, kept }))
        };
        let producer = Arc::clone(&self.table.entry(id.0).or_insert_with(fresh));
        producer.lock().last_seen = tick;
        producer
    }

    /// Each producer as it is when nobody writes in its name, the one seen least lately first.
    pub(crate) fn each(&self, mut visit: impl FnMut(ProducerId, &Producer)) {
        let all = self.table.iter().map(|entry| (*entry.key(), Arc::clone(entry.value())));
        // No lock of the table is held while a writer is waited for.
        let all: Vec<_> = all.collect();
        let seen = |(id, producer): (u128, Arc<Mutex<Producer>>)| {
            let last_seen = producer.lock().last_seen;
            (last_seen, id, producer)
        };
        let mut all: Vec<_> = all.into_iter().map(seen).collect();
        all.sort_unstable_by_key(|(seen, id, _)| (*seen, *id));
        for (_, id, producer) in all {
            visit(ProducerId(id), &producer.lock());
        }
    }

    /// Number of producers remembered.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes allocated, of half full maps. No producer is locked for it.
    pub(crate) fn bytes(&self) -> u64 {
        let outcomes = u64::try_from(self.outcomes.load(Ordering::Relaxed)).unwrap_or(0);
        self.table.len() as u64 * PRODUCER_BYTES + outcomes * OUTCOME_BYTES
    }

    /// Forgets the tenth of producers that was seen least lately.
    fn forget_oldest(&self) {
        // A producer in use is not forgotten under its write.
        let idle = self.table.iter().filter(|entry| Arc::strong_count(entry.value()) == 1);
        let mut seen: Vec<_> =
            idle.map(|entry| (entry.value().lock().last_seen, *entry.key())).collect();
        let tenth = seen.len() / 10;
        if tenth == 0 {
            return;
        }
        seen.select_nth_unstable(tenth);
        for (_, id) in seen.into_iter().take(tenth) {
            self.table.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_new_once_and_forgotten_sequences_are_refused() {
        let mut producer = Producer::default();
        let outcome = Outcome { applied: 3, ..Outcome::default() };
        assert_eq!(producer.known(5), Known::New);
        producer.record(5, Lsn(9), outcome);
        assert_eq!(producer.known(5), Known::Applied(Lsn(9), outcome));
        assert_eq!(
            producer.known(4),
            Known::New,
            "several may be in flight and arrive out of order"
        );
        for sequence in 6..6 + PRODUCER_SEQUENCES_MAX as u64 {
            producer.record(sequence, Lsn(sequence), outcome);
        }
        assert_eq!(producer.known(4), Known::Forgotten(5));
    }

    #[test]
    fn the_table_is_bounded() {
        let producers = Producers::default();
        for id in 0..=PRODUCERS_MAX as u128 + 1 {
            producers.get(ProducerId(id));
        }
        assert!(producers.len() <= PRODUCERS_MAX);
    }
}
