//! Reading one group: rows with their ages, windows at their moment.

use aggregate::{EntityView, Overflow, ReadAt, ReadScratch, WindowPlan};
use model::{
    definition::{Stream, StreamClock},
    status::Status,
    value::ValueRef,
};

use super::{ReadOptions, plan::GroupRead, row::read_row, sink::Sink};
use crate::{
    Error,
    catalog::{Catalog, GroupRuntime, RowsRuntime, StreamRuntime, WindowsRuntime},
    replay::ReplayMoment,
    shard::Shard,
};

/// A group of a plan at the moment of one read.
pub(crate) struct GroupMoment<'a> {
    read: &'a GroupRead,
    kind: Kind<'a>,
}

/// What a moment needs memory for; of windows only.
#[derive(Debug, Default)]
pub(crate) struct MomentSpace {
    /// Of each selected column, whether its window reaches back before observation began; empty where none does.
    partial: Vec<bool>,
    scratch: ReadScratch,
}

/// Memory of moments that are over: boxes go from here into moments and back, without what they hold being moved.
pub(crate) type Spaces = Vec<Box<MomentSpace>>;

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
        /// Boxed: a moment of rows needs none, and all moments of a read stand in one short list.
        space: Box<MomentSpace>,
    },
}

impl<'a> GroupMoment<'a> {
    /// Decides at which times the group is read. Windows need memory, which `space` gives.
    pub(crate) fn new(
        catalog: &'a Catalog,
        read: &'a GroupRead,
        options: &ReadOptions,
        wall_ms: i64,
        space: impl FnOnce() -> Box<MomentSpace>,
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
                let since = windows.observed_since();
                let mut space = space();
                space.fill(read, &windows.plan, at, since);
                Kind::Windows { windows, stream: (stream, runtime), as_of, at, since, space }
            }
            None => return Err(Error::Internal(format!("no group has index {}", read.group))),
        };
        Ok(Self { read, kind })
    }

    /// Its memory.
    pub(crate) fn into_space(self) -> Option<Box<MomentSpace>> {
        match self.kind {
            Kind::Windows { space, .. } => Some(space),
            Kind::Rows { .. } => None,
        }
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
        let Kind::Windows { stream: (stream, runtime), as_of, at, space, .. } = &mut self.kind
        else {
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
            let space = std::mem::take(space);
            *self = Self::new(catalog, self.read, options, wall_ms, || space)?;
        }
        Ok(())
    }

    /// True when windows are read at a tile edge.
    pub(crate) fn is_snapped(&self) -> bool {
        matches!(self.kind, Kind::Windows { at: ReadAt::Snapped { .. }, .. })
    }

    /// Writes the start of each window into its column's place.
    pub(crate) fn window_starts(&self, out: &mut [i64]) {
        if let Kind::Windows { windows, at, .. } = &self.kind {
            for (output, column) in self.read.outputs.iter().zip(&self.read.columns) {
                if let Some(place) = out.get_mut(*output) {
                    *place = start(&windows.plan, *column, *at);
                }
            }
        }
    }

    /// Gives an entity's values to `sink`; returns the newest event time of a row group's values that are served.
    pub(crate) fn read<S: Sink + ?Sized>(
        &mut self,
        shard: &Shard,
        hash: u64,
        key: &[u8],
        sink: &mut S,
    ) -> Result<Option<i64>, Error> {
        match &mut self.kind {
            Kind::Rows { rows, as_of, is_past } => {
                let table = shard.rows(self.read.group);
                let row = table.map_or(Ok(None), |table| table.get(hash, key))?;
                let read = (self.read, self.read.outputs.as_slice());
                Ok(read_row(read, rows, (*as_of, *is_past), row.as_ref(), sink))
            }
            Kind::Windows { windows, at, space, .. } => {
                let table = shard.windows(self.read.group);
                let state = table.map_or(Ok(None), |table| table.get(&windows.plan, hash, key))?;
                let read = (self.read, self.read.outputs.as_slice());
                let MomentSpace { partial, scratch } = &mut **space;
                let at = (*at, partial.as_slice());
                read_windows(read, &windows.plan, state.unwrap_or_default(), at, scratch, sink);
                Ok(None)
            }
        }
    }
}

impl MomentSpace {
    /// Notes which windows are partial.
    fn fill(&mut self, read: &GroupRead, plan: &WindowPlan, at: ReadAt, observed_since: i64) {
        self.partial.clear();
        if let (ReadAt::Exact { x }, Some(selection)) = (at, &read.selection) {
            // There are fewer windows than columns, and mostly none is.
            let mut starts = selection.window_starts(plan, x);
            if !starts.any(|start| is_partial(start, observed_since)) {
                return;
            }
        }
        let starts = read.columns.iter().map(|column| start(plan, *column, at));
        self.partial.extend(starts.map(|start| is_partial(start, observed_since)));
    }
}

/// Gives the values of an entity's windows at their moment, and with it which of them are partial, to `sink`, under the columns that
/// `outputs` lists.
pub(crate) fn read_windows<S: Sink + ?Sized>(
    (read, outputs): (&GroupRead, &[usize]),
    plan: &WindowPlan,
    state: EntityView<'_>,
    (at, partial): (ReadAt, &[bool]),
    scratch: &mut ReadScratch,
    sink: &mut S,
) {
    let Some(selection) = &read.selection else { return };
    let is_partial = |position| partial.get(position) == Some(&true);
    if let (ReadAt::Exact { x }, true) = (at, selection.is_of_numbers()) {
        state.read_numbers(plan, selection, x, scratch, |position, word| {
            let Some(output) = outputs.get(position).copied() else { return };
            match word {
                Ok(Some(word)) => sink.cell(output, status_of(is_partial(position)), &word),
                Ok(None) => sink.empty(output, Status::Null),
                Err(Overflow) => sink.empty(output, Status::Error),
            }
        });
        return;
    }
    state.read(plan, selection, at, scratch, &mut |position, value| {
        if let Some(output) = outputs.get(position) {
            put_value(sink, *output, is_partial(position), value);
        }
    });
}

/// Gives the value of a window to `sink`, as it is or why there is none.
#[inline]
pub(crate) fn put_value<S: Sink + ?Sized>(
    sink: &mut S,
    column: usize,
    is_partial: bool,
    value: Result<Option<ValueRef<'_>>, Overflow>,
) {
    match value {
        Ok(Some(value)) => sink.value(column, status_of(is_partial), value),
        Ok(None) => sink.empty(column, Status::Null),
        Err(Overflow) => sink.empty(column, Status::Error),
    }
}

/// The status of a value.
#[inline]
fn status_of(is_partial: bool) -> Status {
    if is_partial { Status::Partial } else { Status::Present }
}

/// True when a window that starts at `start` reaches back before observation began. One over everything has no start before
/// which something could be missing.
#[inline]
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
