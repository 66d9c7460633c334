//! Replay: point-in-time training sets, from events and rows of files and a spine that says whose vectors are wanted as of when.
//!
//! ```text
//! spine  ─► reads   ─┐ dealt out by a hash of the entity,      ┌─► partition by partition, thread by thread:
//! events ─► changes ─┤ of each group by itself; beyond a limit ┤   sorted by entity and order, brought together by the
//! rows   ─► changes ─┘ in a file                               └─► engine's own code ─► results ─► order of the spine ─► file
//! ```
//!
//! What a value is the engine says ([`engine::replay`]); here is only what lies where. The result depends neither on the number of
//! partitions nor on that of threads, nor on what was spilled.
//!
//! | | |
//! |---|---|
//! | [`replay_files`], `files`, `spine`, `table`, `records`, `vectors`, `output` | from files to a file |
//! | [`PartitionReplay`], [`partitions_of`] | the same from Arrow batches to Arrow batches, of one partition: for other engines |
//! | [`Replay`] | the same, fed row by row: for other programs |
//! | `history` | what a server accepted, instead of files |
//! | `feed`, `marks` | events, in order of time or arrival; which of them repeat others |
//! | `group`, `worker` | changes and reads of one group, and how they meet |
//! | `record`, `entry`, `store`, `memory`, `wanted` | what is kept of them, sorted, spilled, left out |
//! | `results` | from partitions back to the spine |

mod entry;
mod feed;
mod files;
mod group;
mod history;
mod marks;
mod memory;
mod output;
mod partition;
mod record;
mod records;
mod results;
mod spine;
mod store;
mod table;
mod vectors;
mod wanted;
mod worker;

use std::path::PathBuf;

use engine::RejectKind;
use engine::replay::{DirectFields, EventOrigin, ReplayPlan, ReplaySource};
use model::{column::Column, packed_row::Cell, value::DataType, value::ValueRef};
use stdx::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use crate::Error;
use feed::Feed;
use group::GroupStore;
use marks::Marks;
use memory::Memory;
use record::Shape;
use results::Results;
use worker::Worker;

pub use files::{Rejected, ReplayFiles, ReplayReport, ReplayStep, ReplayWatcher, replay_files};
pub use partition::{PartitionReplay, ReplayColumns, partitions_of};
pub use records::ReplayMap;
pub use results::BATCH_ROWS;
pub use vectors::Vectors;

/// Which events a row of the spine sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayOrder {
    /// All that had happened by its as-of, whenever they arrived, if at least `delay_ms` before.
    Event {
        /// How long an event is assumed to take until it is known, in ms.
        delay_ms: i64,
    },
    /// Those that had arrived by its as-of.
    Arrival,
}

/// How to replay.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Which events are seen.
    pub order: ReplayOrder,
    /// Events exactly at the as-of do not count: the row being scored is itself an event.
    pub exclusive: bool,
    /// Since when there are events, in ms; windows that reach back further are partial. The earliest event given when not.
    pub observed_since: Option<i64>,
    /// Threads that work side by side, at least one.
    pub threads: usize,
    /// Bytes of events, reads and results in memory; more goes to a file.
    pub memory_bytes: u64,
    /// Where that file is made. It has no name, and is gone when the replay is.
    pub temp_dir: PathBuf,
    /// Partitions: 2 to this power, at most [`ReplayOptions::PARTITION_BITS_MAX`]. One at a time has to fit into memory for each thread.
    pub partition_bits: u32,
}

impl ReplayOptions {
    /// See [`ReplayOptions::partition_bits`].
    pub const PARTITION_BITS_MAX: u32 = 14;
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self {
            order: ReplayOrder::Event { delay_ms: 0 },
            exclusive: false,
            observed_since: None,
            threads: 1,
            memory_bytes: 2 << 30,
            temp_dir: std::env::temp_dir(),
            partition_bits: 8,
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Accepted,
    /// It does not, and why. In event order duplicates are found when all events are there, and only counted.
    Refused(RejectKind, String),
}

/// Why an event does not count.
type Refused = Box<(RejectKind, String)>;

/// What became of an event that was to be taken directly. It, and an error that is boxed, come back in registers: through memory, it
/// would be waited for until all that the event wrote to its partition is there.
#[derive(Debug)]
enum Direct {
    Accepted,
    Refused(Refused),
    /// Nothing was done: it has to be looked at field by field.
    Other,
}

/// What became of the events of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayCounts {
    /// Events that count.
    pub accepted: u64,
    /// Those whose id came within the stream's `dedup` before.
    pub duplicate: u64,
    /// Those that no window could see when they arrived.
    pub late: u64,
    /// Those that are not valid, or came too early.
    pub rejected: u64,
}

