//! The oracle: what one writer sent and what was acknowledged, and whether what a restart shows agrees with it.
//!
//! A writer sends one request at a time. So whatever a crash leaves must be the state after some prefix of its writes, each
//! there whole or not at all; the prefix must reach at least as far as was promised. One comparison thus finds a lost write,
//! half a write, a write applied twice, writes out of order, and values that nobody wrote.

use std::collections::{BTreeMap, BTreeSet};

use stdx::prng::Prng;

/// What is stored of one key, as far as writers change it; nothing stored is zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// The version of its row: the number of the write that put it.
    pub version: u64,
    /// Its events.
    pub events: u64,
}

/// What is stored, by key.
pub type State = BTreeMap<String, Stored>;

/// One request: rows that are put, or events that are pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its number, unique and growing for the writer; also the version of its rows.
    pub sequence: u64,
    /// What it holds.
    pub change: Change,
    /// When its acknowledgement was read, in ns of the load's clock; `None`: it may or may not be there.
    pub acked_at_ns: Option<u64>,
}

/// What a request holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A row for each of these keys.
    Rows(Vec<String>),
    /// So many events for each of these keys.
    Events(Vec<(String, u64)>),
}

/// What the server promised about acknowledged writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Each is there.
    Everything,
    /// Each that was acknowledged before this time, in ns of the load's clock, is there.
    Before(u64),
    /// None need be there.
    Nothing,
}

/// What a restart left of the writes since the last one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The last few that are there.
    pub kept: Vec<Write>,
    /// Those that are not, in order.
    pub lost: Vec<Write>,
}

/// Kept writes that are handed back, to be sent again: well within what a server remembers of a producer.
const KEPT_MAX: usize = 3;

/// One writer's expectations.
#[derive(Debug, Clone)]
pub struct Journal {
    writer: String,
    keys: Vec<String>,
    next_sequence: u64,
    /// What is there for certain.
    base: State,
    /// What was sent since, in order.
    writes: Vec<Write>,
}

impl Journal {
    /// The journal of `writer`, who alone writes `keys` keys.
    #[must_use]
    pub fn new(writer: &str, keys: usize) -> Self {
        let keys = (0..keys).map(|key| format!("{writer}-{key}")).collect();
        let writer = writer.to_owned();
        Self { writer, keys, next_sequence: 1, base: State::new(), writes: Vec::new() }
    }

    /// The writer's name.
    #[must_use]
    pub fn writer(&self) -> &str {
        &self.writer
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Draws a write and notes it as sent.
    pub fn send(&mut self, prng: &mut Prng) -> Write {
        let mut keys = self.keys.clone();
        prng.shuffle(&mut keys);
        keys.truncate(1 + index(prng, 4));
        let change = if prng.chance(0.5) {
            Change::Rows(keys)
        } else {
            Change::Events(keys.into_iter().map(|key| (key, 1 + prng.below(5))).collect())
        };
        let write = Write { sequence: self.next_sequence, change, acked_at_ns: None };
        self.next_sequence += 1;
        self.writes.push(write.clone());
        write
    }

    /// Notes that the write sent last was acknowledged.
    pub fn acked(&mut self, at_ns: u64) {
        if let Some(last) = self.writes.last_mut() {
            last.acked_at_ns = Some(at_ns);
        }
    }

    /// Notes that the write sent last was refused: it is certainly not there.
    pub fn refused(&mut self) {
        self.writes.pop();
    }

    /// Notes that `write`, lost and sent again, is there for good.
    pub fn repaired(&mut self, write: &Write) {
        apply(&mut self.base, write);
    }

    /// How many writes since the last restart were acknowledged.
    #[must_use]
    pub fn acks(&self) -> usize {
        self.writes.iter().filter(|write| write.acked_at_ns.is_some()).count()
    }

    /// Compares with what is there now, which holds from here on.
    ///
    /// # Errors
    /// What is wrong: the first keys that differ, or what was promised and is missing.
    pub fn settle(&mut self, there: &State, promise: Promise) -> Result<Settled, String> {
        let (found, state) = self.longest_prefix(there).ok_or_else(|| self.explain(there))?;
        let required = self.required(promise);
        if found < required {
            let missing: Vec<_> = self.writes[found..required].iter().take(3).collect();
            return Err(format!(
                "{}: {} acknowledged writes are missing, first of all {missing:?}",
                self.writer,
                required - found
            ));
        }
        self.base = state;
        let lost = self.writes.split_off(found);
        let kept = self.writes.split_off(found.saturating_sub(KEPT_MAX));
        self.writes.clear();
        Ok(Settled { kept, lost })
    }

    /// Compares with what a server that still runs shows, where every acknowledged write must be, and settles nothing.
    ///
    /// # Errors
    /// As [`Journal::settle`].
    pub fn compare(&self, there: &State) -> Result<(), String> {
        let (found, _) = self.longest_prefix(there).ok_or_else(|| self.explain(there))?;
        let missing = self.required(Promise::Everything).saturating_sub(found);
        if missing == 0 {
            return Ok(());
        }
        Err(format!("{}: {missing} acknowledged writes are missing", self.writer))
    }

    /// The most writes after which the state is `there`, and that state.
    fn longest_prefix(&self, there: &State) -> Option<(usize, State)> {
        let mut state = self.base.clone();
        let differs = |state: &State, key: &str| stored(state, key) != stored(there, key);
        let mut different: BTreeSet<&str> =
            self.keys.iter().map(String::as_str).filter(|key| differs(&state, key)).collect();
        let mut found = different.is_empty().then(|| (0, state.clone()));
        for (index, write) in self.writes.iter().enumerate() {
            apply(&mut state, write);
            for key in write.keys() {
                if differs(&state, key) {
                    different.insert(key);
                } else {
                    different.remove(key);
                }
            }
            if different.is_empty() {
                found = Some((index + 1, state.clone()));
            }
        }
        found
    }

    /// How many writes must be there: up to the last one that was promised.
    fn required(&self, promise: Promise) -> usize {
        let promised = |write: &Write| match (write.acked_at_ns, promise) {
            (None, _) | (_, Promise::Nothing) => false,
            (Some(_), Promise::Everything) => true,
            (Some(at), Promise::Before(limit)) => at < limit,
        };
        self.writes.iter().rposition(promised).map_or(0, |last| last + 1)
    }

    /// Why no prefix fits, in the words of single keys.
    fn explain(&self, there: &State) -> String {
        let mut all = self.base.clone();
        self.writes.iter().for_each(|write| apply(&mut all, write));
        let mut text = format!(
            "{}: what is there is no state after any of its {} writes, {} of them acknowledged:",
            self.writer,
            self.writes.len(),
            self.acks()
        );
        for key in &self.keys {
            let (before, now, after) =
                (stored(&self.base, key), stored(there, key), stored(&all, key));
            text += &format!("\n  {key}: {now:?}; {before:?} before the writes, {after:?} after");
        }
        text + &format!(
            "\nthe last writes: {:#?}",
            self.writes.iter().rev().take(3).collect::<Vec<_>>()
        )
    }
}

impl Write {
    /// The keys it changes.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let (rows, events): (&[String], &[(String, u64)]) = match &self.change {
            Change::Rows(keys) => (keys, &[]),
            Change::Events(events) => (&[], events),
        };
        rows.iter().map(String::as_str).chain(events.iter().map(|(key, _)| key.as_str()))
    }
}

