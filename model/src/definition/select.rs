//! From references such as `card_spend:*` to the values of a service, their names and their entities.

use std::collections::{BTreeMap, BTreeSet};

use super::{Definitions, FeatureRef, Metadata, Service, ServiceFeature};
use crate::{Error, limits::FEATURES_PER_SERVICE_MAX, name::Name, nearest};

/// How a reference is written.
pub(super) const REFERENCE: &str = "\"group:feature\" or \"group:*\"";

/// Stored features that were selected so far.
#[derive(Debug, Default)]
pub(super) struct Selection {
    features: Vec<FeatureRef>,
    seen: BTreeSet<(usize, usize)>,
}

impl Selection {
    /// Adds what `reference` names.
    ///
    /// # Errors
    /// What is wrong and what there is.
    pub(super) fn add(&mut self, definitions: &Definitions, reference: &str) -> Result<(), String> {
        let Some((group_name, column_name)) = reference.split_once(':') else {
            return Err(format!("{reference:?} is not written as {REFERENCE}"));
        };
        let Some((group, found)) = definitions.group(group_name) else {
            let names = || definitions.groups.iter().map(|group| group.name.as_str());
            let hint = nearest::hint(group_name, names());
            let defined = nearest::list(names());
            return Err(format!("no group is called {group_name:?}{hint}; defined are: {defined}"));
        };
        let columns = found.columns();
        let chosen: Vec<_> = (0..columns.len())
            .filter(|column| {
                let field = columns.get(*column);
                column_name == "*" || field.is_some_and(|field| field.name.as_str() == column_name)
            })
            .collect();
        if chosen.is_empty() {
            let names = || columns.iter().map(|field| field.name.as_str());
            let hint = nearest::hint(column_name, names());
            let list = nearest::list(names());
            return Err(format!(
                "group {group_name} has no feature {column_name:?}{hint}; it has: {list}"
            ));
        }
        for column in chosen {
            if !self.seen.insert((group, column)) {
                let name = columns.get(column).map_or("", |field| field.name.as_str());
                return Err(format!("{group_name}:{name} is listed twice; list each feature once"));
            }
            self.features.push(FeatureRef { group, column });
        }
        if self.features.len() > FEATURES_PER_SERVICE_MAX {
            return Err(format!(
                "more than {FEATURES_PER_SERVICE_MAX} features; no service reads more"
            ));
        }
        Ok(())
    }

    /// The features with names and entities. A column's name stands alone unless two groups share it or it is `taken`.
    pub(super) fn resolve(
        &self,
        definitions: &Definitions,
        taken: &BTreeSet<&str>,
    ) -> (Vec<usize>, Vec<ServiceFeature>) {
        let found: Vec<_> = self
            .features
            .iter()
            .filter_map(|feature| {
                let group = definitions.groups.get(feature.group)?;
                Some((feature, group, group.columns().into_iter().nth(feature.column)?))
            })
            .collect();
        let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, _, field) in &found {
            *uses.entry(field.name.as_str()).or_default() += 1;
        }
        let mut entities: Vec<usize> = Vec::new();
        let mut features = Vec::with_capacity(found.len());
        for (feature, group, field) in &found {
            let bare = field.name.as_str();
            let is_alone = uses.get(bare) == Some(&1) && !taken.contains(bare);
            let name = if is_alone { bare.to_owned() } else { format!("{}:{bare}", group.name) };
            let entity = entities.iter().position(|entity| *entity == group.entity);
            let entity = entity.unwrap_or_else(|| {
                entities.push(group.entity);
                entities.len() - 1
            });
            let data_type = field.data_type;
            features.push(ServiceFeature { feature: **feature, name, entity, data_type });
        }
        (entities, features)
    }
}

impl Service {
    /// The service that reads `references` (`group:feature`, `group:*`), in order, without being defined.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the reference and what there is.
    pub fn ad_hoc(definitions: &Definitions, references: &[&str]) -> Result<Self, Error> {
        let mut selection = Selection::default();
        for reference in references {
            selection
                .add(definitions, reference)
                .map_err(|why| Error::invalid("feature", *reference, why))?;
        }
        if references.is_empty() {
            return Err(Error::invalid("feature", "", format!("give at least one {REFERENCE}")));
        }
        let (entities, features) = selection.resolve(definitions, &BTreeSet::new());
        Ok(Self {
            name: Name::new("ad_hoc")?,
            entities,
            features,
            request: Vec::new(),
            derived: Vec::new(),
            read_log: None,
            metadata: Metadata::default(),
        })
    }
}
