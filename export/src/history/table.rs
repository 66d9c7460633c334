//! What a file of a history looks like, and changes on their way into one.
//!
//! | column | | |
//! |---|---|---|
//! | `lsn` `index` | `UInt64` `UInt32` | the record, and the change's position in its request |
//! | `arrival` | `Timestamp(ms, UTC)` | now when it was accepted |
//! | `kind` | dictionary of `Utf8` | push, retract, put, delete |
//! | `producer` `sequence` | `FixedSizeBinary(16)` `UInt64` | who wrote it, under which number |
//! | the key, `event_time`, `absent` | as exported, `Binary` | of a row group only |
//! | fields or features | as exported | those of the definitions it was written under |

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, FixedSizeBinaryBuilder};
use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int8Array, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt32Array, UInt64Array,
};
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef};
use engine::changes::{Change, ChangeKind};
use model::column::Column;
use model::definition::{self, Definitions, GroupKind};
use model::key::KeyType;
use model::packed_row::Cell;
use model::status::Status;
use model::value::DataType;

use super::source::HistorySource;
use crate::key::{arrays_of_keys, arrow_key_type, key_columns};
use crate::metadata::{self, role};
use crate::own_columns::name_apart;
use crate::{Error, array_of, arrow_type};

/// Bytes of a producer's id.
const PRODUCER_BYTES: i32 = 16;

/// The columns of one source under one version of its definitions.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Types of the key's parts; of a stream none.
    pub(super) key: Vec<KeyType>,
    pub(super) is_rows: bool,
    pub(super) fields: Vec<definition::Field>,
    pub(super) schema: SchemaRef,
}

impl Layout {
    /// That of `source` in `definitions` of version `version`, with its first `fields` fields; all of them when not given.
    pub(super) fn of(
        source: &HistorySource,
        (definitions, version): (&Definitions, u64),
        fields: Option<usize>,
    ) -> Result<Self, Error> {
        let missing = || {
            Error::Usage(format!(
                "{source} is not defined: its history has a definition that is gone"
            ))
        };
        let (entity, mut all) = match source {
            HistorySource::Stream(name) => {
                (None, definitions.stream(name).ok_or_else(missing)?.1.fields.clone())
            }
            HistorySource::Group(name) => {
                let (_, group) = definitions.group(name).ok_or_else(missing)?;
                let features = match &group.kind {
                    GroupKind::Rows(rows) => rows.features.clone(),
                    GroupKind::Windows(_) => Vec::new(),
                };
                (definitions.entities.get(group.entity), features)
            }
        };
        all.truncate(fields.unwrap_or(usize::MAX));
        let of_field = if entity.is_some() { role::FEATURE } else { role::FIELD };
        let values = all.iter().map(|field| {
            let arrow = Field::new(field.name.as_str(), arrow_type(field.data_type), true);
            with(
                arrow,
                &[(metadata::ROLE, of_field), (metadata::TYPE, &field.data_type.to_string())],
            )
        });
        let mut columns = head();
        if let Some(entity) = entity {
            columns.extend(key_columns(entity).into_iter().map(|(name, kind)| {
                let about =
                    [(metadata::ROLE, role::ENTITY_KEY), (metadata::ENTITY, entity.name.as_str())];
                with(Field::new(name, arrow_key_type(kind), false), &about)
            }));
            let time = Field::new("event_time", arrow_type(DataType::Timestamp), true);
            columns.push(with(time, &[(metadata::ROLE, role::EVENT_TIME)]));
            let absent = Field::new("absent", Arrow::Binary, true);
            columns.push(with(absent, &[(metadata::ROLE, role::ABSENT)]));
        }
        columns.extend(values);
        name_apart(&mut columns);
        let of = if entity.is_some() { metadata::GROUP } else { metadata::STREAM };
        let about = HashMap::from([
            (of.to_owned(), source.name().to_owned()),
            (metadata::DEFINITIONS_VERSION.to_owned(), version.to_string()),
        ]);
        let schema = Arc::new(Schema::new_with_metadata(columns, about));
        let key = entity.map_or_else(Vec::new, |entity| entity.key.clone());
        Ok(Self { key, is_rows: entity.is_some(), fields: all, schema })
    }

    /// Where the columns of the fields begin.
    pub(super) fn first_field(&self) -> usize {
        self.schema.fields().len() - self.fields.len()
    }
}

/// The columns that every history has.
fn head() -> Vec<Field> {
    let kind = Arrow::Dictionary(Box::new(Arrow::Int8), Box::new(Arrow::Utf8));
    let columns = [
        ("lsn", Arrow::UInt64, role::LSN),
        ("index", Arrow::UInt32, role::INDEX),
        ("arrival", arrow_type(DataType::Timestamp), role::ARRIVAL),
        ("kind", kind, role::KIND),
        ("producer", Arrow::FixedSizeBinary(PRODUCER_BYTES), role::PRODUCER),
        ("sequence", Arrow::UInt64, role::SEQUENCE),
    ];
    let field = |(name, arrow, of): (&str, Arrow, &str)| {
        with(Field::new(name, arrow, false), &[(metadata::ROLE, of)])
    };
    columns.into_iter().map(field).collect()
}

