//! `description`, `owner`, `tags`: allowed on every object.

use super::document::{Problems, Section};
use crate::{
    definition::Metadata,
    limits::{STRING_BYTES_MAX, TAGS_MAX},
};

/// The keys read here.
pub(super) const KEYS: [&str; 3] = ["description", "owner", "tags"];

/// `keys` and those of the metadata.
pub(super) fn with<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    keys.iter().copied().chain(KEYS).collect()
}

/// Reads the metadata of an object.
pub(super) fn read(section: &Section<'_>, problems: &mut Problems<'_>) -> Metadata {
    let mut text = |key: &str| {
        let item = section.get(key)?;
        let text = item.text(problems, "a string")?;
        if text.len() > STRING_BYTES_MAX {
            item.refuse(
                problems,
                format!("{} bytes; at most {STRING_BYTES_MAX} are allowed", text.len()),
            );
        }
        Some(text.to_owned())
    };
    let (description, owner) = (text("description"), text("owner"));
    let tags = section.get("tags").and_then(|item| {
        let tags = item.texts(problems, "an array of strings", false)?;
        if tags.len() > TAGS_MAX {
            item.refuse(problems, format!("{} tags; at most {TAGS_MAX} are allowed", tags.len()));
        }
        Some(tags.iter().map(|tag| tag.as_text().to_owned()).collect())
    });
    Metadata { description, owner, tags: tags.unwrap_or_default() }
}
