//! What a replay writes: the spine's columns as they are, then features, their statuses if asked for, then what is incomplete.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef};
use engine::replay::ReplayPlan;
use model::{column::Column, definition::GroupKind};

use crate::{
    Error, array_of,
    group::{feature_field, status_field, window_fields},
    metadata, statuses_as_words,
};

/// The column that says whether some window reaches back before there were events.
pub(super) const INCOMPLETE: &str = "history_incomplete";

/// The table that is written.
#[derive(Debug)]
pub(super) struct Output {
    schema: SchemaRef,
    /// Columns of the spine.
    carried: usize,
    with_statuses: bool,
}

impl Output {
    /// Behind the columns of `spine`, of the file `path`.
    ///
    /// # Errors
    /// [`Error::File`] names a column that would be there twice.
    pub(super) fn new(
        plan: &ReplayPlan,
        (path, spine): (&Path, &Schema),
        (service, with_statuses): (Option<&str>, bool),
    ) -> Result<Self, Error> {
        let mut fields: Vec<Field> =
            spine.fields().iter().map(|field| field.as_ref().clone()).collect();
        for field in features(plan) {
            let status = with_statuses.then(|| status_field(&field));
            fields.push(field);
            fields.extend(status);
        }
        fields.push(Field::new(INCOMPLETE, Arrow::Boolean, false));
        for (place, field) in fields.iter().enumerate().skip(spine.fields().len()) {
            if fields.iter().take(place).any(|before| before.name() == field.name()) {
                let what = format!(
                    "the spine has a column {}, as the result has: rename it",
                    field.name()
                );
                return Err(Error::file(path, what));
            }
        }
        let mut all: HashMap<String, String> = spine.metadata().clone();
        if let Some(service) = service {
            all.insert(metadata::SERVICE.to_owned(), service.to_owned());
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, all));
        Ok(Self { schema, carried: spine.fields().len(), with_statuses })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many columns stand before the features: those of the spine.
    pub(super) fn carried(&self) -> usize {
        self.carried
    }

    /// Rows of the spine with what they see.
    ///
    /// # Errors
    /// [`Error::Usage`] when strings of one column pass 2 GiB.
    pub(super) fn batch(
        &self,
        spine: &RecordBatch,
        columns: &[Column],
        incomplete: Vec<bool>,
    ) -> Result<RecordBatch, Error> {
        let mut arrays: Vec<ArrayRef> = spine.columns().to_vec();
        for column in columns {
            let (values, statuses) = array_of(column)?;
            arrays.push(values);
            if self.with_statuses {
                arrays.push(Arc::new(statuses_as_words(&statuses)?));
            }
        }
        arrays.push(Arc::new(BooleanArray::from(incomplete)));
        Ok(RecordBatch::try_new(self.schema.clone(), arrays)?)
    }
}

/// Stored features as their groups have them, under the names of the service; then derived ones.
fn features(plan: &ReplayPlan) -> Vec<Field> {
    let outputs = plan.read_plan().outputs();
    let plain = outputs.iter().map(|(name, data_type)| feature_field(name, *data_type));
    let mut fields: Vec<Field> = plain.collect();
    for group in plan.groups() {
        let Some(definition) = plan.definitions().groups.get(group.index) else { continue };
        let GroupKind::Windows(windows) = &definition.kind else { continue };
        let of_group = window_fields(windows);
        for (output, column) in group.outputs.iter().zip(group.columns) {
            let (Some(field), Some(own)) = (fields.get_mut(*output), of_group.get(*column)) else {
                continue;
            };
            *field = own.clone().with_name(field.name().clone());
        }
    }
    fields
}
