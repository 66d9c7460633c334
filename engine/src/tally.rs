//! What became of events by stream and of rows by group, and how old the newest is: counted beside what it is about, kept while
//! definitions change around it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::{
    catalog::{Catalog, GroupRuntime},
    producer::Outcome,
    stats::StatValue,
};

/// What became of what was sent to one stream or row group since the database was opened.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    applied: AtomicU64,
    duplicate: AtomicU64,
    late: AtomicU64,
    rejected: AtomicU64,
}

impl Tally {
    pub(crate) fn count(&self, outcome: &Outcome) {
        let counts = [
            (&self.applied, outcome.applied),
            (&self.duplicate, outcome.duplicate),
            (&self.late, outcome.late),
            (&self.rejected, outcome.rejected),
        ];
        // Most writes have one outcome: the others are not touched.
        for (counter, more) in counts.into_iter().filter(|(_, more)| *more > 0) {
            counter.fetch_add(more.into(), Ordering::Relaxed);
        }
    }
}

/// Of a row group: what became of its rows, and the newest of their event times.
#[derive(Debug)]
pub(crate) struct RowsTally {
    rows: Tally,
    /// In ms; `i64::MIN` before the first row.
    newest: AtomicI64,
}

impl Default for RowsTally {
    fn default() -> Self {
        Self { rows: Tally::default(), newest: AtomicI64::new(i64::MIN) }
    }
}

impl RowsTally {
    /// Rows were put; `duplicate` are those with nothing newer than what is stored.
    pub(crate) fn count(&self, outcome: &Outcome) {
        self.rows.count(outcome);
    }

    /// Rows of these event times, in ms, were accepted, now or before a restart.
    pub(crate) fn arrived(&self, event_times: impl Iterator<Item = i64>) {
        if let Some(newest) = event_times.max() {
            self.newest.fetch_max(newest, Ordering::Relaxed);
        }
    }
}

/// Figures of every stream and group, by name; `wall_ms` is now.
pub(crate) fn stats(catalog: &Catalog, wall_ms: i64, list: &mut Vec<(String, StatValue)>) {
    let mut push = |name: String, value: u64| list.push((name, StatValue::Number(value)));
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for (stream, runtime) in catalog.definitions.streams.iter().zip(&catalog.streams) {
        let (name, tally) = (&stream.name, &runtime.state.tally);
        push(format!("stream_events_accepted_count.{name}"), read(&tally.applied));
        push(format!("stream_events_duplicate_count.{name}"), read(&tally.duplicate));
        push(format!("stream_events_late_count.{name}"), read(&tally.late));
        push(format!("stream_events_rejected_count.{name}"), read(&tally.rejected));
    }
    for (group, runtime) in catalog.definitions.groups.iter().zip(&catalog.groups) {
        let name = &group.name;
        let newest = match runtime {
            GroupRuntime::Rows(rows) => {
                let tally = &rows.tally.rows;
                push(format!("group_rows_put_count.{name}"), read(&tally.applied));
                push(format!("group_rows_stale_count.{name}"), read(&tally.duplicate));
                push(format!("group_rows_rejected_count.{name}"), read(&tally.rejected));
                let newest = rows.tally.newest.load(Ordering::Relaxed);
                Some(newest).filter(|newest| *newest != i64::MIN)
            }
            GroupRuntime::Windows(windows) => {
                let stream = catalog.streams.get(windows.stream);
                stream.and_then(|stream| stream.state.newest())
            }
        };
        if let Some(newest) = newest {
            // What is ahead of the clock is of now.
            let age_ms = u64::try_from(wall_ms.saturating_sub(newest)).unwrap_or(0);
            push(format!("group_newest_age_ms.{name}"), age_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_row_is_the_one_with_the_latest_event_time_whenever_it_came() {
        let tally = RowsTally::default();
        tally.arrived([].into_iter());
        assert_eq!(tally.newest.load(Ordering::Relaxed), i64::MIN, "none came");
        tally.arrived([3, -7].into_iter());
        tally.arrived([2].into_iter());
        assert_eq!(tally.newest.load(Ordering::Relaxed), 3);
    }
}
