//! `[group.X]` of rows that are put.

use super::{Kind, Reader, document::Section, fields, metadata, put};
use crate::{
    definition::{Group, GroupKind, RowGroup},
    name::Name,
};

impl Reader<'_> {
    pub(super) fn row_group(&mut self, name: Name, section: &Section<'_>) {
        const WINDOWS_ONLY: &str = "only a window group has it, which also has stream and windows";
        let keys = metadata::with(&["entity", "max_age", "history", "features", "feature_tags"]);
        let misplaced = [("key", WINDOWS_ONLY), ("hops", WINDOWS_ONLY)];
        section.check_keys(&mut self.problems, &keys, &misplaced);
        let metadata = metadata::read(section, &mut self.problems);
        let entity = self.reference(section, Kind::Entity);
        let max_age_ms = section.span_ms(&mut self.problems, "max_age").flatten();
        let history = self.history(section);
        let wanted = "a table of feature names and types";
        if section.require(&mut self.problems, "features", wanted).is_none() {
            return;
        }
        let items = section.table(&mut self.problems, "features");
        let existing = match self.definitions.group(name.as_str()) {
            Some((_, Group { kind: GroupKind::Rows(rows), .. })) => rows.features.as_slice(),
            _ => &[],
        };
        let features = fields::read(&items, existing, &mut self.problems, |_| Ok(()));
        if items.is_empty() {
            section.refuse(&mut self.problems, "features is empty; a group has at least one");
        }
        let names = || features.iter().map(|feature| feature.name.as_str());
        let feature_tags = metadata::feature_tags(section, &mut self.problems, names);
        let Some(entity) = entity else { return };
        let kind = GroupKind::Rows(RowGroup { features, max_age_ms, history });
        self.put_group(Group { name, entity, kind, metadata, feature_tags });
    }

    pub(super) fn put_group(&mut self, group: Group) {
        let name = group.name.clone();
        put(&mut self.definitions.groups, group, |existing| existing.name == name);
    }
}