/// A replay, fed in three steps: the spine's reads, then events and rows, then [`Replay::finish`].
#[derive(Debug)]
pub struct Replay<'p> {
    plan: &'p ReplayPlan,
    options: ReplayOptions,
    memory: Memory,
    groups: Vec<GroupStore<'p>>,
    feeds: Vec<Feed<'p>>,
    rows: u32,
}

/// What all rows of the spine see, in their order.
#[derive(Debug)]
pub struct Replayed<'p> {
    plan: &'p ReplayPlan,
    results: Results,
    rows: usize,
    /// Of each group its columns among all stored ones.
    outputs: Vec<Vec<(usize, DataType)>>,
    /// Of each stream of the target, by index, what became of its events.
    pub counts: Vec<(usize, ReplayCounts)>,
    /// Events and rows that some read saw, each once for every group.
    pub applied: u64,
    /// Bytes that did not fit into memory.
    pub spilled: u64,
}

impl<'p> Replay<'p> {
    /// A replay of the plan's target.
    ///
    /// # Errors
    /// [`Error::Usage`] for options out of their limits.
    pub fn new(plan: &'p ReplayPlan, options: ReplayOptions) -> Result<Self, Error> {
        let bits = options.partition_bits;
        if bits > ReplayOptions::PARTITION_BITS_MAX {
            let most = 1 << ReplayOptions::PARTITION_BITS_MAX;
            return Err(Error::Usage(format!("at most {most} partitions, got 2^{bits}")));
        }
        let memory = Memory::new(options.memory_bytes, &options.temp_dir);
        let (delay_ms, is_arrival) = match options.order {
            ReplayOrder::Event { delay_ms } => (delay_ms, false),
            ReplayOrder::Arrival => (0, true),
        };
        let count = plan.groups().count();
        let (mut groups, mut feeds) = (Vec::new(), Vec::<Feed<'_>>::new());
        for (place, group) in plan.groups().enumerate() {
            let (mut shape, mut behind_ms) =
                (Shape { has_time: is_arrival, ..Shape::default() }, delay_ms);
            if let ReplaySource::Stream(stream) = group.source {
                if feeds.iter().all(|feed| feed.stream != stream) {
                    let of = (options.order, count);
                    feeds.push(Feed::new(plan, stream, of, (bits, &memory))?);
                }
                let feed = feeds.iter().find(|feed| feed.stream == stream);
                shape.has_number = feed.is_some_and(Feed::has_numbers);
                // Of events that have no order but their time, those at the as-of itself are left out here.
                if !is_arrival {
                    behind_ms = delay_ms.max(i64::from(options.exclusive));
                }
            }
            let at = (behind_ms, options.exclusive);
            groups.push(GroupStore::new((place, group), shape, at, (bits, &memory)));
        }
        Ok(Self { plan, options, memory, groups, feeds, rows: 0 })
    }

    /// The next row of the spine: canonical keys, one for each entity of the plan, and its as-of in ms.
    ///
    /// # Errors
    /// [`Error::Usage`] for a spine of more than 2^32 rows; [`Error::Io`] when memory is full and nothing can be spilled.
    pub fn read(&mut self, keys: &[&[u8]], as_of: i64) -> Result<(), Error> {
        for group in &mut self.groups {
            let key = keys.get(group.group.entity).copied().unwrap_or_default();
            group.read(key, as_of, self.rows)?;
        }
        self.rows = self.rows.checked_add(1).ok_or_else(|| {
            Error::Usage(format!("a spine has at most {} rows: replay it in parts", u32::MAX))
        })?;
        Ok(())
    }

    /// The spine is complete: from here on events and rows are taken.
    ///
    /// # Errors
    /// [`Error::Engine`] never, since the plan has its groups.
    pub fn close_spine(&mut self) -> Result<(), Error> {
        self.groups.iter_mut().try_for_each(|group| group.close_reads(self.plan))
    }

    /// Rows of the spine so far.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The next event of stream `stream`: its fields, and when it arrived, in ms, where that is asked for. `values` is memory to be
    /// used again.
    ///
    /// # Errors
    /// [`Error::Usage`] when arrivals are asked for and missing or out of order, or the target does not read the stream;
    /// [`Error::Io`].
    pub fn event<'a>(
        &mut self,
        stream: usize,
        cells: &[Cell<'a>],
        arrival_ms: Option<i64>,
        values: &mut Vec<Option<ValueRef<'a>>>,
    ) -> Result<Verdict, Error> {
        match self.feeds.iter_mut().find(|feed| feed.stream == stream) {
            Some(feed) => feed.event(&mut self.groups, cells, arrival_ms, values),
            None => Err(Error::Usage(format!("no feature is of stream {stream}"))),
        }
    }

    /// As [`Replay::event`], of an event whose `fields` have floats made exact.
    #[inline]
    fn event_direct<'a>(
        &mut self,
        stream: usize,
        fields: &impl DirectFields<'a>,
        arrival_ms: Option<i64>,
    ) -> Result<Direct, Box<Error>> {
        match self.feeds.iter_mut().find(|feed| feed.stream == stream) {
            Some(feed) => feed.event_direct(&mut self.groups, fields, arrival_ms),
            None => Ok(Direct::Other),
        }
    }

