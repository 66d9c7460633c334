//! Definitions from a file: every problem is found in one pass, and what exists keeps its index.
//!
//! ```text
//! document    TOML with positions          entity, stream, row_group, window_group, service   one kind of object each
//! fields      name → type tables           hop      default hops of windows                    history, read_log   kept as files
//! ```

mod document;
mod entity;
mod fields;
mod history;
mod hop;
mod metadata;
mod read_log;
mod row_group;
mod service;
mod stream;
mod window_group;

use std::collections::BTreeSet;

use document::{Item, Problems, Section};

use super::Definitions;
use crate::{
    Error,
    expr::shown,
    limits::{DEFINITIONS_BYTES_MAX, DEFINITIONS_MAX},
    name::Name,
    nearest,
};

impl Definitions {
    /// `base` with the definitions of a TOML file added: what the file does not mention stays, what it names again is
    /// replaced in place. Features of row groups, fields of streams and all four lists keep their indexes, whatever order
    /// the file has. Whether the changes are possible is for [`super::Plan::between`] to say.
    ///
    /// `file_name` is only used in messages.
    ///
    /// # Errors
    /// [`Error::Definition`] with every problem (at most [`crate::limits::PROBLEMS_LISTED_MAX`]), one a line:
    /// `file:line: key: what is wrong; what is allowed`.
    pub fn parse(file_name: &str, text: &str, base: &Self) -> Result<Self, Error> {
        let mut problems = Problems::new(file_name, text);
        if text.len() > DEFINITIONS_BYTES_MAX {
            let size = text.len();
            problems.add(
                0,
                "file",
                format!("{size} bytes; at most {DEFINITIONS_BYTES_MAX} are allowed"),
            );
            problems.into_result()?;
            return Ok(base.clone());
        }
        let (table, syntax_errors) = toml::de::DeTable::parse_recoverable(text);
        for error in &syntax_errors {
            let span = error.span().unwrap_or(0..0);
            let piece = text.get(span.clone()).map_or("", str::trim);
            let piece =
                if piece.is_empty() { String::new() } else { format!(" at {}", shown(piece)) };
            let message = error.message().replace('\n', ", ");
            problems.add(span.start, "TOML", format!("{message}{piece}"));
        }
        if !syntax_errors.is_empty() {
            problems.into_result()?;
            return Ok(base.clone());
        }
        let mut reader = Reader { problems, definitions: base.clone(), failed: BTreeSet::new() };
        reader.file(&Section::root(table.get_ref()));
        let Reader { problems, definitions, .. } = reader;
        problems.into_result().map(|()| definitions)
    }
}

/// The four kinds of objects, in the order in which they refer to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Entity,
    Stream,
    Group,
    Service,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Entity, Self::Stream, Self::Group, Self::Service];

    fn as_str(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Stream => "stream",
            Self::Group => "group",
            Self::Service => "service",
        }
    }
}

/// A file being read.
struct Reader<'t> {
    problems: Problems<'t>,
    /// What was there before, and what has been read so far.
    definitions: Definitions,
    /// Objects of the file with problems of their own: who refers to them is not blamed.
    failed: BTreeSet<(Kind, String)>,
}

impl Reader<'_> {
    fn file(&mut self, root: &Section<'_>) {
        root.check_keys(&mut self.problems, &Kind::ALL.map(Kind::as_str), &[]);
        for kind in Kind::ALL {
            for item in root.table(&mut self.problems, kind.as_str()) {
                let before = self.problems.count();
                self.object(kind, &item);
                if self.problems.count() > before {
                    self.failed.insert((kind, item.key.to_owned()));
                }
            }
        }
        let Definitions { entities, streams, groups, services } = &self.definitions;
        let counts = [entities.len(), streams.len(), groups.len(), services.len()];
        for (kind, count) in Kind::ALL.into_iter().zip(counts) {
            if count > DEFINITIONS_MAX {
                let message = format!("{count} definitions; at most {DEFINITIONS_MAX} are allowed");
                self.problems.add(0, kind.as_str(), message);
            }
        }
    }

    fn object(&mut self, kind: Kind, item: &Item<'_>) {
        let Some(section) = item.section(&mut self.problems) else { return };
        let Some(name) = item.name(&mut self.problems) else { return };
        match kind {
            Kind::Entity => self.entity(name, &section),
            Kind::Stream => self.stream(name, &section),
            Kind::Group if section.get("stream").is_some() || section.get("windows").is_some() => {
                self.window_group(name, &section);
            }
            Kind::Group => self.row_group(name, &section),
            Kind::Service => self.service(name, &section),
        }
    }

    /// The index of the entity or stream that the group `section` names; `None` was noted.
    fn reference(&mut self, section: &Section<'_>, kind: Kind) -> Option<usize> {
        let key = kind.as_str();
        let wanted = format!("the name of {} {key}", if kind == Kind::Entity { "an" } else { "a" });
        let item = section.require(&mut self.problems, key, &wanted)?;
        let text = item.text(&mut self.problems, &wanted)?;
        let names: Vec<&Name> = match kind {
            Kind::Entity => self.definitions.entities.iter().map(|entity| &entity.name).collect(),
            Kind::Stream => self.definitions.streams.iter().map(|stream| &stream.name).collect(),
            Kind::Group => self.definitions.groups.iter().map(|group| &group.name).collect(),
            Kind::Service => {
                self.definitions.services.iter().map(|service| &service.name).collect()
            }
        };
        let found = names.iter().position(|name| name.as_str() == text);
        let is_blamed_already = self.failed.contains(&(kind, text.to_owned()));
        if found.is_none() && !is_blamed_already {
            let names = || names.iter().map(|name| name.as_str());
            let hint = nearest::hint(text, names());
            let message = format!(
                "no {key} is called {text:?}{hint}; defined are: {}",
                nearest::list(names())
            );
            item.refuse(&mut self.problems, message);
        }
        if is_blamed_already {
            // Silently incomplete, as its own readers are: what it refers to has been refused, and so is the file.
            self.failed.insert((Kind::Group, section.key.to_owned()));
            return None;
        }
        found
    }
}

/// Replaces the object of the same name, or appends: an index names the same thing for ever.
fn put<T>(list: &mut Vec<T>, object: T, is_same: impl Fn(&T) -> bool) {
    match list.iter_mut().find(|existing| is_same(existing)) {
        Some(existing) => *existing = object,
        None => list.push(object),
    }
}
