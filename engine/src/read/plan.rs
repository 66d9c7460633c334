//! A read plan: a service resolved to groups, columns and key types, made once and used by every read.

use std::sync::Arc;

use aggregate::ColumnSelection;
use model::{
    column::Column,
    definition::{Field, ReadLog, Service, ServiceFeature},
    key::{self, KeyType},
    limits::FRAME_BYTES_MAX,
    value::DataType,
};
use storage::Vfs;

use super::row::RowCopy;
use crate::{
    Database, Error,
    catalog::{Catalog, GroupRuntime},
};

/// What one group contributes.
#[derive(Debug)]
pub(crate) struct GroupRead {
    pub(crate) group: usize,
    /// Position of its entity in the plan.
    pub(crate) entity: usize,
    /// Columns of the group, and beside each the column of the reply.
    pub(crate) columns: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
    /// The window columns, compiled; `None` for a row group.
    pub(crate) selection: Option<ColumnSelection>,
    /// How a whole row is copied; of a row group.
    pub(crate) copy: RowCopy,
}

/// A compiled service. It answers for one version of the definitions.
#[derive(Debug)]
pub struct ReadPlan {
    version: u64,
    service: Service,
    entities: Vec<(String, Vec<KeyType>)>,
    groups: Vec<GroupRead>,
    /// Stored, then derived.
    outputs: Vec<(String, DataType)>,
    /// Their types alone.
    types: Arc<[DataType]>,
    /// Bytes of a vector's values of fixed types.
    fixed_bytes: usize,
}

impl ReadPlan {
    /// The plan of service `name`.
    ///
    /// # Errors
    /// [`Error::NotFound`] lists the services there are.
    pub(crate) fn of_service(catalog: &Catalog, name: &str) -> Result<Self, Error> {
        if let Some((_, service)) = catalog.definitions.service(name) {
            return Self::new(catalog, service.clone());
        }
        let known = catalog.definitions.services.iter().map(|service| service.name.as_str());
        Err(Error::not_found("service", name, known))
    }

    /// The plan of a list of `group:feature` and `group:*`.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the reference that is wrong.
    pub(crate) fn of_features(catalog: &Catalog, references: &[&str]) -> Result<Self, Error> {
        Self::new(catalog, Service::ad_hoc(&catalog.definitions, references)?)
    }

    fn new(catalog: &Catalog, service: Service) -> Result<Self, Error> {
        let mut groups: Vec<GroupRead> = Vec::new();
        for (output, feature) in service.features.iter().enumerate() {
            let address = feature.feature;
            let known = groups.iter_mut().find(|group| group.group == address.group);
            let group = match known {
                Some(group) => group,
                None => {
                    groups.push(GroupRead {
                        group: address.group,
                        entity: feature.entity,
                        columns: Vec::new(),
                        outputs: Vec::new(),
                        selection: None,
                        copy: RowCopy::default(),
                    });
                    let last = groups.len() - 1;
                    &mut groups[last]
                }
            };
            group.columns.push(address.column);
            group.outputs.push(output);
        }
        for group in &mut groups {
            match catalog.groups.get(group.group) {
                Some(GroupRuntime::Windows(windows)) => {
                    group.selection = Some(windows.plan.select(&group.columns));
                }
                Some(GroupRuntime::Rows(rows)) => {
                    group.copy = RowCopy::new(&rows.layout, &group.columns, &group.outputs);
                }
                None => {}
            }
        }
        let entities = service
            .entities
            .iter()
            .filter_map(|index| catalog.definitions.entities.get(*index))
            .map(|entity| (entity.name.to_string(), entity.key.clone()))
            .collect();
        let stored =
            service.features.iter().map(|feature| (feature.name.clone(), feature.data_type));
        let derived =
            service.derived.iter().map(|feature| (feature.name.to_string(), feature.data_type));
        let outputs: Vec<_> = stored.chain(derived).collect();
        let fixed_bytes = outputs.iter().filter_map(|(_, data_type)| data_type.fixed_bytes()).sum();
        let types = outputs.iter().map(|(_, data_type)| *data_type).collect();
        Ok(Self {
            version: catalog.version,
            service,
            entities,
            groups,
            outputs,
            types,
            fixed_bytes,
        })
    }

    /// Version of the definitions it was made for.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Entities whose keys a reader gives, in order: name and key types.
    #[must_use]
    pub fn entities(&self) -> &[(String, Vec<KeyType>)] {
        &self.entities
    }

    /// The types of [`ReadPlan::outputs`].
    pub(crate) fn types(&self) -> &Arc<[DataType]> {
        &self.types
    }

    /// Columns of the reply: name and type, stored ones first.
    #[must_use]
    pub fn outputs(&self) -> &[(String, DataType)] {
        &self.outputs
    }

