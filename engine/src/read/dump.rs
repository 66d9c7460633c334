//! Dumps: everything of one group at one time, chunk by chunk, for files.
//!
//! As a scan, but at an as-of that all chunks share, and with the sketches of distinct counts if asked.

use model::{
    column::Column,
    definition::{AggregateFunction, GroupKind},
    status::Status,
    value::DataType,
};
use storage::Vfs;

use super::{
    ReadOptions, ReadPlan,
    scan::{OnDamage, ScanPage},
};
use crate::{Database, Error, catalog::Catalog, shard::Shard};

/// What is dumped of one group, and when it is looked at. It holds for one version of the definitions.
#[derive(Debug)]
pub struct Dump {
    plan: ReadPlan,
    group: usize,
    options: ReadOptions,
    as_of: i64,
    observed_since: Option<i64>,
    sketches: Vec<usize>,
}

impl Dump {
    /// The time that is looked at, in ms: of window groups the head of windows, of row groups when ages are measured.
    #[must_use]
    pub fn as_of(&self) -> i64 {
        self.as_of
    }

    /// Since when the events of a window group are observed, in ms: windows that reach further back are partial.
    #[must_use]
    pub fn observed_since(&self) -> Option<i64> {
        self.observed_since
    }

    /// Columns of [`DumpChunk::page`]: name and type.
    #[must_use]
    pub fn outputs(&self) -> &[(String, DataType)] {
        self.plan.outputs()
    }

    /// Columns of the group whose sketches are in [`DumpChunk::sketches`], in that order.
    #[must_use]
    pub fn sketches(&self) -> &[usize] {
        &self.sketches
    }

    /// An empty chunk at the start of the group, with room for `rows`.
    #[must_use]
    pub fn start(&self, rows: usize) -> DumpChunk {
        let sketches = self.sketches.iter().map(|_| Column::new(DataType::Bytes, rows));
        DumpChunk { page: ScanPage::start(&self.plan, rows), sketches: sketches.collect() }
    }
}

/// Some entities of a group.
#[derive(Debug)]
pub struct DumpChunk {
    /// Keys, times and values.
    pub page: ScanPage,
    /// Of each of [`Dump::sketches`] the values that the column counts, as bytes of a DataSketches HLL sketch.
    pub sketches: Vec<Column>,
}

impl<V: Vfs> Database<V> {
    /// What a dump of group `name` at `as_of` is; now when not given. With `sketches` also of its distinct counts.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no such group.
    pub fn dump(&self, name: &str, as_of: Option<i64>, sketches: bool) -> Result<Dump, Error> {
        let group = self.group_index(name)?;
        let plan = self.plan_features(&[&format!("{name}:*")])?;
        let catalog = self.catalog.read();
        plan.check(&catalog)?;
        let wall_ms = self.clock.wall_ms();
        let definition = catalog.definitions.groups.get(group).map(|group| &group.kind);
        let Some(GroupKind::Windows(definition)) = definition else {
            let options = ReadOptions { as_of, ..ReadOptions::default() };
            let as_of = as_of.unwrap_or(wall_ms);
            return Ok(Dump {
                plan,
                group,
                options,
                as_of,
                observed_since: None,
                sketches: vec![],
            });
        };
        let windows = catalog.windows(group)?;
        let (stream, runtime) = catalog.stream(windows.stream)?;
        // As a read finds it: before the first event of an event clock there is nothing to see at any time.
        let as_of = as_of.or(runtime.state.now(stream, wall_ms)).unwrap_or(0);
        let options = ReadOptions { as_of: Some(as_of), ..ReadOptions::default() };
        let is_distinct = |column: &usize| {
            let feature = definition.columns.get(*column).map(|column| column.feature);
            let feature = feature.and_then(|feature| definition.features.get(feature));
            feature.is_some_and(|feature| {
                matches!(feature.aggregate.function, AggregateFunction::ApproxDistinct { .. })
            })
        };
        let distinct = (0..definition.columns.len()).filter(is_distinct);
        let sketches = if sketches { distinct.collect() } else { Vec::new() };
        let observed_since = Some(windows.observed_since());
        Ok(Dump { plan, group, options, as_of, observed_since, sketches })
    }

    /// Adds the next entities to `chunk`, `limit` at most and one at least, until it holds about `bytes_max` bytes of values. One
    /// shard is locked shared at a time, for so many entities. At the end `chunk.page.next` is `None`.
    ///
    /// # Errors
    /// [`Error::StalePlan`] when definitions changed, [`Error::AsOfTooOld`] also when the dump was begun so long ago that events
    /// after its as-of were folded, [`Error::Storage`] when the snapshot is damaged.
    pub fn dump_more(
        &self,
        dump: &Dump,
        (limit, bytes_max): (usize, usize),
        chunk: &mut DumpChunk,
    ) -> Result<(), Error> {
        let DumpChunk { page, sketches } = chunk;
        let x = dump.as_of.saturating_add(1);
        let mut beside = |catalog: &Catalog, shard: &Shard, hash: u64, key: &[u8]| {
            if dump.sketches.is_empty() {
                return Ok(0);
            }
            let plan = &catalog.windows(dump.group)?.plan;
            let state = shard.windows(dump.group).map(|table| table.get(plan, hash, key));
            let state = state.transpose()?.flatten().unwrap_or_default();
            let mut bytes = 0;
            for (column, sketch) in dump.sketches.iter().zip(sketches.iter_mut()) {
                match state.export_distinct(plan, *column, x) {
                    Some(set) => sketch.push_cell(Status::Present, &set),
                    None => sketch.push_empty(Status::Null),
                }
                bytes += sketch.data().len();
            }
            Ok(bytes)
        };
        let (most, on_damage) = ((limit, bytes_max), OnDamage::Ends);
        self.scan_on(&dump.plan, dump.options, most, on_damage, page, &mut beside)
    }
}
