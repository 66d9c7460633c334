//! `description`, `owner`, `tags`: allowed on every object; `feature_tags` of groups.

use std::collections::BTreeMap;

use super::document::{Item, Problems, Section};
use crate::{
    definition::Metadata,
    limits::{STRING_BYTES_MAX, TAGS_MAX},
    name::Name,
    nearest,
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
    let tags = section.get("tags").map(|item| texts(item, problems));
    Metadata { description, owner, tags: tags.unwrap_or_default() }
}

/// Reads the `feature_tags` of a group whose features are called `names`.
pub(super) fn feature_tags<'a, N: Iterator<Item = &'a str>>(
    section: &Section<'_>,
    problems: &mut Problems<'_>,
    names: impl Fn() -> N,
) -> BTreeMap<Name, Vec<String>> {
    let mut all = BTreeMap::new();
    for item in section.table(problems, "feature_tags") {
        if !names().any(|name| name == item.key) {
            let (hint, list) = (nearest::hint(item.key, names()), nearest::list(names()));
            item.refuse(problems, format!("no such feature{hint}; the group has: {list}"));
            continue;
        }
        let Some(name) = item.name(problems) else { continue };
        all.insert(name, texts(&item, problems));
    }
    all
}

fn texts(item: &Item<'_>, problems: &mut Problems<'_>) -> Vec<String> {
    let tags = item.texts(problems, "an array of strings", false).unwrap_or_default();
    if tags.len() > TAGS_MAX {
        item.refuse(problems, format!("{} tags; at most {TAGS_MAX} are allowed", tags.len()));
    }
    tags.iter().map(|tag| tag.as_text().to_owned()).collect()
}
