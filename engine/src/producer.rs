//! Exactly once: what each producer's sequences did, so that a retried write is answered and not applied again.
//!
//! A producer is a 128-bit number its client chose; it numbers its writes 1, 2, 3, … and may have several in flight. The
//! last [`PRODUCER_SEQUENCES_MAX`] outcomes are remembered; a sequence older than that is refused, never applied twice. The
//! table holds [`PRODUCERS_MAX`] producers: one that is forgotten, because so many others wrote since, starts anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};

use model::limits::{PRODUCER_SEQUENCES_MAX, PRODUCERS_MAX};
use stdx::sync::{Arc, Mutex};
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
    /// By sequence: they come nearly in order.
    outcomes: VecDeque<(u64, Lsn, Outcome)>,
    /// Every sequence up to here is refused: its outcome was forgotten.
    forgotten: u64,
    /// Outcomes of all producers.
    kept: std::sync::Arc<AtomicI64>,
}

/// Bytes of a producer with its first outcomes: its place in the table, itself, a short list.
const PRODUCER_BYTES: u64 = 512;
/// Bytes of an outcome in a list that is half full, and some more.
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
        let place = self.place(sequence);
        match self.outcomes.get(place).filter(|(known, ..)| *known == sequence) {
            Some((_, lsn, outcome)) => Known::Applied(*lsn, *outcome),
            None if sequence <= self.forgotten => Known::Forgotten(self.forgotten),
            None => Known::New,
        }
    }

    /// Anything is known of its sequences.
    fn is_known(&self) -> bool {
        self.forgotten > 0 || !self.outcomes.is_empty()
    }

    /// Every sequence up to the first is forgotten; what the later ones did.
    pub(crate) fn memory(&self) -> (u64, impl ExactSizeIterator<Item = (u64, Lsn, Outcome)>) {
        (self.forgotten, self.outcomes.iter().copied())
    }

    /// Every sequence up to this one is forgotten.
    pub(crate) fn forget_up_to(&mut self, sequence: u64) {
        self.forgotten = self.forgotten.max(sequence);
    }

    /// The place of the first outcome from `sequence` on.
    fn place(&self, sequence: u64) -> usize {
        if self.outcomes.back().is_none_or(|(newest, ..)| *newest < sequence) {
            return self.outcomes.len();
        }
        self.outcomes.partition_point(|(known, ..)| *known < sequence)
    }

    pub(crate) fn record(&mut self, sequence: u64, lsn: Lsn, outcome: Outcome) {
        let place = self.place(sequence);
        if let Some(known) = self.outcomes.get_mut(place).filter(|(known, ..)| *known == sequence) {
            *known = (sequence, lsn, outcome);
            return;
        }
        if self.outcomes.len() < PRODUCER_SEQUENCES_MAX {
            self.outcomes.insert(place, (sequence, lsn, outcome));
            self.kept.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // The oldest makes room first, or is the new one itself: the list gets no longer.
        let Some(place) = place.checked_sub(1) else {
            self.forgotten = self.forgotten.max(sequence);
            return;
        };
        if let Some((oldest, ..)) = self.outcomes.pop_front() {
            self.forgotten = self.forgotten.max(oldest);
        }
        self.outcomes.insert(place, (sequence, lsn, outcome));
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let outcomes = i64::try_from(self.outcomes.len()).unwrap_or(0);
        self.kept.fetch_sub(outcomes, Ordering::Relaxed);
    }
}

/// All producers. A bounded table: beyond [`PRODUCERS_MAX`] those not seen for longest are forgotten.
#[derive(Debug)]
pub(crate) struct Producers {
    table: Mutex<Table>,
    max: usize,
    /// Outcomes remembered, of all together: counted without a lock.
    outcomes: std::sync::Arc<AtomicI64>,
}

/// One lock for all: what is forgotten is chosen and removed before anybody can begin to use it again.
#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<u128, Entry>,
    tick: u64,
}

#[derive(Debug)]
struct Entry {
    producer: Arc<Mutex<Producer>>,
    last_seen: u64,
}

impl Entry {
    /// Something was written in its name. Nobody uses it.
    fn is_known(&self) -> bool {
        self.producer.lock().is_known()
    }
}

impl Table {
    /// Forgets the tenth of producers that was seen least lately, at least one.
    fn forget_oldest(&mut self) {
        // A producer in use is not forgotten under its write: its retry would find nothing, and be applied again.
        let idle = self.entries.iter().filter(|(_, entry)| Arc::strong_count(&entry.producer) == 1);
        // Those first of whom nothing is known: all they wrote was refused.
        let mut seen: Vec<_> =
            idle.map(|(id, entry)| (entry.is_known(), entry.last_seen, *id)).collect();
        let tenth = seen.len().div_ceil(10);
        if let Some(last) = tenth.checked_sub(1) {
            seen.select_nth_unstable(last);
        }
        for (_, _, id) in seen.into_iter().take(tenth) {
            self.entries.remove(&id);
        }
    }
}

impl Default for Producers {
    fn default() -> Self {
        Self::new(PRODUCERS_MAX)
    }
}

