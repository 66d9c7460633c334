//! Reads: a plan compiled once per service, then columns filled entity by entity.
//!
//! An entity is read under the shared lock of its shard: its rows and windows are seen as they are at one moment. A batch goes from
//! shard to shard. Derived features are computed from what was read, after the locks are gone.

mod derived;
mod dump;
pub(crate) mod group;
mod order;
mod plan;
pub(crate) mod row;
mod scan;
pub(crate) mod sink;
mod trace;
mod warm;

use model::{columns::Columns, limits::BATCH_MAX};
use smallvec::SmallVec;
use storage::Vfs;

pub use dump::{Dump, DumpChunk};
pub(crate) use plan::GroupRead;
pub use plan::ReadPlan;
pub use scan::{ScanCursor, ScanPage};
pub use trace::{ReadTrace, VectorTrace};
pub use warm::LOOK_AHEAD_MAX;

use crate::{Database, Error, catalog::Catalog, shard::Shard};
use group::{GroupMoment, Spaces};
use order::{Guards, Lookup, TOGETHER_MAX, arrange};
use sink::RowOf;
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
    pub columns: Columns,
    /// For each group of the plan the event time of each vector's row, `i64::MIN` for none; empty unless asked for.
    pub group_times: Vec<Vec<i64>>,
    /// For each column the start of its window in ms, `i64::MIN` for other columns; empty unless asked for.
    pub window_starts: Vec<i64>,
}

/// What a read gave, and the memory of it: whoever keeps it for the next read makes that one allocate next to nothing.
#[derive(Debug, Default)]
pub struct ReadSpace {
    /// What the last read gave; anything after an error.
    pub vectors: Vectors,
    lookups: Vec<Lookup>,
    moments: Spaces,
}

impl ReadSpace {
    /// Bytes that are kept for the next read; without what windows are read with, which is little.
    #[must_use]
    pub fn allocated(&self) -> usize {
        self.vectors.columns.capacity() + self.lookups.capacity() * size_of::<Lookup>()
    }
}

impl<V: Vfs> Database<V> {
    /// Reads one vector for each tuple of keys.
    ///
    /// # Errors
    /// [`Error::StalePlan`] when definitions changed, [`Error::AsOfTooOld`], [`Error::Invalid`] for wrong keys or request
    /// values.
    pub fn read(&self, plan: &ReadPlan, request: &ReadRequest<'_>) -> Result<Vectors, Error> {
        let mut space = ReadSpace::default();
        self.read_into(plan, request, &[], &mut space)?;
        Ok(space.vectors)
    }

    /// As [`Database::read`], into `space`. Also tells what was seen of the vectors at the places `traced`, which ascend.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub fn read_into(
        &self,
        plan: &ReadPlan,
        request: &ReadRequest<'_>,
        traced: &[usize],
        space: &mut ReadSpace,
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
        plan.check_keys(request.keys)?;
        let mut reading = Reading::start(self, &catalog, plan, (request.options, traced), space)?;
        reading.room(plan, vectors);
        reading.entities(plan, request.keys)?;
        reading.vectors.columns.settle();
        plan.derive(&mut reading.vectors.columns, request.request_rows)?;
        self.check_whole()?;
        self.counters.reads(vectors);
        Ok(reading.finish())
    }
}

/// One read in progress.
struct Reading<'a, V: Vfs> {
    database: &'a Database<V>,
    catalog: &'a Catalog,
    options: ReadOptions,
    wall_ms: i64,
    /// Keys of a vector.
    width: usize,
    /// One for each group; most services read few.
    moments: SmallVec<[GroupMoment<'a>; 2]>,
    vectors: &'a mut Vectors,
    lookups: &'a mut Vec<Lookup>,
    /// Memory that moments have been made of, and are again.
    spaces: &'a mut Spaces,
    tracing: Tracing<'a>,
}

