//! In event order: which events repeat an id that came before, within the stream's `dedup` of event time.
//!
//! ```text
//! of one id, in order of time      a ────── a' ── a'' ──────────────── a'''
//! kept, dedup = ├──────────┤       a        ·     ·                    a'''
//! ```

use super::{entry::arrange, store::Store};
use crate::Error;

/// Numbers of the events that count no more.
#[derive(Debug, Default)]
pub(super) struct Marks {
    words: Vec<u64>,
    count: u64,
}

impl Marks {
    /// Looks through `ids`, whose entities are ids, orders event times, and places the numbers of events.
    ///
    /// # Errors
    /// [`Error::Io`] when what was spilled cannot be read.
    pub(super) fn of(ids: &Store, dedup_ms: i64) -> Result<Self, Error> {
        let (mut marks, mut spare) = (Self::default(), Vec::new());
        for index in 0..ids.partitions() {
            let mut entries = ids.take(index)?.entries;
            arrange(&mut entries, &mut spare, ids.bits());
            for same in entries.chunk_by(|a, b| a.entity() == b.entity()) {
                let mut kept: Option<i64> = None;
                for entry in same {
                    if kept.is_some_and(|kept| entry.order.saturating_sub(kept) < dedup_ms) {
                        marks.set(entry.at);
                    } else {
                        kept = Some(entry.order);
                    }
                }
            }
        }
        Ok(marks)
    }

    fn set(&mut self, number: u32) {
        let word = usize::try_from(number / 64).unwrap_or(usize::MAX);
        if word >= self.words.len() {
            self.words.resize((word + 1).max(2 * self.words.len()), 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << (number % 64);
        }
        self.count += 1;
    }

    /// True for an event that does not count.
    pub(super) fn has(&self, number: u32) -> bool {
        let word = usize::try_from(number / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}
