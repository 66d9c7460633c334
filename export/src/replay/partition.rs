//! A replay of one partition, from Arrow batches to Arrow batches: for an engine that brings partitions about itself.
//!
//! Whoever shuffles sends the spine's rows, the events and the rows of one entity to one partition, by [`partitions_of`]; each
//! partition is replayed by itself, and all of them together give what one replay of everything gives. Three things are of the whole
//! and not of a partition: since when there are events has to be said ([`ReplayOptions::observed_since`]); an event of which the
//! stream declares no id is told from others by its number in its partition, and an id that it declares must not be used by two
//! entities; and a service of several entities has to be replayed entity by entity, with the features of each.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use engine::replay::ReplayPlan;
use model::{
    key::{self, KeyType},
    packed_row::Cell,
};

use super::{
    Rejected, Replay, ReplayOptions, ReplayOrder, ReplayWatcher,
    entry::Entry,
    files::{Known, unknown},
    output::Output,
    records::Records,
    spine::{Spine, type_of},
    table::{Table, Wish},
    vectors::Vectors,
};
use crate::{Error, file::TableReader, input::Input};

/// What the batches of a replay are called in messages.
const SPINE: &str = "spine";

/// Which columns of a spine and of events are what, and what is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayColumns {
    /// The spine's column of as-ofs.
    pub as_of: String,
    /// The column of arrivals of events and rows, where they count.
    pub arrival: String,
    /// Also give the status of every feature.
    pub with_statuses: bool,
}

impl Default for ReplayColumns {
    fn default() -> Self {
        Self { as_of: "as_of".to_owned(), arrival: "arrival".to_owned(), with_statuses: false }
    }
}

/// One partition: all rows of its spine first, then its events and rows, then [`PartitionReplay::finish`].
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{Int64Array, RecordBatch, cast::AsArray, types::Int64Type};
/// use engine::replay::{ReplayPlan, ReplayTarget};
/// use export::replay::{PartitionReplay, ReplayColumns, ReplayOptions};
///
/// const DEFINITIONS: &str = r#"
/// [entity.card]
/// key = "i64"
/// [stream.payments]
/// event_time = "ts"
/// [stream.payments.fields]
/// card = "i64"
/// amount = "i64"
/// ts = "timestamp"
/// [group.spend]
/// entity = "card"
/// stream = "payments"
/// key = "card"
/// windows = ["5m"]
/// [group.spend.features]
/// total = "sum(amount)"
/// "#;
///
/// fn table(columns: [(&str, Vec<i64>); 3]) -> RecordBatch {
///     let columns = columns.map(|(name, numbers)| (name, Arc::new(Int64Array::from(numbers)) as _));
///     RecordBatch::try_from_iter(columns).expect("columns of one length")
/// }
///
/// # fn main() -> Result<(), export::Error> {
/// let plan = ReplayPlan::new("features.toml", DEFINITIONS, ReplayTarget::Features(&["spend:*"]))?;
/// let mut replay = PartitionReplay::new(&plan, ReplayOptions::default(), ReplayColumns::default())?;
/// replay.spine(&table([("card", vec![1, 1]), ("as_of", vec![1500, 2500]), ("label", vec![0, 1])]))?;
/// replay.events("payments", &table([("card", vec![1, 1]), ("amount", vec![5, 7]), ("ts", vec![1000, 2000])]))?;
/// let vectors = replay.finish()?.collect::<Result<Vec<_>, _>>()?;
/// let totals = vectors[0].column_by_name("total_5m").expect("a feature");
/// assert_eq!(totals.as_primitive::<Int64Type>().values(), &[5, 12]);
/// # Ok(())
/// # }
/// ```
pub struct PartitionReplay<'p> {
    plan: &'p ReplayPlan,
    replay: Replay<'p>,
    spine: Spine,
    columns: ReplayColumns,
    is_arrival: bool,
    /// The spine, as it came.
    batches: Vec<RecordBatch>,
    is_closed: bool,
    /// A batch was taken in part: what was there before cannot be had again.
    is_broken: bool,
}

impl<'p> PartitionReplay<'p> {
    /// A partition without rows.
    ///
    /// # Errors
    /// [`Error::Usage`] for options out of their limits.
    pub fn new(
        plan: &'p ReplayPlan,
        options: ReplayOptions,
        columns: ReplayColumns,
    ) -> Result<Self, Error> {
        Ok(Self {
            plan,
            is_arrival: options.order == ReplayOrder::Arrival,
            replay: Replay::new(plan, options)?,
            spine: Spine::new(plan, &columns.as_of),
            columns,
            batches: Vec::new(),
            is_closed: false,
            is_broken: false,
        })
    }

    /// The next rows of the spine. All batches have one schema.
    ///
    /// # Errors
    /// [`Error::File`] names a column or row that is not what it must be, [`Error::Usage`] a batch that comes too late.
    pub fn spine(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.check_whole()?;
        if self.is_closed {
            return Err(Error::Usage("the spine comes before all events and rows".to_owned()));
        }
        let known = self.batches.first().map(RecordBatch::schema);
        if known.is_some_and(|known| known.fields() != batch.schema_ref().fields()) {
            return Err(Error::file(SPINE.as_ref(), "its batches have different columns"));
        }
        self.is_broken = true;
        self.spine.read(SPINE.as_ref(), batch, &mut self.replay)?;
        self.is_broken = false;
        self.batches.push(batch.clone());
        Ok(())
    }