    /// How many of the columns are derived: the last ones.
    #[must_use]
    pub fn derived_count(&self) -> usize {
        self.service.derived.len()
    }

    /// Values that come with a request.
    #[must_use]
    pub fn request_fields(&self) -> &[Field] {
        &self.service.request
    }

    /// The stored features it reads, in order: also what derived features are computed of.
    #[must_use]
    pub fn features(&self) -> &[ServiceFeature] {
        &self.service.features
    }

    /// Which of its vectors are kept, if any.
    #[must_use]
    pub fn read_log(&self) -> Option<ReadLog> {
        self.service.read_log
    }

    /// Name of the service; of a list of features `ad_hoc`.
    #[must_use]
    pub fn service_name(&self) -> &str {
        self.service.name.as_str()
    }

    /// Names of the groups it reads, in the order of [`super::Vectors::group_times`], are those of these indexes.
    #[must_use]
    pub fn group_indexes(&self) -> Vec<usize> {
        self.groups.iter().map(|group| group.group).collect()
    }

    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &GroupRead> {
        self.groups.iter()
    }

    /// Empty columns with room for `rows`, one for each stored feature.
    pub(crate) fn stored_columns(&self, rows: usize) -> Vec<Column> {
        self.service.features.iter().map(|feature| Column::new(feature.data_type, rows)).collect()
    }

    /// True when windows are read: they take much longer than rows.
    #[must_use]
    pub fn has_windows(&self) -> bool {
        self.groups.iter().any(|group| group.selection.is_some())
    }

    /// Refuses a plan made for other definitions.
    pub(crate) fn check(&self, catalog: &Catalog) -> Result<(), Error> {
        if self.version == catalog.version {
            return Ok(());
        }
        Err(Error::StalePlan { planned: self.version, current: catalog.version })
    }

    /// Refuses a read whose fixed-width values alone are more than a reply holds.
    pub(crate) fn check_size(&self, vectors: usize) -> Result<(), Error> {
        self.check_bytes(self.fixed_bytes.saturating_mul(vectors))
    }

    /// Refuses a read whose values so far are more than a reply holds.
    #[inline]
    pub(crate) fn check_bytes(&self, bytes: usize) -> Result<(), Error> {
        if bytes <= FRAME_BYTES_MAX {
            return Ok(());
        }
        let allowed =
            format!("a reply of at most {FRAME_BYTES_MAX} bytes: read fewer entities at once");
        let given = format!("{bytes} bytes of values or more");
        Err(Error::Invalid(model::Error::invalid("read", given, allowed)))
    }

    /// How many vectors `keys` keys make.
    pub(crate) fn vector_count(&self, keys: usize) -> Result<usize, Error> {
        let width = self.entities.len();
        if width == 0 && keys == 0 {
            // A service of request values alone: one vector.
            return Ok(1);
        }
        if width == 0 {
            let allowed = "none: the service reads no entity";
            return Err(Error::Invalid(model::Error::invalid("keys", keys.to_string(), allowed)));
        }
        if keys.is_multiple_of(width) {
            return Ok(keys / width);
        }
        let names: Vec<_> = self.entities.iter().map(|(name, _)| name.as_str()).collect();
        let allowed = format!("one key for each of {}", names.join(", "));
        Err(Error::Invalid(model::Error::invalid("keys", keys.to_string(), allowed)))
    }

    /// Refuses keys that are none of their entities.
    pub(crate) fn check_keys(&self, keys: &[&[u8]]) -> Result<(), Error> {
        for tuple in keys.chunks(self.entities.len().max(1)) {
            for (entity, (key, (_, types))) in tuple.iter().zip(&self.entities).enumerate() {
                key::validate(key, types).map_err(|error| self.blame(entity, error))?;
            }
        }
        Ok(())
    }

    /// Says whose key was wrong.
    fn blame(&self, entity: usize, error: model::Error) -> Error {
        let name = self.entities.get(entity).map_or("", |(name, _)| name);
        Error::Invalid(model::Error::mismatch(
            format!("key of {name}"),
            "a valid key",
            error.to_string(),
        ))
    }
}

impl<V: Vfs> Database<V> {
    /// The plan of service `name`.
    ///
    /// # Errors
    /// [`Error::NotFound`] lists the services there are.
    pub fn plan_service(&self, name: &str) -> Result<ReadPlan, Error> {
        ReadPlan::of_service(&self.catalog.read(), name)
    }

    /// The plan of a list of `group:feature` and `group:*`.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the reference that is wrong.
    pub fn plan_features(&self, references: &[&str]) -> Result<ReadPlan, Error> {
        ReadPlan::of_features(&self.catalog.read(), references)
    }
}