    /// The next event of `stream` cannot even be read: it counts among those that are rejected.
    pub fn reject(&mut self, stream: usize) {
        if let Some(feed) = self.feeds.iter_mut().find(|feed| feed.stream == stream) {
            feed.counts.rejected += 1;
        }
    }

    /// The next row of row group `group`: its canonical key, its event time and, where that is asked for, its arrival, both in ms,
    /// and its features packed.
    ///
    /// # Errors
    /// As [`Replay::event`].
    pub fn row(
        &mut self,
        group: usize,
        key: &[u8],
        (event_time, arrival_ms): (i64, Option<i64>),
        row: &[u8],
    ) -> Result<(), Error> {
        let order = match (self.options.order, arrival_ms) {
            (ReplayOrder::Event { .. }, _) => event_time,
            (ReplayOrder::Arrival, Some(arrival)) => arrival,
            (ReplayOrder::Arrival, None) => {
                return Err(Error::Usage(
                    "a row has no time of arrival: its file needs a column for it (`arrival`, or the one that --arrival-column names), a \
                     history has it by itself, and --order event needs none"
                        .to_owned(),
                ));
            }
        };
        match self.groups.iter_mut().find(|store| store.group.index == group) {
            Some(store) => store.row(key, (order, event_time), row),
            None => Err(Error::Usage(format!("no feature is of group {group}"))),
        }
    }

    /// Changes may be undone later: retracted, deleted. Said before the first of them.
    fn expect_undoing(&mut self) {
        self.groups.iter_mut().for_each(GroupStore::expect_undoing);
    }

    /// Events of `stream` are there since this time, in ms, whatever else is known.
    fn observe_since(&mut self, stream: usize, since: Option<i64>) {
        if let Some(feed) = self.feeds.iter_mut().find(|feed| feed.stream == stream) {
            feed.complete_since = since;
        }
    }

    /// Rows of row group `group` were put that are not there.
    fn rows_are_incomplete(&mut self, group: usize) {
        let stores = self.groups.iter_mut().filter(|store| store.group.index == group);
        stores.for_each(|store| store.is_incomplete = true);
    }

    /// An event that a server accepted, who wrote it and when it arrived, in ms: it is not judged anew.
    fn accepted<'a>(
        &mut self,
        stream: usize,
        cells: &[Cell<'a>],
        origin: (EventOrigin, i64),
        values: &mut Vec<Option<ValueRef<'a>>>,
    ) -> Result<(), Error> {
        let feed = self.feeds.iter_mut().find(|feed| feed.stream == stream);
        let Some(feed) = feed else { return Ok(()) };
        feed.accepted(&mut self.groups, cells, origin, values)
    }

    /// A retraction that arrived at this time, in ms.
    fn retract<'a>(
        &mut self,
        stream: usize,
        cells: &[Cell<'a>],
        arrival_ms: i64,
        values: &mut Vec<Option<ValueRef<'a>>>,
    ) -> Result<(), Error> {
        let feed = self.feeds.iter_mut().find(|feed| feed.stream == stream);
        feed.map_or(Ok(()), |feed| feed.retract(&mut self.groups, cells, arrival_ms, values))
    }

