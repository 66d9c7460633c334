//! What a file of logged reads looks like: the columns of one service under one version of the definitions.
//!
//! | columns | | |
//! |---|---|---|
//! | `read_at` `as_of` `asked_as_of` | timestamps | the server's clock; what the reply said; what was asked for, null for now |
//! | `exclusive` `snap` | `Boolean` | as asked for |
//! | of each entity its key, `ENTITY__seen` | as exported, `UInt64` | up to which record of the log its changes were seen |
//! | of each group `GROUP__as_of` | timestamp | when it was looked at |
//! | of a window group `GROUP__snapped_at` `GROUP__observed_since` | timestamps | the stream's now, when snapped; since when there are events |
//! | request values | as exported | |
//! | of each value of the vector itself and `VALUE__status` | as exported | as served |

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef};
use engine::ReadPlan;
use model::definition::{self, Definitions, Entity, GroupKind, History, ReadLog};
use model::value::DataType;

use super::FORM;
use crate::group::{feature_field, key_fields, status_field, with_metadata as with};
use crate::metadata::{self, role};
use crate::own_columns::name_apart;
use crate::{Error, arrow_type};

/// Columns before those of the entities.
pub(super) const FIRST_ENTITY: usize = 5;

/// See the module.
#[derive(Debug)]
pub struct ReadLayout {
    pub(super) service: String,
    pub(super) version: u64,
    pub(super) kept: History,
    pub(super) entities: Vec<Entity>,
    /// Names of the groups, and whether they are window groups.
    pub(super) groups: Vec<(String, bool)>,
    pub(super) request: Vec<definition::Field>,
    /// Values of the vector, derived ones included.
    pub(super) outputs: Vec<(String, DataType)>,
    pub(super) schema: SchemaRef,
}

impl ReadLayout {
    /// That of the service that `plan` reads, of the same version of `definitions`.
    ///
    /// # Errors
    /// [`Error::Usage`] when they are of different ones.
    pub fn new(definitions: &Definitions, plan: &ReadPlan) -> Result<Self, Error> {
        let gone = |what: &str| Error::Usage(format!("{what} is not defined: prepare again"));
        let entity = |(name, _): &(String, _)| {
            definitions.entity(name).map(|(_, entity)| entity.clone()).ok_or_else(|| gone(name))
        };
        let group = |index: usize| {
            let group = definitions.groups.get(index).ok_or_else(|| gone("a group"))?;
            Ok((group.name.to_string(), matches!(group.kind, GroupKind::Windows(_))))
        };
        let mut layout = Self {
            service: plan.service_name().to_owned(),
            version: plan.version(),
            kept: plan.read_log().map_or(History::default(), |log: ReadLog| log.kept),
            entities: plan.entities().iter().map(entity).collect::<Result<_, _>>()?,
            groups: plan.group_indexes().into_iter().map(group).collect::<Result<_, Error>>()?,
            request: plan.request_fields().to_vec(),
            outputs: plan.outputs().to_vec(),
            schema: Arc::new(Schema::empty()),
        };
        layout.schema = layout.make_schema();
        Ok(layout)
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Version of the definitions.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The name of value `output` of the vector.
    #[must_use]
    pub fn output_name(&self, output: usize) -> &str {
        self.outputs.get(output).map_or("", |(name, _)| name)
    }

    /// How many entities a vector is of.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// Where the columns of the first group stand.
    pub(super) fn first_group(&self) -> usize {
        FIRST_ENTITY + self.entities.iter().map(|entity| entity.key.len() + 1).sum::<usize>()
    }

    /// Where those of the request values stand.
    pub(super) fn first_request(&self) -> usize {
        let columns = |(_, is_windows): &(String, bool)| if *is_windows { 3 } else { 1 };
        self.first_group() + self.groups.iter().map(columns).sum::<usize>()
    }

    /// Where those of the vector stand.
    pub(super) fn first_output(&self) -> usize {
        self.first_request() + self.request.len()
    }

    fn make_schema(&self) -> SchemaRef {
        let values: Vec<_> =
            self.outputs.iter().map(|(name, data_type)| feature_field(name, *data_type)).collect();
        let request = self.request.iter().map(|field| {
            let name = field.name.as_str();
            column(name, arrow_type(field.data_type), true, role::REQUEST)
        });
        let mut fields = head();
        for entity in &self.entities {
            fields.extend(key_fields(entity));
            let name = format!("{}__seen", entity.name);
            fields.push(column(&name, Arrow::UInt64, false, role::SEEN));
        }
        let time = || arrow_type(DataType::Timestamp);
        for (group, is_windows) in &self.groups {
            let of = |what: &str, is_nullable, role| {
                let field = column(&format!("{group}__{what}"), time(), is_nullable, role);
                with(field, [(metadata::GROUP, group.clone())])
            };
            fields.push(of("as_of", false, role::GROUP_AS_OF));
            if *is_windows {
                fields.push(of("snapped_at", true, role::SNAPPED_AT));
                fields.push(of("observed_since", true, role::OBSERVED_SINCE));
            }
        }
        fields.extend(request);
        for value in values {
            let status = status_field(&value);
            fields.extend([value, status]);
        }
        name_apart(&mut fields);
        let limit = |limit: Option<String>| limit.unwrap_or_else(|| metadata::UNLIMITED.to_owned());
        let History { age_ms, bytes } = self.kept;
        let about = HashMap::from([
            (metadata::KEPT_AGE_MS.to_owned(), limit(age_ms.map(|age_ms| age_ms.to_string()))),
            (metadata::KEPT_BYTES.to_owned(), limit(bytes.map(|bytes| bytes.to_string()))),
            (metadata::READ_LOG.to_owned(), FORM.to_owned()),
            (metadata::SERVICE.to_owned(), self.service.clone()),
            (metadata::DEFINITIONS_VERSION.to_owned(), self.version.to_string()),
        ]);
        Arc::new(Schema::new_with_metadata(fields, about))
    }
}

/// The columns that every file has.
fn head() -> Vec<Field> {
    let time = || arrow_type(DataType::Timestamp);
    vec![
        column("read_at", time(), false, role::READ_AT),
        column("as_of", time(), false, role::AS_OF),
        column("asked_as_of", time(), true, role::ASKED_AS_OF),
        column("exclusive", Arrow::Boolean, false, role::EXCLUSIVE),
        column("snap", Arrow::Boolean, false, role::SNAP),
    ]
}

fn column(name: &str, arrow: Arrow, is_nullable: bool, role: &str) -> Field {
    with(Field::new(name, arrow, is_nullable), [(metadata::ROLE, role.to_owned())])
}