impl Producers {
    /// Nobody wrote; remembers `max` producers.
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Mutex::default(), max, outcomes: std::sync::Arc::default() }
    }

    /// The producer, made when new. Its lock is held by a write from the check until the record is in the log buffer, so
    /// that a retry racing its original waits for it. It comes first in the lock order.
    pub(crate) fn get(&self, id: ProducerId) -> Arc<Mutex<Producer>> {
        let mut table = self.table.lock();
        table.tick += 1;
        let last_seen = table.tick;
        if let Some(entry) = table.entries.get_mut(&id.0) {
            entry.last_seen = last_seen;
            return Arc::clone(&entry.producer);
        }
        if table.entries.len() >= self.max {
            table.forget_oldest();
        }
        let kept = std::sync::Arc::clone(&self.outcomes);
        let producer = Producer { outcomes: VecDeque::new(), forgotten: 0, kept };
        let producer = Arc::new(Mutex::new(producer));
        let entry = Entry { producer: Arc::clone(&producer), last_seen };
        table.entries.insert(id.0, entry);
        producer
    }

    /// Each producer of which something is known, as it is when nobody writes in its name, the one seen least lately first.
    pub(crate) fn each(&self, mut visit: impl FnMut(ProducerId, &Producer)) {
        let seen = |(id, entry): (&u128, &Entry)| (entry.last_seen, *id);
        let mut seen: Vec<_> = self.table.lock().entries.iter().map(seen).collect();
        seen.sort_unstable();
        for (_, id) in seen {
            // The table is not locked while a writer is waited for, and no other producer is kept from being forgotten.
            if let Some(producer) = self.find(id) {
                let producer = producer.lock();
                if producer.is_known() {
                    visit(ProducerId(id), &producer);
                }
            }
        }
    }

    fn find(&self, id: u128) -> Option<Arc<Mutex<Producer>>> {
        self.table.lock().entries.get(&id).map(|entry| Arc::clone(&entry.producer))
    }

    /// Number of producers remembered.
    pub(crate) fn len(&self) -> usize {
        self.table.lock().entries.len()
    }

    /// Bytes allocated, of half full lists. No producer is locked for it.
    pub(crate) fn bytes(&self) -> u64 {
        let outcomes = u64::try_from(self.outcomes.load(Ordering::Relaxed)).unwrap_or(0);
        self.len() as u64 * PRODUCER_BYTES + outcomes * OUTCOME_BYTES
    }
}

#[cfg(all(test, not(loom)))]
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

    /// Whatever the order they come in, it is known of the newest what they did, and of the others that they are forgotten.
    #[test]
    fn the_newest_sequences_are_remembered_in_any_order() {
        let seed = 7;
        let mut prng = stdx::prng::Prng::new(seed);
        for _ in 0..50 {
            let (mut producer, mut all) = (Producer::default(), std::collections::BTreeMap::new());
            for number in 0..1_000_u64 {
                let sequence = (number + prng.below(40)).saturating_sub(prng.below(400)) + 1;
                if producer.known(sequence) == Known::Forgotten(producer.forgotten) {
                    continue;
                }
                let outcome = Outcome {
                    applied: u32::try_from(number).expect("small"),
                    ..Outcome::default()
                };
                producer.record(sequence, Lsn(number), outcome);
                all.insert(sequence, (Lsn(number), outcome));
                while all.len() > PRODUCER_SEQUENCES_MAX {
                    all.pop_first();
                }
            }
            let kept: Vec<_> = producer.memory().1.collect();
            let expected = all.iter().map(|(sequence, (lsn, outcome))| (*sequence, *lsn, *outcome));
            assert_eq!(kept, expected.collect::<Vec<_>>(), "seed {seed}");
            let (oldest, kept) = (kept[0].0, i64::try_from(kept.len()).expect("few"));
            assert!(producer.forgotten < oldest, "seed {seed}");
            assert_eq!(producer.kept.load(Ordering::Relaxed), kept, "seed {seed}");
            assert!(producer.outcomes.capacity() <= PRODUCER_SEQUENCES_MAX, "seed {seed}");
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let producers = Producers::default();
        for id in 0..=PRODUCERS_MAX as u128 + 1 {
            producers.get(ProducerId(id));
        }
        assert!(producers.len() <= PRODUCERS_MAX);
    }

    #[test]
    fn producers_whose_writes_were_all_refused_are_forgotten_first() {
        let producers = Producers::new(20);
        let outcome = Outcome { applied: 3, ..Outcome::default() };
        producers.get(ProducerId(1)).lock().record(1, Lsn(1), outcome);
        for id in 2..100 {
            producers.get(ProducerId(id));
        }
        let known = producers.get(ProducerId(1)).lock().known(1);
        assert_eq!(known, Known::Applied(Lsn(1), outcome));
        let mut visited = Vec::new();
        producers.each(|ProducerId(id), _| visited.push(id));
        assert_eq!(visited, [1], "nothing is written of the others");
    }

    #[test]
    fn a_producer_in_use_is_not_forgotten() {
        let producers = Producers::new(2);
        let outcome = Outcome { applied: 3, ..Outcome::default() };
        let in_use = producers.get(ProducerId(1));
        for id in 2..9 {
            producers.get(ProducerId(id));
        }
        in_use.lock().record(1, Lsn(1), outcome);
        let known = producers.get(ProducerId(1)).lock().known(1);
        assert_eq!(known, Known::Applied(Lsn(1), outcome));
        assert_eq!(producers.len(), 2);
    }
}
