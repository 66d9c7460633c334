//! Reading one group: rows with their ages, windows at their moment.

use aggregate::{EntityView, Overflow, ReadAt, ReadScratch, WindowPlan};
use model::{
    column::Column,
    definition::{Stream, StreamClock},
    status::Status,
    value::ValueRef,
};

use super::{ReadOptions, plan::GroupRead};
use crate::{
    Error,
    catalog::{Catalog, GroupRuntime, RowsRuntime, StreamRuntime, WindowsRuntime},
    replay::ReplayMoment,
    rows::Slot,
    shard::Shard,
};

/// A group of a plan at the moment of one read.
pub(crate) struct GroupMoment<'a> {
    read: &'a GroupRead,
    kind: Kind<'a>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "one for each group of a read, kept in a list: a box would cost an allocation a read"
)]
enum Kind<'a> {
    Rows {
        rows: &'a RowsRuntime,
        /// When ages are measured.
        as_of: i64,
        /// Values that came after the as-of are withheld: they were not known then. Without an as-of the newest is served,
        /// even when its writer's clock is ahead of ours.
        is_past: bool,
    },
    Windows {
        windows: &'a WindowsRuntime,
        stream: (&'a Stream, &'a StreamRuntime),
        as_of: i64,
        at: ReadAt,
        /// Since when events are observed, as it was known when the read began, in ms.
        since: i64,
        /// Start of each selected column's window, in ms.
        starts: Vec<i64>,
        /// Of each selected column, whether its window reaches back before observation began.
        partial: Vec<bool>,
        scratch: ReadScratch,
    },
}

impl<'a> GroupMoment<'a> {
    /// Decides at which times the group is read.
    pub(crate) fn new(
        catalog: &'a Catalog,
        read: &'a GroupRead,
        options: &ReadOptions,
        wall_ms: i64,
    ) -> Result<Self, Error> {
        let kind = match catalog.groups.get(read.group) {
            Some(GroupRuntime::Rows(rows)) => {
                let as_of = options.as_of.unwrap_or(wall_ms);
                Kind::Rows { rows, as_of, is_past: options.as_of.is_some() }
            }
            Some(GroupRuntime::Windows(windows)) => {
                let (stream, runtime) = catalog.stream(windows.stream)?;
                // Before the first event of an event clock there is nothing to see at any time.
                let now = runtime.state.now(stream, wall_ms).unwrap_or(0);
                let floor = now.saturating_sub(stream.horizon_ms);
                let as_of = options.as_of.unwrap_or(now);
                if as_of < floor && !options.snap {
                    return Err(Error::AsOfTooOld { as_of, floor });
                }
                let x = if options.exclusive { as_of } else { as_of.saturating_add(1) };
                let at =
                    if as_of < floor { ReadAt::Snapped { x, now } } else { ReadAt::Exact { x } };
                let starts: Vec<_> =
                    read.columns.iter().map(|column| start(&windows.plan, *column, at)).collect();
                let since = windows.observed_since();
                let partial = starts.iter().map(|start| is_partial(*start, since)).collect();
                let scratch = ReadScratch::default();
                Kind::Windows {
                    windows,
                    stream: (stream, runtime),
                    as_of,
                    at,
                    since,
                    starts,
                    partial,
                    scratch,
                }
            }
            None => return Err(Error::Internal(format!("no group has index {}", read.group))),
        };
        Ok(Self { read, kind })
    }

    /// Position of the group's entity in the plan.
    pub(crate) fn entity(&self) -> usize {
        self.read.entity
    }

    /// The as-of of windows that are not read at the time of the request, in ms: at the now of an event clock, or snapped (then
    /// it is the floor, which no window is read after).
    pub(crate) fn own_as_of(&self) -> Option<i64> {
        match &self.kind {
            Kind::Windows { stream: (stream, _), at: ReadAt::Snapped { now, .. }, .. } => {
                Some(now.saturating_sub(stream.horizon_ms))
            }
            Kind::Windows { stream: (stream, _), as_of, .. } => {
                (stream.clock == StreamClock::Event).then_some(*as_of)
            }
            Kind::Rows { .. } => None,
        }
    }

    /// The same moment for a replay.
    pub(crate) fn replayed(&self, exclusive: bool) -> ReplayMoment {
        match &self.kind {
            Kind::Rows { as_of, is_past, .. } => {
                let moment = ReplayMoment::at(*as_of, exclusive, i64::MIN);
                ReplayMoment { is_past: *is_past, ..moment }
            }
            Kind::Windows { as_of, at, since, .. } => {
                let snapped_at = match at {
                    ReadAt::Snapped { now, .. } => Some(*now),
                    ReadAt::Exact { .. } => None,
                };
                ReplayMoment { snapped_at, ..ReplayMoment::at(*as_of, exclusive, *since) }
            }
        }
    }

    /// Moves on with an event clock that has gone so far since the read began that events after its as-of may have been folded.
    /// To be called under the shard's lock: the clock moves before events are applied.
    ///
    /// # Errors
    /// [`Error::AsOfTooOld`] when the reader asked for that very time.
    pub(crate) fn keep_up(
        &mut self,
        catalog: &'a Catalog,
        options: &ReadOptions,
        wall_ms: i64,
    ) -> Result<(), Error> {
        let Kind::Windows { stream: (stream, runtime), as_of, at, .. } = &self.kind else {
            return Ok(());
        };
        // Whatever the wall clock says: what counts is the latest now that something was folded under.
        let Some(now) = runtime.state.now(stream, i64::MIN) else { return Ok(()) };
        let floor = now.saturating_sub(stream.horizon_ms);
        let passed = match at {
            ReadAt::Exact { .. } => *as_of < floor,
            ReadAt::Snapped { now: then, .. } => *then < now,
        };
        if passed {
            *self = Self::new(catalog, self.read, options, wall_ms)?;
        }
        Ok(())
    }