    /// A delete of an entity of group `group` that arrived at this time, in ms: in order of arrival it takes effect then, in order of
    /// events what came before it never was.
    fn delete(&mut self, group: usize, key: &[u8], arrival_ms: i64) -> Result<(), Error> {
        let is_arrival = self.options.order == ReplayOrder::Arrival;
        let order = if is_arrival { arrival_ms } else { i64::MIN };
        let store = self.groups.iter_mut().find(|store| store.group.index == group);
        store.map_or(Ok(()), |store| store.delete(key, order))
    }

    /// Brings everything together. `progress` is told how many of how many parts are done, by several threads.
    ///
    /// # Errors
    /// [`Error::Io`] when what was spilled cannot be read or more cannot be spilled.
    pub fn finish(
        mut self,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Replayed<'p>, Error> {
        let mut marks = Vec::new();
        for feed in &mut self.feeds {
            let of = feed.close(self.plan, &mut self.groups, self.options.observed_since)?;
            marks.push((feed.stream, of));
        }
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let results = Results::new(rows, &self.memory);
        self.work(&marks, &results, progress)?;
        let types: Vec<_> =
            self.plan.read_plan().outputs().iter().map(|(_, data_type)| *data_type).collect();
        let of_group = |group: &GroupStore<'_>| {
            let outputs = group.group.outputs.iter();
            outputs.filter_map(|output| Some((*output, *types.get(*output)?))).collect()
        };
        Ok(Replayed {
            plan: self.plan,
            rows,
            outputs: self.groups.iter().map(of_group).collect(),
            counts: self.feeds.iter().map(|feed| (feed.stream, feed.counts)).collect(),
            applied: self.groups.iter().map(|group| group.applied.load(Ordering::Relaxed)).sum(),
            spilled: self.memory.spilled(),
            results,
        })
    }

    fn work(
        &self,
        marks: &[(usize, Marks)],
        results: &Results,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(), Error> {
        let tasks: Vec<_> = self
            .groups
            .iter()
            .flat_map(|group| (0..group.partitions()).map(move |partition| (group, partition)))
            .collect();
        let (next, done, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(None));
        let run = || -> Result<(), Error> {
            let mut worker: Option<(usize, Worker<'_>)> = None;
            while let Some((group, partition)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                let current = match worker.take() {
                    Some((of, worker)) if of == group.group.index => worker,
                    _ => Worker::new(group, self.plan)?,
                };
                let (_, current) = worker.insert((group.group.index, current));
                let source = group.group.source;
                let marks = marks.iter().find(|(of, _)| source == ReplaySource::Stream(*of));
                current.partition(*partition, marks.map(|(_, marks)| marks), results)?;
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, tasks.len());
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 1..self.options.threads.max(1) {
                let builder = std::thread::Builder::new().name("larder-replay".to_owned());
                let spawned = builder.spawn_scoped(scope, || {
                    run().unwrap_or_else(|error| _ = failed.lock().get_or_insert(error));
                });
                // Fewer threads do it too.
                if spawned.is_err() {
                    break;
                }
            }
            run().unwrap_or_else(|error| _ = failed.lock().get_or_insert(error));
        });
        failed.into_inner().map_or(Ok(()), Err)
    }
}

impl Replayed<'_> {
    /// Rows of the spine.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of batches, of [`BATCH_ROWS`] rows each but the last.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.results.batches()
    }

    /// The vectors of one batch, which are here no more afterwards: stored columns, then derived ones, and of each row whether some
    /// window reaches back before there were events. `request_rows` are packed, one for each row, where the target takes any.
    ///
    /// # Errors
    /// [`Error::Engine`] when request values are missing or wrong; [`Error::Io`] when what was spilled cannot be read.
    pub fn batch(
        &self,
        batch: usize,
        request_rows: &[&[u8]],
    ) -> Result<(Vec<Column>, Vec<bool>), Error> {
        let rows = BATCH_ROWS.min(self.rows.saturating_sub(batch * BATCH_ROWS));
        let (mut columns, incomplete) = self.results.take(batch, rows, &self.outputs)?;
        self.plan.derive(&mut columns, request_rows, rows)?;
        Ok((columns, incomplete))
    }
}
