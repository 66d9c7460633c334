//! Reads: a plan compiled once per service, then columns filled entity by entity.
//!
//! One shared lock per entity: its rows and windows are seen as they are at one moment. Derived features are computed
//! from what was read, after the lock is gone.

mod derived;
mod dump;
pub(crate) mod group;
mod plan;
mod scan;
mod trace;

use model::{column::Column, key, limits::BATCH_MAX};
use storage::Vfs;

pub use dump::{Dump, DumpChunk};
pub(crate) use plan::GroupRead;
pub use plan::ReadPlan;
pub use scan::{ScanCursor, ScanPage};
pub use trace::{ReadTrace, VectorTrace};

use crate::{Database, Error, catalog::Catalog, shard::shard_of};
use group::GroupMoment;
use trace::Tracing;

/// When a read looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// The time asked about, in ms; `None` is now: of the server for rows, of its stream for a window group.
    pub as_of: Option<i64>,
    /// Events exactly at the as-of do not count: the row being scored is itself an event.
    pub exclusive: bool,
    /// An as-of before the floor is answered at or below the floor instead of refused, as `docs/semantics.md` says.
    pub snap: bool,
    /// Also return event times of groups and starts of windows.
    pub times: bool,
}

/// Entities to read.
#[derive(Debug, Clone, Copy)]
pub struct ReadRequest<'a> {
    /// Canonical keys: for every vector one for each entity of the plan, in plan order.
    pub keys: &'a [&'a [u8]],
    /// Packed rows of the service's request values: none, one for all vectors, or one for each.
    pub request_rows: &'a [&'a [u8]],
    /// When to look.
    pub options: ReadOptions,
}

/// Feature vectors, column by column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vectors {
    /// The as-of that was used, in ms.
    pub as_of: i64,
    /// True when a window was read at a tile edge instead of the as-of asked for.
    pub snapped: bool,
    /// Stored columns, then derived ones; one row for each vector.
    pub columns: Vec<Column>,
    /// For each group of the plan the event time of each vector's row, `i64::MIN` for none; empty unless asked for.
    pub group_times: Vec<Vec<i64>>,
    /// For each column the start of its window in ms, `i64::MIN` for other columns; empty unless asked for.
    pub window_starts: Vec<i64>,
}

impl<V: Vfs> Database<V> {
    /// Reads one vector for each tuple of keys.
    ///
    /// # Errors
    /// [`Error::StalePlan`] when definitions changed, [`Error::AsOfTooOld`], [`Error::Invalid`] for wrong keys or request
    /// values.
    pub fn read(&self, plan: &ReadPlan, request: &ReadRequest<'_>) -> Result<Vectors, Error> {
        let mut out = Vectors::default();
        self.read_into(plan, request, &[], &mut out)?;
        Ok(out)
    }

    /// As [`Database::read`]; also tells what was seen, as [`Database::read_into`].
    ///
    /// # Errors
    /// As [`Database::read`].
    pub fn read_traced(
        &self,
        plan: &ReadPlan,
        request: &ReadRequest<'_>,
        traced: &[usize],
    ) -> Result<(Vectors, ReadTrace), Error> {
        let mut out = Vectors::default();
        let trace = self.read_into(plan, request, traced, &mut out)?;
        Ok((out, trace))
    }

    /// As [`Database::read`], into `out`, whose memory is used again: whoever reads often allocates once. Also tells what was seen of
    /// the vectors at the places `traced`, which ascend. After an error `out` has anything.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub fn read_into(
        &self,
        plan: &ReadPlan,
        request: &ReadRequest<'_>,
        traced: &[usize],
        out: &mut Vectors,
    ) -> Result<ReadTrace, Error> {
        let catalog = self.catalog.read();
        plan.check(&catalog)?;
        let vectors = plan.vector_count(request.keys.len())?;
        if vectors > BATCH_MAX {
            let allowed = format!("at most {BATCH_MAX} in one request: send several");
            let given = format!("{vectors} entities");
            return Err(Error::Invalid(model::Error::invalid("batch", given, allowed)));
        }
        plan.check_size(vectors)?;
        let mut reading = Reading::start(self, &catalog, plan, (request.options, traced), out)?;
        reading.room(plan, vectors);
        let width = plan.entities().len();
        for vector in 0..vectors {
            let tuple = request.keys.get(vector * width..(vector + 1) * width).unwrap_or_default();
            let is_traced = reading.tracing.wants(vector);
            for (entity, key) in tuple.iter().enumerate() {
                key::validate(key, plan.key_types(entity))
                    .map_err(|error| plan.blame(entity, error))?;
                reading.entity(entity, key, is_traced)?;
            }
            if is_traced {
                reading.traced(vector);
            }
        }
        plan.derive(&mut reading.out.columns, request.request_rows, vectors)?;
        self.counters.reads(vectors);
        reading.finish();
        Ok(reading.trace())
    }
}

/// One read in progress.
struct Reading<'a, V: Vfs> {
    database: &'a Database<V>,
    catalog: &'a Catalog,
    options: ReadOptions,
    wall_ms: i64,
    moments: Vec<GroupMoment<'a>>,
    out: &'a mut Vectors,
    tracing: Tracing<'a>,
}

impl<'a, V: Vfs> Reading<'a, V> {
    fn start(
        database: &'a Database<V>,
        catalog: &'a Catalog,
        plan: &'a ReadPlan,
        (options, traced): (ReadOptions, &'a [usize]),
        out: &'a mut Vectors,
    ) -> Result<Self, Error> {
        let wall_ms = database.clock.wall_ms();
        let moment = |group| GroupMoment::new(catalog, group, &options, wall_ms);
        let moments: Vec<_> = plan.groups().map(moment).collect::<Result<_, _>>()?;
        Ok(Self {
            database,
            catalog,
            options,
            wall_ms,
            moments,
            out,
            tracing: Tracing::new(traced),
        })
    }

    /// Makes room for so many rows.
    fn room(&mut self, plan: &ReadPlan, rows: usize) {
        plan.reset_columns(&mut self.out.columns, rows);
        let times = if self.options.times { self.moments.len() } else { 0 };
        self.out.group_times.clear();
        self.out.group_times.resize_with(times, || Vec::with_capacity(rows));
    }

    /// Appends one row to every column that `entity` of the plan gives.
    fn entity(&mut self, entity: usize, key: &[u8], is_traced: bool) -> Result<(), Error> {
        let hash = self.database.shards.hasher().hash(key);
        let shard = self.database.shards.read(shard_of(hash));
        for (index, moment) in self.moments.iter_mut().enumerate() {
            if moment.entity() != entity {
                continue;
            }
            moment.keep_up(self.catalog, &self.options, self.wall_ms)?;
            let time = moment.read(&shard, hash, key, &mut self.out.columns)?;
            if let Some(times) = self.out.group_times.get_mut(index) {
                times.push(time.unwrap_or(i64::MIN));
            }
        }
        if is_traced {
            self.sees();
        }
        drop(shard);
        Ok(())
    }

    /// Says when was looked.
    fn finish(&mut self) {
        let out = &mut *self.out;
        out.window_starts.clear();
        if self.options.times {
            out.window_starts.resize(out.columns.len(), i64::MIN);
            self.moments.iter().for_each(|moment| moment.window_starts(&mut out.window_starts));
        }
        let seen = self.moments.iter().filter_map(GroupMoment::own_as_of).max();
        out.as_of = seen.or(self.options.as_of).unwrap_or(self.wall_ms);
        out.snapped = self.moments.iter().any(GroupMoment::is_snapped);
    }
}
