//! What a line says: who did what to which groups, services or streams, and how it ended.

use std::sync::Arc;

use model::limits::{AUDIT_KEYS_LISTED_MAX, AUDIT_NAMES_LISTED_MAX, AUDIT_TEXT_BYTES_MAX};
use serde_json::{Map, Value};

use super::key::DeploymentKey;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// The subject that the policy names; `None` when there is no policy, or nobody said who he is.
    pub(crate) subject: Option<Arc<str>>,
    /// The other end of the connection, and what its certificate says.
    pub(crate) peer: Arc<str>,
}

/// An entity's key, on its way to being hashed.
#[derive(Debug)]
pub(crate) struct AuditedKey {
    /// The entity.
    pub(crate) entity: Arc<str>,
    /// The canonical key.
    pub(crate) key: Box<[u8]>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It was done.
    Ok,
    /// It was not allowed: what was missing.
    Denied(String),
    /// It failed, or was refused for another reason.
    Failed(String),
}

/// One line to be.
#[derive(Debug)]
pub(crate) struct Event {
    pub(super) at_ms: i64,
    what: &'static str,
    who: Option<Who>,
    on: Vec<String>,
    /// Names beyond those: they are counted.
    on_more: usize,
    fields: Vec<(&'static str, Value)>,
    keys: Vec<AuditedKey>,
    end: Option<End>,
}

impl Event {
    /// `what` happened at `at_ms`.
    pub(crate) fn new(at_ms: i64, what: &'static str) -> Self {
        Self {
            at_ms,
            what,
            who: None,
            on: Vec::new(),
            on_more: 0,
            fields: Vec::new(),
            keys: Vec::new(),
            end: None,
        }
    }

    /// Who did it.
    pub(crate) fn by(mut self, who: Option<Who>) -> Self {
        self.who = who;
        self
    }

    /// What it was done to: `group:card_profile`, `service:fraud`, `stream:payments`. Whoever asks may name as many as a frame holds, and
    /// call them as he likes: the first [`AUDIT_NAMES_LISTED_MAX`] are kept, the others counted.
    pub(crate) fn on<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        for name in names {
            if self.on.len() < AUDIT_NAMES_LISTED_MAX {
                self.on.push(cut(name.as_ref()).to_owned());
            } else {
                self.on_more += 1;
            }
        }
        self
    }

    /// What it was for; nothing is said of no purpose.
    pub(crate) fn purpose(self, purpose: &str) -> Self {
        if purpose.is_empty() { self } else { self.with("purpose", cut(purpose)) }
    }

    /// One more field; names are told once.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Whose values; the first [`AUDIT_KEYS_LISTED_MAX`] are told.
    pub(crate) fn keys(mut self, keys: impl IntoIterator<Item = AuditedKey>) -> Self {
        self.keys.extend(keys.into_iter().take(AUDIT_KEYS_LISTED_MAX));
        self
    }

    /// How it ended.
    pub(crate) fn ended(mut self, end: End) -> Self {
        self.end = Some(end);
        self
    }

    /// Keys become hashes under `key`; without one they are left out.
    pub(super) fn hash_keys(&mut self, key: Option<&DeploymentKey>) {
        let keys = std::mem::take(&mut self.keys);
        let Some(key) = key.filter(|_| !keys.is_empty()) else { return };
        let hashes: Vec<_> =
            keys.iter().map(|one| Value::from(key.hash(&one.entity, &one.key))).collect();
        self.fields.push(("keys", hashes.into()));
    }

    /// Adds the fields to a line.
    pub(super) fn write(self, line: &mut Map<String, Value>) {
        let mut add = |name: &str, value: Value| line.insert(name.to_owned(), value);
        add("event", self.what.into());
        if let Some(subject) = self.who.as_ref().and_then(|who| who.subject.as_deref()) {
            add("subject", cut(subject).into());
        }
        if let Some(who) = self.who {
            add("peer", cut(&who.peer).into());
        }
        if !self.on.is_empty() {
            add("on", self.on.into());
            if self.on_more > 0 {
                add("on_more", self.on_more.into());
            }
        }
        for (name, value) in self.fields {
            add(name, value);
        }
        match self.end {
            None => None,
            Some(End::Ok) => add("outcome", "ok".into()),
            Some(End::Denied(why)) => {
                add("outcome", "denied".into());
                add("missing", cut(&why).into())
            }
            Some(End::Failed(why)) => {
                add("outcome", "failed".into());
                add("error", cut(&why).into())
            }
        };
    }
}

/// No text makes a line long.
pub(super) fn cut(text: &str) -> &str {
    match text.len() > AUDIT_TEXT_BYTES_MAX {
        true => text.split_at(text.floor_char_boundary(AUDIT_TEXT_BYTES_MAX)).0,
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: Event) -> String {
        let mut line = Map::new();
        event.write(&mut line);
        Value::Object(line).to_string()
    }

    #[test]
    fn an_event_says_who_what_and_how_it_ended() {
        let who = Who { subject: Some("scorer".into()), peer: "127.0.0.1:9".into() };
        let event = Event::new(0, "read").by(Some(who)).on(["service:fraud".to_owned()]);
        let denied = End::Denied("role scorer may not read service:fraud".to_owned());
        assert_eq!(
            line(event.with("vectors", 2).ended(denied)),
            r#"{"event":"read","subject":"scorer","peer":"127.0.0.1:9","on":["service:fraud"],"vectors":2,"outcome":"denied","missing":"role scorer may not read service:fraud"}"#
        );
    }

    #[test]
    fn a_line_stays_short_whatever_is_said() {
        let who = Who { subject: Some("ü".repeat(10_000).into()), peer: "127.0.0.1:9".into() };
        let names = (0..5000).map(|number| format!("group:{number}"));
        let end = End::Failed("x".repeat(1 << 20));
        let text = line(Event::new(0, "read").by(Some(who)).on(names).ended(end));
        assert!(text.len() < 4096, "{} bytes", text.len());
        assert!(text.contains("\"on_more\":4968"), "{text}");
    }

    #[test]
    fn keys_are_hashed_or_left_out_and_never_told() {
        let event = || {
            let key = AuditedKey { entity: "card".into(), key: b"4711-SECRET".as_slice().into() };
            Event::new(0, "read").keys([key])
        };
        let mut without = event();
        without.hash_keys(None);
        assert_eq!(line(without), r#"{"event":"read"}"#);
        let mut with = event();
        with.hash_keys(Some(&DeploymentKey::of(&[7; 32])));
        let text = line(with);
        assert!(text.contains("\"keys\":[\"") && !text.contains("SECRET"), "{text}");
    }
}