    /// True when windows are read at a tile edge.
    pub(crate) fn is_snapped(&self) -> bool {
        matches!(self.kind, Kind::Windows { at: ReadAt::Snapped { .. }, .. })
    }

    /// Writes the start of each window into its column's place.
    pub(crate) fn window_starts(&self, out: &mut [i64]) {
        if let Kind::Windows { starts, .. } = &self.kind {
            for (output, start) in self.read.outputs.iter().zip(starts) {
                if let Some(place) = out.get_mut(*output) {
                    *place = *start;
                }
            }
        }
    }

    /// Appends one row to each of the group's columns; returns the newest event time of a row group's values that are served.
    pub(crate) fn read(
        &mut self,
        shard: &Shard,
        hash: u64,
        key: &[u8],
        columns: &mut [Column],
    ) -> Result<Option<i64>, Error> {
        match &mut self.kind {
            Kind::Rows { rows, as_of, is_past } => {
                let table = shard.rows(self.read.group);
                let row = table.map_or(Ok(None), |table| table.get(hash, key))?;
                let read = (self.read, self.read.outputs.as_slice());
                read_row(read, rows, (*as_of, *is_past), row.as_ref(), columns)
            }
            Kind::Windows { windows, at, partial, scratch, .. } => {
                let table = shard.windows(self.read.group);
                let state = table.map_or(Ok(None), |table| table.get(&windows.plan, hash, key))?;
                let read = (self.read, self.read.outputs.as_slice());
                let at = (*at, partial.as_slice());
                read_windows(read, &windows.plan, state.unwrap_or_default(), at, scratch, columns);
                Ok(None)
            }
        }
    }
}

/// Appends the values of an entity's windows at their moment, and with it which of them are partial, to the columns whose places
/// `outputs` lists.
pub(crate) fn read_windows(
    (read, outputs): (&GroupRead, &[usize]),
    plan: &WindowPlan,
    state: EntityView<'_>,
    (at, partial): (ReadAt, &[bool]),
    scratch: &mut ReadScratch,
    columns: &mut [Column],
) {
    let Some(selection) = &read.selection else { return };
    state.read(plan, selection, at, scratch, &mut |position, value| {
        let column = outputs.get(position).and_then(|output| columns.get_mut(*output));
        let Some(column) = column else { return };
        put_value(column, partial.get(position) == Some(&true), value);
    });
}

/// Appends the value of a window, as it is or why there is none.
#[inline]
pub(crate) fn put_value(
    column: &mut Column,
    is_partial: bool,
    value: Result<Option<ValueRef<'_>>, Overflow>,
) {
    match value {
        Ok(Some(value)) if is_partial => column.push(Status::Partial, value),
        Ok(Some(value)) => column.push(Status::Present, value),
        Ok(None) => column.push_empty(Status::Null),
        Err(_) => column.push_empty(Status::Error),
    }
}

/// True when a window that starts at `start` reaches back before observation began. One over everything has no start before
/// which something could be missing.
pub(crate) fn is_partial(start: i64, observed_since: i64) -> bool {
    start != i64::MIN && start < observed_since
}

/// Where the window of a column starts.
pub(crate) fn start(plan: &WindowPlan, column: usize, at: ReadAt) -> i64 {
    match at {
        ReadAt::Exact { x } => plan.window_start(column, x),
        ReadAt::Snapped { x, now } => plan.window_start(column, plan.snap_x(column, x, now)),
    }
}

/// Appends the features of an entity's row at an as-of to the columns whose places `outputs` lists; returns the newest event time
/// of those that are served.
pub(crate) fn read_row(
    (read, outputs): (&GroupRead, &[usize]),
    rows: &RowsRuntime,
    (as_of, is_past): (i64, bool),
    row: Option<&Slot<'_>>,
    columns: &mut [Column],
) -> Result<Option<i64>, Error> {
    let mut newest = None;
    let withheld = |time| withheld(rows, as_of.saturating_sub(time), is_past);
    // Nearly all rows were written whole: what their one time means is looked at once.
    let whole = row.and_then(Slot::one_time).map(|time| (time, withheld(time)));
    for (feature, output) in read.columns.iter().copied().zip(outputs) {
        let Some(column) = columns.get_mut(*output) else { continue };
        let state = row.map_or(0, |row| row.state(feature));
        let Some(row) = row.filter(|_| state != 0) else {
            column.push_empty(Status::NotFound);
            continue;
        };
        let (time, withheld) = whole.unwrap_or_else(|| {
            let time = row.time_of(feature);
            (time, withheld(time))
        });
        if let Some(why) = withheld {
            column.push_empty(why);
            continue;
        }
        newest = newest.max(Some(time));
        if state == 1 {
            column.push_empty(Status::Null);
        } else {
            column.push_cell(Status::Present, row.cell(feature));
        }
    }
    Ok(newest)
}

/// Why a value of this age, in ms, is not served, if so: at an as-of in the past it was not known yet, or it is too old.
fn withheld(rows: &RowsRuntime, age: i64, is_past: bool) -> Option<Status> {
    if is_past && age < 0 {
        return Some(Status::NotFound);
    }
    rows.max_age_ms.is_some_and(|max| age > max).then_some(Status::Expired)
}
