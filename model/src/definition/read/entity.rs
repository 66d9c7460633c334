//! `[entity.X]`: what features describe, and the types of its key.

use super::{Reader, document::Section, metadata, put};
use crate::{definition::Entity, key::KeyType, limits::KEY_PARTS_MAX, name::Name};

impl Reader<'_> {
    pub(super) fn entity(&mut self, name: Name, section: &Section<'_>) {
        section.check_keys(&mut self.problems, &metadata::with(&["key"]), &[]);
        let metadata = metadata::read(section, &mut self.problems);
        let Some(key) = self.key_types(section) else { return };
        let entity = Entity { name, key, metadata };
        let name = entity.name.clone();
        put(&mut self.definitions.entities, entity, |existing| existing.name == name);
    }

    fn key_types(&mut self, section: &Section<'_>) -> Option<Vec<KeyType>> {
        const WANTED: &str =
            "\"string\", \"i64\", \"bytes\", or an array of them for a composite key";
        let item = section.require(&mut self.problems, "key", WANTED)?;
        let parts = item.texts(&mut self.problems, WANTED, true)?;
        if parts.is_empty() || parts.len() > KEY_PARTS_MAX {
            let message = format!("a key has 1 to {KEY_PARTS_MAX} parts, got {}", parts.len());
            item.refuse(&mut self.problems, message);
            return None;
        }
        let mut types = Vec::with_capacity(parts.len());
        for part in parts {
            match KeyType::parse(part.as_text()) {
                Ok(key_type) => types.push(key_type),
                Err(error) => part.refuse(&mut self.problems, error),
            }
        }
        Some(types)
    }
}
