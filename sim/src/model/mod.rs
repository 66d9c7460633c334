//! A plain model of the database: what it must hold after a prefix of its log, and what it must answer.
//!
//! Maps and lists only, every value computed anew from all events. It knows the rules of `docs/semantics.md`, and nothing of
//! shards, tiles, logs or snapshots.

mod rows;
mod streams;
mod windows;

use std::collections::BTreeMap;

use engine::Outcome;

pub(crate) use rows::{Answer, Effect, Rows};
pub(crate) use streams::{Clock, Verdict};
pub(crate) use windows::{Windows, seen_from};

use crate::{
    history::{Change, Record, Writer},
    operation::{Event, Table},
    schema::{Stream, WINDOW_GROUPS, WindowGroup},
};

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    /// Version of the definitions; 0 without any.
    pub(crate) version: u64,
    pub(crate) rows: Rows,
    /// Of each group of [`WINDOW_GROUPS`].
    pub(crate) windows: Vec<Windows>,
    pub(crate) clock: Clock,
    /// Position and outcome of each write that was somebody's.
    pub(crate) done: BTreeMap<Writer, (u64, Outcome)>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            version: 0,
            rows: Rows::default(),
            windows: WINDOW_GROUPS.iter().map(|_| Windows::new()).collect(),
            clock: Clock::default(),
            done: BTreeMap::new(),
        }
    }
}

impl Model {
    /// Does what record `lsn` says.
    pub(crate) fn apply(&mut self, lsn: u64, record: &Record) {
        match &record.change {
            Change::Define(version, at) => self.define(*version, *at),
            Change::Put(rows) => {
                for row in rows {
                    self.rows.put(row, row.time.unwrap_or(0));
                }
            }
            Change::Push(stream, now, events) => self.push(*stream, *now, events),
            Change::Delete(table, entities) => {
                for entity in entities {
                    self.delete(*table, *entity);
                }
            }
            Change::Retract(events) => {
                for event in events {
                    self.clock.forget(event.id);
                    for (group, windows) in WINDOW_GROUPS.iter().zip(&mut self.windows) {
                        if group.stream == Stream::Orders {
                            windows.retract(group, event);
                        }
                    }
                }
            }
        }
        if let Some((writer, outcome)) = record.writer {
            self.done.insert(writer, (lsn, outcome));
        }
    }

    fn define(&mut self, version: u64, at: i64) {
        self.version = version;
        for (group, windows) in WINDOW_GROUPS.iter().zip(&mut self.windows) {
            if version >= group.since && !windows.is_defined {
                windows.is_defined = true;
                windows.observed = (group.stream == Stream::Orders).then_some(at);
            }
        }
    }

    fn push(&mut self, stream: Stream, now: i64, events: &[Event]) {
        self.clock.apply(stream, now, events);
        for (group, windows) in WINDOW_GROUPS.iter().zip(&mut self.windows) {
            if group.stream != stream || !windows.is_defined {
                continue;
            }
            for event in events {
                windows.push(group, event);
                if stream == Stream::Clicks {
                    let since = windows.observed.unwrap_or(i64::MAX);
                    windows.observed = Some(since.min(event.time));
                }
            }
        }
    }

    /// True when the entity was there.
    pub(crate) fn delete(&mut self, table: Table, entity: u16) -> bool {
        match table {
            Table::Profile => self.rows.delete(entity),
            Table::Windows(group) => {
                self.windows.get_mut(group).is_some_and(|windows| windows.delete(entity))
            }
        }
    }

    /// The groups of `stream` that are defined, each with its events.
    pub(crate) fn groups_of(
        &self,
        stream: Stream,
    ) -> impl Iterator<Item = (&'static WindowGroup, &Windows)> {
        let groups = WINDOW_GROUPS.iter().zip(&self.windows);
        groups.filter(move |(group, windows)| group.stream == stream && windows.is_defined)
    }

    /// The oldest time that some window of the groups an event is for can still see, in ms.
    pub(crate) fn late_before(&self, stream: Stream, event: &Event, now: i64) -> i64 {
        let groups = self.groups_of(stream);
        let groups = groups.filter(|(group, _)| Windows::entity_of(group, event).is_some());
        groups.map(|(group, _)| seen_from(group, now)).min().unwrap_or(i64::MIN)
    }

    /// "Now" of a stream, in ms; `None` before the first event of an event clock.
    pub(crate) fn now(&self, stream: Stream, wall_ms: i64) -> Option<i64> {
        match stream {
            Stream::Orders => Some(self.clock.orders_now(wall_ms)),
            Stream::Clicks => self.clock.newest,
        }
    }
}
