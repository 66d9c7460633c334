//! What history does not have, and whether a read saw any of it.

use std::fmt;

use engine::Lsn;
use engine::replay::{EntityReplay, ReplayMoment};
use model::definition::{Stream, StreamClock};

use crate::history::{HistoryReader, HistorySource, SourceHistory};

/// Arrivals are written by several connections at once: so much later than an event in front of it may one be that comes next, in ms.
const ARRIVAL_SPREAD_MS: i64 = 60_000;

/// Why a read cannot be computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unverifiable {
    /// It saw changes of before history began, or of while it was off.
    BeforeHistory,
    /// It saw changes that history lost.
    Gap,
    /// It saw changes that were dropped for their age or number.
    Dropped,
    /// It saw changes that history has not come to yet.
    NotReached,
}

impl Unverifiable {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeHistory => "before history began, or while it was off",
            Self::Gap => "in a gap of history",
            Self::Dropped => "dropped from history for age or size",
            Self::NotReached => "not in history yet: it is written once a minute",
        }
    }

    /// For programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BeforeHistory => "before_history",
            Self::Gap => "gap",
            Self::Dropped => "dropped",
            Self::NotReached => "not_reached",
        }
    }
}

impl fmt::Display for Unverifiable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Records after `after` up to `to` are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Missing {
    after: Lsn,
    to: Lsn,
    why: Unverifiable,
    /// All events in them had happened by then, in ms; `None`: nothing is known of them.
    until_ms: Option<i64>,
}

/// What is missing of the changes of one group.
#[derive(Debug)]
pub(super) struct Coverage {
    /// The group's definition: it had no change before.
    defined: Lsn,
    position: Lsn,
    missing: Vec<Missing>,
}

impl Coverage {
    /// Of a row group.
    pub(super) fn of_rows(reader: &HistoryReader, defined: Lsn, group: &str) -> Self {
        let mut coverage = Self { defined, position: reader.position(), missing: Vec::new() };
        coverage.add(reader, &HistorySource::Group(group.to_owned()), None);
        coverage
    }

    /// Of a window group: the events of its stream, and its own deletes.
    pub(super) fn of_windows(
        reader: &HistoryReader,
        defined: Lsn,
        group: &str,
        stream: &Stream,
    ) -> Self {
        let mut coverage = Self { defined, position: reader.position(), missing: Vec::new() };
        let skew_ms = match stream.clock {
            StreamClock::Wall => stream.max_skew_ms,
            StreamClock::Event => 0,
        };
        let source = HistorySource::Stream(stream.name.to_string());
        let clock = reader.manifest().sources.get(&source);
        // The first arrival behind what is missing is later than all that is missing.
        let until_ms = |to: Lsn| {
            let next = clock?.files.iter().find(|file| file.first_lsn > to)?;
            Some(next.first_at_ms.saturating_add(skew_ms).saturating_add(ARRIVAL_SPREAD_MS))
        };
        coverage.add(reader, &source, Some(&until_ms));
        coverage.add(reader, &HistorySource::Group(group.to_owned()), Some(&until_ms));
        coverage
    }

    fn add(
        &mut self,
        reader: &HistoryReader,
        source: &HistorySource,
        until_ms: Option<&dyn Fn(Lsn) -> Option<i64>>,
    ) {
        let none = SourceHistory::default();
        let history = reader.manifest().sources.get(source).unwrap_or(&none);
        let mut add = |after: Lsn, to: Lsn, why: Unverifiable| {
            let until_ms = until_ms.and_then(|until_ms| until_ms(to));
            self.missing.push(Missing { after, to, why, until_ms });
        };
        let mut end = Lsn(0);
        for span in &history.spans {
            if !span.was_empty {
                add(end, span.from, Unverifiable::BeforeHistory);
            }
            end = span.to.unwrap_or(Lsn::MAX);
        }
        add(end, Lsn::MAX, Unverifiable::BeforeHistory);
        add(Lsn(0), history.dropped_to, Unverifiable::Dropped);
        for gap in reader.gaps() {
            add(Lsn(gap.first.0.saturating_sub(1)), gap.last, Unverifiable::Gap);
        }
    }

    /// Why a read that saw the changes up to `seen`, at `moment`, cannot be computed again; `None` when it can.
    pub(super) fn refuse(
        &self,
        entity: &EntityReplay<'_>,
        seen: Lsn,
        moment: &ReplayMoment,
    ) -> Option<Unverifiable> {
        if seen > self.position {
            return Some(Unverifiable::NotReached);
        }
        // Windows see nothing of before this time.
        let from_ms = entity.late_before(entity.floor_of(moment));
        let is_seen = |missing: &&Missing| {
            let is_before = missing.after.max(self.defined) < missing.to.min(seen);
            is_before && missing.until_ms.is_none_or(|until_ms| until_ms >= from_ms)
        };
        self.missing.iter().find(is_seen).map(|missing| missing.why)
    }
}
