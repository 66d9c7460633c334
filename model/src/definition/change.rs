//! The plan of `larder apply`: what a new version of the definitions adds, changes or may not change.
//!
//! The rule behind every refusal: stored rows and window state must keep their meaning. What would need them recomputed or
//! reinterpreted is refused with the way out, which is almost always a new group under a new name.

use std::fmt;

use super::{
    Definitions, Entity, Field, Group, GroupKind, History, RowGroup, Service, Stream, WindowGroup,
};

/// What happens to a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It is new.
    Add,
    /// It exists and will be different.
    Change,
    /// It stays as it is.
    Keep,
    /// It cannot be changed this way; nothing is applied.
    Refuse,
}

impl Verb {
    /// The word shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Keep => "keep",
            Self::Refuse => "refuse",
        }
    }
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happens.
    pub verb: Verb,
    /// `entity`, `stream`, `group` or `service`.
    pub kind: &'static str,
    /// The definition's name.
    pub name: String,
    /// What is different; for a refusal why it is refused and what to do instead. Empty when there is nothing to say.
    pub detail: String,
}

/// Every definition of the new version with what happens to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Entities, streams, groups, services, each in order.
    pub changes: Vec<Change>,
}

/// What is different about one object.
#[derive(Debug, Default)]
struct Difference {
    changed: Vec<String>,
    refused: Vec<String>,
}

impl Difference {
    fn change(&mut self, is_different: bool, what: impl Into<String>) {
        if is_different {
            self.changed.push(what.into());
        }
    }

    fn refuse(&mut self, is_different: bool, what: impl Into<String>) {
        if is_different {
            self.refused.push(what.into());
        }
    }

    /// Fields may be appended; what is there stays.
    fn fields(&mut self, old: &[Field], new: &[Field], what: &str, remedy: &str) {
        for field in old {
            match new.iter().find(|candidate| candidate.name == field.name) {
                None => self.refuse(
                    true,
                    format!("{what} {} cannot be removed; keep it in the file, or {remedy}", field.name),
                ),
                Some(found) if found.data_type != field.data_type => self.refuse(
                    true,
                    format!(
                        "the type of {what} {} cannot change from {} to {}; add one of another name, or {remedy}",
                        field.name, field.data_type, found.data_type
                    ),
                ),
                Some(_) => {}
            }
        }
        let is_new = |field: &&Field| old.iter().all(|known| known.name != field.name);
        for field in new.iter().filter(is_new) {
            self.change(true, format!("new {what} {} {}", field.name, field.data_type));
        }
    }
}

impl Plan {
    /// Compares two versions, `new` being what [`Definitions::parse`] made of `old` and a file.
    #[must_use]
    pub fn between(old: &Definitions, new: &Definitions) -> Self {
        let mut plan = Self::default();
        for item in &new.entities {
            let known = old.entity(item.name.as_str());
            plan.compare("entity", item.name.as_str(), known.map(|(_, known)| entity(known, item)));
        }
        for item in &new.streams {
            let known = old.stream(item.name.as_str());
            plan.compare("stream", item.name.as_str(), known.map(|(_, known)| stream(known, item)));
        }
        for item in &new.groups {
            let known = old.group(item.name.as_str());
            plan.compare("group", item.name.as_str(), known.map(|(_, known)| group(known, item)));
        }
        for item in &new.services {
            let known = old.service(item.name.as_str());
            plan.compare(
                "service",
                item.name.as_str(),
                known.map(|(_, known)| service(known, item)),
            );
        }
        plan
    }

    fn compare(&mut self, kind: &'static str, name: &str, difference: Option<Difference>) {
        let (verb, detail) = match difference {
            None => (Verb::Add, String::new()),
            Some(Difference { refused, .. }) if !refused.is_empty() => {
                (Verb::Refuse, refused.join("; "))
            }
            Some(Difference { changed, .. }) if changed.is_empty() => (Verb::Keep, String::new()),
            Some(Difference { changed, .. }) => (Verb::Change, changed.join("; ")),
        };
        self.changes.push(Change { verb, kind, name: name.to_owned(), detail });
    }

    /// True when some change is refused: then none is made.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.changes.iter().any(|change| change.verb == Verb::Refuse)
    }

    /// True when there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|change| change.verb == Verb::Keep)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<7}{:<8}{}", self.verb.as_str(), self.kind, self.name)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// One line for each change; what stays is not shown.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing to change");
        }
        let shown = self.changes.iter().filter(|change| change.verb != Verb::Keep);
        shown.into_iter().try_for_each(|change| writeln!(f, "{change}"))
    }
}