fn with(field: Field, about: &[(&str, &str)]) -> Field {
    let about = about.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    field.with_metadata(about.collect())
}

/// Changes that wait to become a batch.
#[derive(Debug)]
pub(super) struct Rows {
    layout: Layout,
    lsns: Vec<u64>,
    indexes: Vec<u32>,
    arrivals: Vec<i64>,
    kinds: Vec<i8>,
    producers: FixedSizeBinaryBuilder,
    sequences: Vec<u64>,
    keys: Vec<Box<[u8]>>,
    event_times: Vec<Option<i64>>,
    absent: BinaryBuilder,
    fields: Vec<Column>,
}

impl Rows {
    pub(super) fn new(layout: Layout) -> Self {
        let column = |field: &definition::Field| Column::new(field.data_type, 0);
        Self {
            fields: layout.fields.iter().map(column).collect(),
            layout,
            lsns: Vec::new(),
            indexes: Vec::new(),
            arrivals: Vec::new(),
            kinds: Vec::new(),
            producers: FixedSizeBinaryBuilder::new(PRODUCER_BYTES),
            sequences: Vec::new(),
            keys: Vec::new(),
            event_times: Vec::new(),
            absent: BinaryBuilder::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lsns.len()
    }

    /// Bytes of values that wait, without those of fixed width.
    pub(super) fn bytes(&self) -> usize {
        self.fields.iter().map(|column| column.data().len()).sum()
    }

    pub(super) fn push(&mut self, change: &Change<'_>) -> Result<(), Error> {
        self.lsns.push(change.lsn.0);
        self.indexes.push(change.index);
        self.arrivals.push(change.at_ms);
        let kind = ChangeKind::ALL.iter().position(|kind| *kind == change.kind);
        self.kinds.push(kind.and_then(|kind| i8::try_from(kind).ok()).unwrap_or(0));
        let mut producer = change.producer.0.to_le_bytes();
        producer.reverse();
        self.producers.append_value(producer)?;
        self.sequences.push(change.sequence);
        if self.layout.is_rows {
            self.keys.push(change.key.into());
            self.event_times.push(change.event_time);
            self.absent.append_option(absent(change, self.fields.len()));
        }
        let cells = change.cells.iter().copied().chain(std::iter::repeat(Cell::Absent));
        for (column, cell) in self.fields.iter_mut().zip(cells) {
            match cell {
                Cell::Value(value) => column.push(Status::Present, value),
                Cell::Null | Cell::Absent => column.push_empty(Status::Null),
            }
        }
        Ok(())
    }

    /// What waits, as a batch; nothing waits any more.
    pub(super) fn batch(&mut self) -> Result<RecordBatch, Error> {
        let taken = std::mem::replace(self, Self::new(self.layout.clone()));
        let Self { layout, mut producers, mut absent, .. } = taken;
        let arrivals = TimestampMillisecondArray::from(taken.arrivals).with_timezone("UTC");
        let words = StringArray::from_iter_values(ChangeKind::ALL.map(ChangeKind::as_str));
        let kinds = Int8Array::from(taken.kinds);
        let kinds = DictionaryArray::<Int8Type>::try_new(kinds, Arc::new(words))?;
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(taken.lsns)),
            Arc::new(UInt32Array::from(taken.indexes)),
            Arc::new(arrivals),
            Arc::new(kinds),
            Arc::new(producers.finish()),
            Arc::new(UInt64Array::from(taken.sequences)),
        ];
        if layout.is_rows {
            arrays.extend(arrays_of_keys(&taken.keys, &layout.key)?);
            let times = TimestampMillisecondArray::from(taken.event_times).with_timezone("UTC");
            arrays.push(Arc::new(times));
            arrays.push(Arc::new(absent.finish()));
        }
        for column in &taken.fields {
            arrays.push(array_of(column)?.0);
        }
        Ok(RecordBatch::try_new(Arc::clone(&layout.schema), arrays)?)
    }
}

/// One bit for each of `fields` features that a put leaves as it is, lowest bits first; nothing when it gives all.
fn absent(change: &Change<'_>, fields: usize) -> Option<Vec<u8>> {
    if change.kind != ChangeKind::Put {
        return None;
    }
    let mut bits = vec![0_u8; fields.div_ceil(8)];
    for field in 0..fields {
        let is_absent = matches!(change.cells.get(field), None | Some(Cell::Absent));
        if let Some(byte) = bits.get_mut(field / 8).filter(|_| is_absent) {
            *byte |= 1 << (field % 8);
        }
    }
    bits.iter().any(|byte| *byte != 0).then_some(bits)
}
