//! What a file of a group looks like: keys, features, statuses where they say more than the values, event times, partials.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, TimestampMillisecondArray};
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef};
use engine::{Dump, DumpChunk};
use model::definition::{Definitions, Entity, Group, GroupKind, WindowGroup};
use model::key::KeyType;
use model::status::Status;
use model::value::DataType;

use crate::key::{arrays_of_keys, arrow_key_type, key_columns};
use crate::metadata::{self, role};
use crate::own_columns::name_apart;
use crate::{Error, array_of, arrow_type, statuses_as_words};

/// A group on its way to files.
pub(super) struct GroupTable {
    pub(super) dump: Dump,
    pub(super) name: String,
    pub(super) entity: String,
    pub(super) is_rows: bool,
    key: Vec<KeyType>,
    keys: Vec<Field>,
    features: Vec<Field>,
    partials: Vec<Field>,
    metadata: HashMap<String, String>,
    /// Of each feature, whether its statuses are in the file.
    with_status: Vec<bool>,
    schema: SchemaRef,
}

impl GroupTable {
    /// The table of `group` as `dump` reads it.
    pub(super) fn new(
        definitions: &Definitions,
        group: &Group,
        dump: Dump,
        (version, lsn): (u64, Option<u64>),
    ) -> Result<Self, Error> {
        let entity = definitions.entities.get(group.entity);
        let entity = entity.ok_or_else(|| Error::Usage(format!("{} has no entity", group.name)))?;
        let features: Vec<_> = match &group.kind {
            GroupKind::Rows(rows) => {
                rows.features.iter().map(|f| feature(f.name.as_str(), f.data_type, [])).collect()
            }
            GroupKind::Windows(windows) => window_features(windows),
        };
        let mut file = HashMap::from([
            (metadata::DEFINITIONS_VERSION.to_owned(), version.to_string()),
            (metadata::AS_OF_MS.to_owned(), dump.as_of().to_string()),
            (metadata::GROUP.to_owned(), group.name.to_string()),
            (metadata::ENTITY.to_owned(), entity.name.to_string()),
        ]);
        file.extend(lsn.map(|lsn| (metadata::LSN.to_owned(), lsn.to_string())));
        if let GroupKind::Windows(windows) = &group.kind {
            let stream = definitions.streams.get(windows.stream).map(|stream| &stream.name);
            file.extend(stream.map(|name| (metadata::STREAM.to_owned(), name.to_string())));
            // Before the first event of an event clock nothing is observed.
            let since = dump.observed_since().filter(|since| *since != i64::MAX);
            file.extend(since.map(|at| (metadata::OBSERVED_SINCE_MS.to_owned(), at.to_string())));
        }
        let sketches = dump.sketches().iter();
        let partials = sketches.filter_map(|column| features.get(*column)).map(partial).collect();
        let mut table = Self {
            name: group.name.to_string(),
            entity: entity.name.to_string(),
            is_rows: matches!(group.kind, GroupKind::Rows(_)),
            key: entity.key.clone(),
            keys: key_fields(entity),
            with_status: vec![false; features.len()],
            features,
            partials,
            metadata: file,
            dump,
            schema: Arc::new(Schema::empty()),
        };
        table.schema = table.make_schema();
        Ok(table)
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Makes room for statuses that `chunk` has and the file has no column for; true when there are some. A table that lacked
    /// columns again and again gets all of them.
    pub(super) fn widen(&mut self, chunk: &DumpChunk, all: bool) -> bool {
        const PRESENT: u8 = Status::Present as u8;
        const NULL: u8 = Status::Null as u8;
        let mut is_wider = false;
        for (column, with_status) in chunk.page.columns.iter().zip(&mut self.with_status) {
            let tells = || column.statuses().iter().any(|s| !matches!(*s, PRESENT | NULL));
            if !*with_status && tells() {
                (*with_status, is_wider) = (true, true);
            }
        }
        if is_wider {
            self.with_status.iter_mut().for_each(|with_status| *with_status |= all);
            self.schema = self.make_schema();
        }
        is_wider
    }

    /// The rows of `chunk`.
    pub(super) fn batch(&self, chunk: &DumpChunk) -> Result<RecordBatch, Error> {
        let page = &chunk.page;
        let mut arrays = arrays_of_keys(&page.keys, &self.key)?;
        for (column, with_status) in page.columns.iter().zip(&self.with_status) {
            let (values, statuses) = array_of(column)?;
            arrays.push(values);
            if *with_status {
                arrays.push(Arc::new(statuses_as_words(&statuses)?));
            }
        }
        if self.is_rows {
            let times = page.event_times.iter();
            let times = times.map(|time| Some(*time).filter(|time| *time != i64::MIN));
            let times = times.collect::<TimestampMillisecondArray>().with_timezone("UTC");
            arrays.push(Arc::new(times) as ArrayRef);
        }
        for sketch in &chunk.sketches {
            arrays.push(array_of(sketch)?.0);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }

    /// Columns in the order of [`GroupTable::batch`].
    fn make_schema(&self) -> SchemaRef {
        let mut fields = self.keys.clone();
        for (feature, with_status) in self.features.iter().zip(&self.with_status) {
            fields.push(feature.clone());
            if *with_status {
                fields.push(status(feature));
            }
        }
        if self.is_rows {
            let time = Field::new("event_time", arrow_type(DataType::Timestamp), true);
            fields.push(with(time, [(metadata::ROLE, role::EVENT_TIME.to_owned())]));
        }
        fields.extend(self.partials.iter().cloned());
        name_apart(&mut fields);
        Arc::new(Schema::new_with_metadata(fields, self.metadata.clone()))
    }
}

/// `field`, which says more about itself.
pub(crate) fn with<const N: usize>(field: Field, metadata: [(&str, String); N]) -> Field {
    let mut all = field.metadata().clone();
    all.extend(metadata.map(|(name, value)| (name.to_owned(), value)));
    field.with_metadata(all)
}

/// The columns of keys of `entity`.
pub(crate) fn key_fields(entity: &Entity) -> Vec<Field> {
    let field = |(name, kind): (String, KeyType)| {
        with(
            Field::new(name, arrow_key_type(kind), false),
            [
                (metadata::ROLE, role::ENTITY_KEY.to_owned()),
                (metadata::ENTITY, entity.name.to_string()),
                (metadata::TYPE, kind.to_string()),
            ],
        )
    };
    key_columns(entity).into_iter().map(field).collect()
}

fn feature<const N: usize>(name: &str, data_type: DataType, more: [(&str, String); N]) -> Field {
    let field = with(
        Field::new(name, arrow_type(data_type), true),
        [
            (metadata::ROLE, role::FEATURE.to_owned()),
            (metadata::FEATURE, name.to_owned()),
            (metadata::TYPE, data_type.to_string()),
        ],
    );
    with(field, more)
}

/// A column of a feature of this name and type.
pub(crate) fn feature_field(name: &str, data_type: DataType) -> Field {
    feature(name, data_type, [])
}

/// One column for each feature and window.
pub(crate) fn window_features(group: &WindowGroup) -> Vec<Field> {
    let columns = group.columns.iter().filter_map(|column| {
        let aggregate = group.features.get(column.feature)?;
        let window = group.windows.get(column.window)?;
        let mut field = feature(
            column.field.name.as_str(),
            column.field.data_type,
            [
                (metadata::FEATURE, aggregate.name.to_string()),
                (metadata::EXPRESSION, aggregate.text.clone()),
                (metadata::WINDOW, window.label.clone()),
            ],
        );
        if !window.is_lifetime() {
            field = with(
                field,
                [
                    (metadata::WINDOW_MS, window.length_ms.to_string()),
                    (metadata::HOP_MS, window.hop_ms.to_string()),
                ],
            );
        }
        if window.offset_ms != 0 {
            field = with(field, [(metadata::OFFSET_MS, window.offset_ms.to_string())]);
        }
        Some(field)
    });
    columns.collect()
}

/// The column of a feature's statuses.
pub(crate) fn status(feature: &Field) -> Field {
    let words = Arrow::Dictionary(Box::new(Arrow::Int8), Box::new(Arrow::Utf8));
    with(
        Field::new(format!("{}__status", feature.name()), words, false),
        [
            (metadata::ROLE, role::STATUS.to_owned()),
            (
                metadata::FEATURE,
                feature.metadata().get(metadata::FEATURE).cloned().unwrap_or_default(),
            ),
        ],
    )
}

/// The column of the sketches of a feature that counts distinct values.
fn partial(feature: &Field) -> Field {
    let name = format!("{}__hll", feature.name());
    let field = Field::new(name, Arrow::Binary, true).with_metadata(feature.metadata().clone());
    with(
        field,
        [
            (metadata::ROLE, role::PARTIAL.to_owned()),
            (metadata::TYPE, "bytes".to_owned()),
            (metadata::SKETCH, "datasketches_hll".to_owned()),
        ],
    )
}
