//! One entity of one group: its changes in order, and between them the values that a read sees.
//!
//! ```text
//! change change ─► read ─► change ─► read ─► forget ─► the next entity
//! ```
//!
//! A window state must know how far it may fold events away, which is `now − horizon` for a server, since no read asks about an
//! earlier time. Here the reads to come are known: nothing before the earliest time they ask about is needed event by event. Where
//! events are kept shows in no value, so the values are the server's.

use aggregate::{EntitySweep, EntityWindows, ReadAt, ReadScratch, StoredEvent, WindowPlan};
use model::{
    column::Column,
    definition::{GroupKind, WindowGroup},
    packed_row::{self, Cell},
    status::Status,
    value::DataType,
};
use stdx::hash::KeyHasher;

use crate::{
    Error,
    catalog::{Catalog, GroupRuntime, RowsRuntime},
    read::{
        GroupRead,
        group::{is_partial, read_windows, start},
        row::read_row,
    },
    rows::RowTable,
};

/// When a read looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayMoment {
    /// The as-of in ms, and whether events exactly at it do not count.
    pub as_of: i64,
    /// Events exactly at the as-of do not count.
    pub exclusive: bool,
    /// False for a read without an as-of: it sees the newest row, even when its time is ahead of the server's clock.
    pub is_past: bool,
    /// The stream's now, in ms, for a read that was snapped because its as-of lies before the floor.
    pub snapped_at: Option<i64>,
    /// Since when the group is observed, in ms: a window that starts before is partial.
    pub observed_since: i64,
}

impl ReplayMoment {
    /// A read at `as_of`, in ms.
    #[must_use]
    pub fn at(as_of: i64, exclusive: bool, observed_since: i64) -> Self {
        Self { as_of, exclusive, is_past: true, snapped_at: None, observed_since }
    }

    /// Events before this time are seen, in ms.
    #[must_use]
    pub fn x(&self) -> i64 {
        if self.exclusive { self.as_of } else { self.as_of.saturating_add(1) }
    }

    fn read_at(&self) -> ReadAt {
        let x = self.x();
        self.snapped_at.map_or(ReadAt::Exact { x }, |now| ReadAt::Snapped { x, now })
    }
}

/// The current entity of one group.
#[derive(Debug)]
pub struct EntityReplay<'p> {
    read: &'p GroupRead,
    /// Places of the group's columns among themselves.
    outputs: Vec<usize>,
    types: Vec<DataType>,
    kind: Kind<'p>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each thread")]
enum Kind<'p> {
    Windows {
        plan: &'p WindowPlan,
        horizon_ms: i64,
        state: EntityWindows,
        scratch: ReadScratch,
        /// One column of each window that is read.
        windows: Vec<usize>,
        partial: Vec<bool>,
    },
    /// The same where everything comes in the order of time.
    Sweep {
        plan: &'p WindowPlan,
        horizon_ms: i64,
        sweep: EntitySweep<'p>,
    },
    Rows {
        rows: &'p RowsRuntime,
        table: RowTable,
        hasher: KeyHasher,
    },
}

/// The one key in a table of one row.
const ROW: &[u8] = b"row";

impl<'p> EntityReplay<'p> {
    pub(super) fn new(catalog: &'p Catalog, read: &'p GroupRead) -> Result<Self, Error> {
        let missing = || Error::Internal(format!("no group has index {}", read.group));
        let group = catalog.definitions.groups.get(read.group).ok_or_else(missing)?;
        let columns = group.columns();
        let types = read.columns.iter().filter_map(|column| columns.get(*column));
        let types = types.map(|field| field.data_type).collect();
        let kind = match (catalog.groups.get(read.group), &group.kind) {
            (Some(GroupRuntime::Windows(runtime)), GroupKind::Windows(windows)) => Kind::Windows {
                plan: &runtime.plan,
                horizon_ms: catalog.stream(runtime.stream)?.0.horizon_ms,
                state: EntityWindows::default(),
                scratch: ReadScratch::default(),
                windows: one_of_each(windows, &read.columns),
                partial: vec![false; read.columns.len()],
            },
            (Some(GroupRuntime::Rows(rows)), _) => Kind::Rows {
                rows,
                table: RowTable::new(rows.layout.as_ref().clone()),
                hasher: KeyHasher::new(0),
            },
            _ => return Err(missing()),
        };
        Ok(Self { read, outputs: (0..read.columns.len()).collect(), types, kind })
    }