fn entity(old: &Entity, new: &Entity) -> Difference {
    let mut difference = Difference::default();
    difference.refuse(
        old.key != new.key,
        "the key of an entity cannot change: rows are stored under it; define a new entity",
    );
    difference.change(old.metadata != new.metadata, "metadata");
    difference
}

fn stream(old: &Stream, new: &Stream) -> Difference {
    let mut difference = Difference::default();
    difference.fields(&old.fields, &new.fields, "field", "define a new stream");
    let name =
        |stream: &Stream, field: usize| stream.fields.get(field).map(|field| field.name.clone());
    let id = |stream: &Stream| stream.event_id.and_then(|field| name(stream, field));
    for (what, is_different) in [
        ("event_time", name(old, old.event_time) != name(new, new.event_time)),
        ("event_id", id(old) != id(new)),
        ("retract", old.retract != new.retract),
        ("clock", old.clock != new.clock),
        ("horizon", old.horizon_ms != new.horizon_ms),
    ] {
        difference.refuse(
            is_different,
            format!(
                "{what} of a stream cannot change: windows were filled by it; define a new stream"
            ),
        );
    }
    difference.change(old.dedup_ms != new.dedup_ms, "dedup");
    difference.change(old.max_skew_ms != new.max_skew_ms, "max_skew");
    history(old.history, new.history, &mut difference);
    difference.change(old.metadata != new.metadata, "metadata");
    difference
}

fn group(old: &Group, new: &Group) -> Difference {
    let mut difference = Difference::default();
    difference.refuse(
        old.entity != new.entity,
        "the entity of a group cannot change: its values are stored under that entity's keys; define a new group",
    );
    match (&old.kind, &new.kind) {
        (GroupKind::Rows(old), GroupKind::Rows(new)) => rows(old, new, &mut difference),
        (GroupKind::Windows(old), GroupKind::Windows(new)) => windows(old, new, &mut difference),
        _ => difference.refuse(
            true,
            "a row group cannot become a window group, nor the reverse; define a new group",
        ),
    }
    difference.change(old.metadata != new.metadata, "metadata");
    difference.change(old.feature_tags != new.feature_tags, "feature_tags");
    difference
}

fn rows(old: &RowGroup, new: &RowGroup, difference: &mut Difference) {
    difference.fields(&old.features, &new.features, "feature", "define a new group");
    difference.change(old.max_age_ms != new.max_age_ms, "max_age");
    history(old.history, new.history, difference);
}

/// What is kept as files may change: what was kept already stays until its own time is over.
fn history(old: Option<History>, new: Option<History>, difference: &mut Difference) {
    match (old, new) {
        (None, Some(new)) => difference.change(true, format!("history begins ({new})")),
        (Some(_), None) => difference.change(true, "history ends"),
        (Some(old), Some(new)) => difference.change(old != new, format!("history ({new})")),
        (None, None) => {}
    }
}

fn windows(old: &WindowGroup, new: &WindowGroup, difference: &mut Difference) {
    let hops = |group: &WindowGroup| -> Vec<_> { group.windows.iter().map(|w| w.hop_ms).collect() };
    let lengths = |group: &WindowGroup| -> Vec<_> {
        group.windows.iter().map(|w| (w.label.clone(), w.length_ms)).collect()
    };
    let aggregates = |group: &WindowGroup| -> Vec<_> {
        group.features.iter().map(|f| (f.name.clone(), f.aggregate.clone())).collect()
    };
    for (what, is_different) in [
        ("stream", old.stream != new.stream),
        ("key", old.key != new.key),
        ("windows", lengths(old) != lengths(new)),
        ("hops", lengths(old) == lengths(new) && hops(old) != hops(new)),
        ("features", aggregates(old) != aggregates(new)),
    ] {
        difference.refuse(
            is_different,
            format!("{what} of a window group cannot change: its state cannot be recomputed; define a new group"),
        );
    }
    let text =
        |group: &WindowGroup| -> Vec<_> { group.features.iter().map(|f| f.text.clone()).collect() };
    difference.change(
        aggregates(old) == aggregates(new) && text(old) != text(new),
        "features are written differently",
    );
}

fn service(old: &Service, new: &Service) -> Difference {
    let mut difference = Difference::default();
    difference.change(old.features != new.features, "features");
    difference.change(old.request != new.request, "request");
    difference.change(old.derived != new.derived, "derived");
    match (old.read_log, new.read_log) {
        (old, Some(new)) => difference.change(old != Some(new), format!("log_reads ({new})")),
        (old, None) => difference.change(old.is_some(), "log_reads ends"),
    }
    difference.change(old.metadata != new.metadata, "metadata");
    difference
}