    fn check_whole(&self) -> Result<(), Error> {
        if self.is_broken {
            let what =
                "a batch before had an error and was taken in part: begin the partition anew";
            return Err(Error::Usage(what.to_owned()));
        }
        Ok(())
    }

    /// The next events of a stream, and which of them were rejected: rows of the batch, from 1, and why.
    ///
    /// # Errors
    /// [`Error::Usage`] names the streams that the plan reads; [`Error::File`] a column that is not what it must be, or an event
    /// that is not in the order of arrival where that counts.
    pub fn events(
        &mut self,
        stream: &str,
        batch: &RecordBatch,
    ) -> Result<Vec<(u64, String)>, Error> {
        let known = Known::of(self.plan)?.streams;
        let found = known.iter().find(|(_, name)| *name == stream);
        let option = ("a stream", Some(stream));
        let of = found.ok_or_else(|| unknown(option, "events".as_ref(), "streams", &known))?;
        self.take(stream, batch, |records, input| records.events(of.0, input))
    }

    /// The next rows of a row group, and which of them were rejected.
    ///
    /// # Errors
    /// As [`PartitionReplay::events`].
    pub fn rows(&mut self, group: &str, batch: &RecordBatch) -> Result<Vec<(u64, String)>, Error> {
        let known = Known::of(self.plan)?.row_groups;
        let found = known.iter().find(|(_, name)| *name == group);
        let option = ("a row group", Some(group));
        let of = found.ok_or_else(|| unknown(option, "rows".as_ref(), "row groups", &known))?;
        self.take(group, batch, |records, input| records.rows(of.0, input).map(|_| ()))
    }

    fn take(
        &mut self,
        source: &str,
        batch: &RecordBatch,
        read: impl FnOnce(&mut Records<'_, 'p, '_>, Input) -> Result<(), Error>,
    ) -> Result<Vec<(u64, String)>, Error> {
        self.check_whole()?;
        self.close()?;
        self.is_broken = true;
        let reader = TableReader::of_batches(batch.schema(), vec![batch.clone()]);
        let mut refused = Vec::new();
        let mut keep = |rejected: &Rejected<'_>| {
            // Duplicates and late ones are as common as networks are: they are only counted.
            if rejected.kind == engine::RejectKind::Rejected {
                refused.push((rejected.number, rejected.reason.to_owned()));
            }
            Ok(())
        };
        let mut watcher = ReplayWatcher { step: &|_| {}, rejected: &mut keep };
        let mut records = Records {
            plan: self.plan,
            replay: &mut self.replay,
            arrival: self.is_arrival.then_some(self.columns.arrival.as_str()),
            maps: &[],
            watcher: &mut watcher,
            seen: 0,
            ignored: Vec::new(),
        };
        read(&mut records, Input::of_table(source.as_ref(), reader))?;
        self.is_broken = false;
        Ok(refused)
    }

    fn close(&mut self) -> Result<(), Error> {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.replay.close_spine()?;
        }
        Ok(())
    }

    /// Brings all together: the spine's rows in their order, each with its vector.
    ///
    /// # Errors
    /// [`Error::Io`] when what was spilled cannot be read; [`Error::File`] names a column of the spine that a feature is called
    /// like.
    pub fn finish(mut self) -> Result<Vectors<'p>, Error> {
        self.check_whole()?;
        self.close()?;
        let schema: SchemaRef = match self.batches.first() {
            Some(batch) => batch.schema(),
            None => Arc::new(Schema::empty()),
        };
        let of = (None, self.columns.with_statuses);
        let output = Output::new(self.plan, (SPINE.as_ref(), schema.as_ref()), of)?;
        let replayed = self.replay.finish(&|_, _| {})?;
        let reader = TableReader::of_batches(schema, self.batches);
        let spine = (PathBuf::from(SPINE), reader);
        Ok(Vectors::new(self.plan, replayed, (self.spine, output), spine))
    }
}

/// To which of `partitions` partitions each row of `batch` goes: by a hash of the entity whose key's parts, of the types `kinds`,
/// stand in `columns`. The same entity goes to the same partition, whether it is in a spine (columns called as the entity is), in
/// events (the fields of a group's `key`) or in rows. `None` for a row of which a part is null: it describes no entity.
///
/// # Errors
/// [`Error::File`] names a column that is missing, or a row whose key is none.
pub fn partitions_of(
    batch: &RecordBatch,
    columns: &[&str],
    kinds: &[KeyType],
    partitions: u32,
) -> Result<Vec<Option<u32>>, Error> {
    let wish = |(name, kind): (&&str, &KeyType)| Wish {
        name: (*name).to_owned(),
        data_type: type_of(*kind),
        is_key: true,
    };
    let wishes: Vec<_> = columns.iter().zip(kinds).map(wish).collect();
    let path = "keys".as_ref();
    let table = Table::bind(path, batch, &wishes)?;
    let (mut cells, mut bytes) = (Vec::new(), Vec::new());
    let partition = |row: usize| {
        let wrong = |what: String| Error::file(path, format!("row {}: {what}", row + 1));
        table.row(row, &mut cells).map_err(wrong)?;
        let is_whole = key::write_values(&mut bytes, cells.iter().copied().map(Cell::value));
        if !is_whole.map_err(|error| wrong(error.to_string()))? {
            return Ok(None);
        }
        // Other bits than those by which a replay deals out its own partitions.
        let (_, check) = Entry::entity_of(&bytes);
        let place = (u64::from(check) * u64::from(partitions.max(1))) >> 32;
        Ok(Some(u32::try_from(place).unwrap_or(0)))
    };
    (0..batch.num_rows()).map(partition).collect()
}