fn apply(state: &mut State, write: &Write) {
    match &write.change {
        Change::Rows(keys) => {
            for key in keys {
                state.entry(key.clone()).or_default().version = write.sequence;
            }
        }
        Change::Events(events) => {
            for (key, count) in events {
                state.entry(key.clone()).or_default().events += count;
            }
        }
    }
}

fn stored(state: &State, key: &str) -> Stored {
    state.get(key).copied().unwrap_or_default()
}

/// A random index below `bound`.
pub(crate) fn index(prng: &mut Prng, bound: usize) -> usize {
    usize::try_from(prng.below(bound as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal with `count` writes acknowledged at 10, 20, …, and the state after each number of them.
    fn journal(count: u64) -> (Journal, Vec<State>) {
        let mut journal = Journal::new("w", 3);
        let mut prng = Prng::new(1);
        let mut states = vec![State::new()];
        for number in 1..=count {
            let write = journal.send(&mut prng);
            journal.acked(number * 10);
            let mut state = states.last().expect("one at least").clone();
            apply(&mut state, &write);
            states.push(state);
        }
        (journal, states)
    }

    #[test]
    fn every_prefix_that_keeps_the_promise_passes() {
        for there in 0..=8 {
            let (mut journal, states) = journal(8);
            let settled = journal.settle(&states[there], Promise::Nothing).expect("a prefix");
            assert_eq!(settled.lost.len(), 8 - there);
            assert_eq!(settled.kept.len(), there.min(KEPT_MAX));
        }
    }

    #[test]
    fn one_lost_acknowledgement_is_found() {
        let (mut journal, states) = journal(8);
        let error = journal.settle(&states[7], Promise::Everything).expect_err("one is lost");
        assert!(error.contains("1 acknowledged writes are missing"), "{error}");
        let error = journal.settle(&states[4], Promise::Before(51)).expect_err("the fifth is lost");
        assert!(error.contains("1 acknowledged"), "{error}");
        assert!(journal.settle(&states[4], Promise::Before(50)).is_ok());
    }

    #[test]
    fn a_pending_write_may_be_there_or_not() {
        for there in [8, 9] {
            let (mut journal, mut states) = journal(8);
            let write = journal.send(&mut Prng::new(2));
            let mut last = states[8].clone();
            apply(&mut last, &write);
            states.push(last);
            assert!(journal.settle(&states[there], Promise::Everything).is_ok());
        }
    }

    #[test]
    fn a_write_applied_twice_half_or_out_of_order_is_found() {
        let wrong = |change: &dyn Fn(&mut State)| {
            let (mut journal, mut states) = journal(8);
            let mut state = states.pop().expect("the last");
            change(&mut state);
            assert!(journal.settle(&state, Promise::Nothing).is_err(), "{state:?}");
        };
        let key = || "w-0".to_owned();
        wrong(&|state| state.entry(key()).or_default().events += 1);
        wrong(&|state| state.entry(key()).or_default().version = 99);
        wrong(&|state| {
            state.remove("w-1");
        });
    }

    #[test]
    fn what_is_settled_holds_at_the_next_restart() {
        let (mut journal, states) = journal(8);
        journal.settle(&states[5], Promise::Nothing).expect("a prefix");
        assert!(journal.settle(&states[4], Promise::Nothing).is_err());
        assert!(journal.settle(&states[5], Promise::Everything).is_ok());
    }
}
