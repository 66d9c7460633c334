//! A batch of a history's file as changes again, values read in place.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, TimestampMillisecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch, StringArray};
use engine::changes::{Change, ChangeKind, ChangeSource};
use engine::{Lsn, ProducerId};
use model::key;
use model::packed_row::Cell;
use model::value::DataType;

use super::table::Layout;
use crate::Error;
use crate::input::columns::{Column, Sought};
use crate::own_columns::are_same;

/// Changes of one batch of a file.
#[derive(Debug)]
pub struct ChangeBatch {
    source: ChangeSource,
    batch: RecordBatch,
    /// What each number of the column of kinds stands for.
    kinds: Vec<Option<ChangeKind>>,
    parts: Vec<Column>,
    fields: Vec<Column>,
    first_part: usize,
    is_rows: bool,
    /// For messages.
    path: std::path::PathBuf,
}

impl ChangeBatch {
    /// The rows of `batch`, of the file `path`, whose schema is that of `layout`: those of records `first` to `last`.
    pub(super) fn new(
        (path, source): (&Path, ChangeSource),
        layout: &Layout,
        batch: RecordBatch,
        (first, last): (Lsn, Lsn),
    ) -> Result<Self, Error> {
        if !are_same(batch.schema_ref(), &layout.schema) {
            let what = "its columns are not those that the definitions of its version make";
            return Err(Error::file(path, what));
        }
        let lsns = batch.column(LSN).as_primitive::<UInt64Type>().values();
        let from = lsns.partition_point(|lsn| *lsn < first.0);
        let to = lsns.partition_point(|lsn| *lsn <= last.0).max(from);
        let batch = batch.slice(from, to - from);
        let (first_part, first_field) = (FIRST_PART, layout.first_field());
        let column = |place: usize, name: &str, data_type: DataType| {
            Column::new(batch.column(place), Sought { name, data_type })
        };
        let parts = (first_part..).zip(&layout.key);
        let parts = parts.map(|(place, kind)| column(place, "key", part_type(*kind)));
        let fields = (first_field..).zip(&layout.fields);
        let fields = fields.map(|(place, it)| column(place, it.name.as_str(), it.data_type));
        let (parts, fields) = (parts.collect::<Result<_, _>>()?, fields.collect::<Result<_, _>>()?);
        let words = batch.column(KIND).as_dictionary::<Int8Type>().downcast_dict::<StringArray>();
        let words = words.ok_or_else(|| Error::file(path, "its kinds are no words"))?;
        let named = |word: &str| ChangeKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        let kinds = words.values().iter().map(|word| word.and_then(named)).collect();
        let is_rows = layout.is_rows;
        let path = path.to_owned();
        Ok(Self { source, kinds, parts, fields, first_part, is_rows, path, batch })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows `visit` every change in its order.
    ///
    /// # Errors
    /// [`Error::File`] for a row that is none; those of `visit`.
    pub fn for_each(
        &self,
        visit: &mut dyn FnMut(&Change<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut key, mut cells) = (Vec::new(), Vec::new());
        let batch = &self.batch;
        let lsns = batch.column(LSN).as_primitive::<UInt64Type>();
        let indexes = batch.column(INDEX).as_primitive::<UInt32Type>();
        let arrivals = batch.column(ARRIVAL).as_primitive::<TimestampMillisecondType>();
        let kinds = batch.column(KIND).as_dictionary::<Int8Type>().keys();
        let producers = batch.column(PRODUCER).as_fixed_size_binary();
        let sequences = batch.column(SEQUENCE).as_primitive::<UInt64Type>();
        let behind_key = self.first_part + self.parts.len();
        let group = self.is_rows.then(|| {
            let times = batch.column(behind_key).as_primitive::<TimestampMillisecondType>();
            (times, batch.column(behind_key + 1).as_binary::<i32>())
        });
        for row in 0..self.len() {
            let kind = usize::try_from(kinds.value(row)).ok().and_then(|kind| self.kinds.get(kind));
            let kind = kind.copied().flatten().ok_or_else(|| self.wrong(row, "it has no kind"))?;
            key.clear();
            if self.is_rows {
                let parts = self.parts.iter().map(|part| part.cell(row).map(Cell::value));
                let parts = parts.collect::<Result<Vec<_>, _>>();
                let parts = parts.map_err(|why| self.wrong(row, &why))?;
                key::write_values(&mut key, parts.into_iter())?;
            }
            let absent = group.filter(|(_, absent)| absent.is_valid(row));
            let absent = absent.map_or(&[][..], |(_, absent)| absent.value(row));
            cells.clear();
            // A delete names an entity and nothing else.
            let fields = if kind == ChangeKind::Delete { &[][..] } else { &self.fields };
            for (index, field) in fields.iter().enumerate() {
                let is_absent =
                    absent.get(index / 8).is_some_and(|bits| bits >> (index % 8) & 1 == 1);
                let cell = field.cell(row).map_err(|why| self.wrong(row, &why))?;
                cells.push(if is_absent { Cell::Absent } else { cell });
            }
            let mut producer = [0; 16];
            producer.copy_from_slice(producers.value(row).get(..16).unwrap_or(&[0; 16]));
            producer.reverse();
            visit(&Change {
                lsn: Lsn(lsns.value(row)),
                index: indexes.value(row),
                at_ms: arrivals.value(row),
                source: self.source,
                kind,
                producer: ProducerId(u128::from_le_bytes(producer)),
                sequence: sequences.value(row),
                key: &key,
                event_time: group
                    .filter(|(times, _)| times.is_valid(row))
                    .map(|(times, _)| times.value(row)),
                cells: &cells,
            })?;
        }
        Ok(())
    }

    fn wrong(&self, row: usize, why: &str) -> Error {
        let lsn = self.batch.column(LSN).as_primitive::<UInt64Type>().value(row);
        Error::file(&self.path, format!("the change of record {lsn}: {why}"))
    }
}

/// Columns by their places; those of the key stand behind them.
const LSN: usize = 0;
const INDEX: usize = 1;
const ARRIVAL: usize = 2;
const KIND: usize = 3;
const PRODUCER: usize = 4;
const SEQUENCE: usize = 5;
const FIRST_PART: usize = 6;

fn part_type(kind: key::KeyType) -> DataType {
    match kind {
        key::KeyType::String => DataType::String,
        key::KeyType::I64 => DataType::I64,
        key::KeyType::Bytes => DataType::Bytes,
    }
}