    /// From here on an entity's events come in the order of their times, each before it is seen by the read that follows, and its
    /// reads in the order of theirs; nothing is retracted or snapped. Where windows can be swept then, they are: the values are
    /// the same, for much less.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        let Kind::Windows { plan, horizon_ms, .. } = self.kind else { return self };
        let selection = self.read.selection.as_ref();
        if let Some(sweep) = selection.and_then(|selection| EntitySweep::new(plan, selection)) {
            self.kind = Kind::Sweep { plan, horizon_ms, sweep };
        }
        self
    }

    /// Columns for the values of `rows` reads.
    #[must_use]
    pub fn columns(&self, rows: usize) -> Vec<Column> {
        self.types.iter().map(|data_type| Column::new(*data_type, rows)).collect()
    }

    /// The earliest time for which a read at `moment` needs every event by itself, in ms.
    #[must_use]
    pub fn floor_of(&self, moment: &ReplayMoment) -> i64 {
        match (&self.kind, moment.snapped_at) {
            (Kind::Windows { horizon_ms, .. }, Some(now)) => now.saturating_sub(*horizon_ms),
            _ => moment.x(),
        }
    }

    /// Adds an accepted event to a window group. `floor` is the least [`EntityReplay::floor_of`] of all reads of this entity that
    /// are still to come; where events are retracted later, at most the stream's now at this event less its horizon.
    pub fn update(&mut self, event: StoredEvent<'_>, floor: i64) {
        match &mut self.kind {
            Kind::Windows { plan, horizon_ms, state, .. } => {
                state.update_stored(plan, event, floor.saturating_add(*horizon_ms));
            }
            Kind::Sweep { sweep, .. } => sweep.push(event),
            Kind::Rows { .. } => {}
        }
    }

    /// Events before this time are seen by no read whose floor is `floor` or later: they need not be added.
    #[must_use]
    pub fn late_before(&self, floor: i64) -> i64 {
        match &self.kind {
            Kind::Windows { plan, horizon_ms, .. } | Kind::Sweep { plan, horizon_ms, .. } => {
                plan.late_before(floor.saturating_add(*horizon_ms))
            }
            Kind::Rows { .. } => i64::MIN,
        }
    }

    /// Takes back the events of this time, in ms, and this id; how many there were.
    pub fn retract(&mut self, time: i64, id: &[u8]) -> usize {
        match &mut self.kind {
            Kind::Windows { plan, state, .. } => state.retract(plan, time, id),
            Kind::Sweep { .. } | Kind::Rows { .. } => 0,
        }
    }

    /// Puts a row of a row group, packed with the first `features` of its features, with its event time in ms.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the bytes are no such row.
    pub fn put(&mut self, event_time: i64, features: usize, row: &[u8]) -> Result<(), Error> {
        if let Kind::Rows { rows, table, hasher } = &mut self.kind {
            let types = rows.layout.types();
            let cells: Vec<Cell<'_>> =
                packed_row::read_row(row, types.get(..features).unwrap_or(types))?;
            table.put(hasher, ROW, event_time, &cells);
        }
        Ok(())
    }

    /// Forgets the entity, as a delete does; also to begin with the next one.
    pub fn forget(&mut self) {
        match &mut self.kind {
            Kind::Windows { state, .. } => *state = EntityWindows::default(),
            Kind::Sweep { sweep, .. } => sweep.clear(),
            Kind::Rows { table, hasher, .. } => _ = table.delete(hasher, ROW),
        }
    }

    /// Appends what a read at `moment` sees to `columns`, as [`EntityReplay::columns`] made them. True when some window starts
    /// before the group was observed.
    ///
    /// # Errors
    /// [`Error::Storage`] never, since nothing is stored.
    pub fn read(&mut self, moment: &ReplayMoment, columns: &mut [Column]) -> Result<bool, Error> {
        let read = (self.read, self.outputs.as_slice());
        match &mut self.kind {
            Kind::Windows { plan, state, scratch, windows, partial, .. } => {
                let (at, since) = (moment.read_at(), moment.observed_since);
                let starts_before = |column: &usize| is_partial(start(plan, *column, at), since);
                // Of a read that snaps, each column may have a start of its own.
                let is_incomplete =
                    moment.snapped_at.is_some() || windows.iter().any(starts_before);
                for (partial, column) in partial.iter_mut().zip(&self.read.columns) {
                    *partial = is_incomplete && starts_before(column);
                }
                let is_incomplete = is_incomplete && partial.contains(&true);
                read_windows(read, plan, state.view(), (at, partial), scratch, columns);
                Ok(is_incomplete)
            }
            Kind::Sweep { sweep, .. } => {
                let mut is_incomplete = false;
                sweep.read(moment.x(), |position, start, value| {
                    let is_partial = is_partial(start, moment.observed_since);
                    is_incomplete |= is_partial;
                    let Some(column) = columns.get_mut(position) else { return };
                    match value {
                        Ok(Some(word)) if is_partial => column.push_word(Status::Partial, word),
                        Ok(Some(word)) => column.push_word(Status::Present, word),
                        Ok(None) => column.push_empty(Status::Null),
                        Err(_) => column.push_empty(Status::Error),
                    }
                });
                Ok(is_incomplete)
            }
            Kind::Rows { rows, table, hasher } => {
                let row = table.get(hasher.hash(ROW), ROW)?;
                let at = (moment.as_of, moment.is_past);
                read_row(read, rows, at, row.as_ref(), columns);
                Ok(false)
            }
        }
    }
}

/// Of `columns`, the first of each window.
fn one_of_each(group: &WindowGroup, columns: &[usize]) -> Vec<usize> {
    let mut first: Vec<(usize, usize)> = Vec::new();
    for column in columns {
        let Some(window) = group.columns.get(*column).map(|column| column.window) else { continue };
        if first.iter().all(|(known, _)| *known != window) {
            first.push((window, *column));
        }
    }
    first.into_iter().map(|(_, column)| column).collect()
}