impl<'a, V: Vfs> Reading<'a, V> {
    fn start(
        database: &'a Database<V>,
        catalog: &'a Catalog,
        plan: &'a ReadPlan,
        (options, traced): (ReadOptions, &'a [usize]),
        space: &'a mut ReadSpace,
    ) -> Result<Self, Error> {
        let wall_ms = database.clock.wall_ms();
        let ReadSpace { vectors, lookups, moments: spaces } = space;
        let moment = |group| {
            let space = || spaces.pop().unwrap_or_default();
            GroupMoment::new(catalog, group, &options, wall_ms, space)
        };
        let moments: SmallVec<_> = plan.groups().map(moment).collect::<Result<_, _>>()?;
        Ok(Self {
            database,
            catalog,
            options,
            wall_ms,
            width: plan.entities().len(),
            moments,
            vectors,
            lookups,
            spaces,
            tracing: Tracing::new(traced),
        })
    }

    /// Makes room for so many vectors.
    fn room(&mut self, plan: &ReadPlan, vectors: usize) {
        self.vectors.columns.reset_to(plan.types(), vectors);
        let groups = if self.options.times { self.moments.len() } else { 0 };
        self.vectors.group_times.clear();
        self.vectors.group_times.resize_with(groups, || vec![i64::MIN; vectors]);
    }

    /// Reads all entities.
    fn entities(&mut self, plan: &ReadPlan, keys: &[&[u8]]) -> Result<(), Error> {
        let is_traced = self.tracing.is_wanted();
        if self.width == 0 && is_traced {
            // Of request values alone: nothing is looked at.
            self.traced(0);
        }
        let shards = &self.database.shards;
        let mut lookups = std::mem::take(self.lookups);
        arrange(shards.hasher(), keys, !is_traced, &mut lookups);
        // A read that is traced has its vectors one after the other; windows may take so long that a writer would notice.
        // Rows of a snapshot may have to come from the disk: nobody waits for more than one of them.
        let is_mapped = keys.len() > 1 && self.database.snapshot.lock().is_some();
        let together = match (is_traced || is_mapped, plan.has_windows()) {
            (true, _) => 1,
            (false, true) => TOGETHER_MAX / 8,
            (false, false) => TOGETHER_MAX,
        };
        for some in lookups.chunks(together) {
            let guards = Guards::lock(shards, some);
            if some.len() > 1 {
                warm::warm(plan.groups(), self.width, some, &guards);
            }
            for (lookup, shard) in some.iter().zip(guards.shards()) {
                let Some(key) = keys.get(lookup.place) else { continue };
                let at = (lookup.place / self.width, lookup.place % self.width);
                self.entity(shard, at, lookup.hash, key)?;
                plan.check_bytes(self.vectors.columns.bytes())?;
            }
        }
        *self.lookups = lookups;
        Ok(())
    }

    /// Fills in what `entity` of the plan gives for one vector.
    fn entity(
        &mut self,
        shard: &Shard,
        (row, entity): (usize, usize),
        hash: u64,
        key: &[u8],
    ) -> Result<(), Error> {
        let mut sink = RowOf { columns: &mut self.vectors.columns, row };
        for (index, moment) in self.moments.iter_mut().enumerate() {
            if moment.entity() != entity {
                continue;
            }
            moment.keep_up(self.catalog, &self.options, self.wall_ms)?;
            let time = moment.read(shard, hash, key, &mut sink)?;
            let times = self.vectors.group_times.get_mut(index);
            if let (Some(place), Some(time)) = (times.and_then(|times| times.get_mut(row)), time) {
                *place = time;
            }
        }
        if self.tracing.wants(row) {
            self.sees();
            if entity + 1 == self.width {
                self.traced(row);
            }
        }
        Ok(())
    }

    /// Says when was looked, and gives memory back.
    fn finish(mut self) -> ReadTrace {
        let vectors = &mut *self.vectors;
        vectors.window_starts.clear();
        if self.options.times {
            vectors.window_starts.resize(vectors.columns.len(), i64::MIN);
            let starts = &mut vectors.window_starts;
            self.moments.iter().for_each(|moment| moment.window_starts(starts));
        }
        let seen = self.moments.iter().filter_map(GroupMoment::own_as_of).max();
        vectors.as_of = seen.or(self.options.as_of).unwrap_or(self.wall_ms);
        vectors.snapped = self.moments.iter().any(GroupMoment::is_snapped);
        let moments = std::mem::take(&mut self.moments);
        self.spaces.extend(moments.into_iter().filter_map(GroupMoment::into_space));
        self.trace()
    }
}
