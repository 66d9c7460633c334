//! The columns of a group, and which of them are personal: tagged themselves, or by what they come from.

use model::definition::{Definitions, Group, GroupKind};

use super::decide::PERSONAL;

/// See the module.
pub(super) struct Columns<'a> {
    pub(super) group: &'a Group,
    is_personal: bool,
}

impl<'a> Columns<'a> {
    /// Of `group`: what is tagged around it counts for all of them.
    pub(super) fn of(definitions: &'a Definitions, group: &'a Group) -> Self {
        let entity = definitions.entities.get(group.entity).map(|entity| &entity.metadata);
        let stream = match &group.kind {
            GroupKind::Windows(windows) => definitions.streams.get(windows.stream),
            GroupKind::Rows(_) => None,
        };
        let around = entity.into_iter().chain(stream.map(|stream| &stream.metadata));
        let is_personal = around.flat_map(|metadata| &metadata.tags).any(|tag| tag == PERSONAL);
        Self { group, is_personal }
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        match &self.group.kind {
            GroupKind::Rows(rows) => rows.features.len(),
            GroupKind::Windows(windows) => windows.columns.len(),
        }
    }

    /// The name of one.
    pub(super) fn name(&self, column: usize) -> Option<&'a str> {
        let field = match &self.group.kind {
            GroupKind::Rows(rows) => rows.features.get(column),
            GroupKind::Windows(windows) => windows.columns.get(column).map(|column| &column.field),
        };
        field.map(|field| field.name.as_str())
    }

    /// Whether only declared purposes may read it.
    pub(super) fn is_personal(&self, column: usize) -> bool {
        self.is_personal || self.group.tags_of(column).any(|tag| tag == PERSONAL)
    }
}
