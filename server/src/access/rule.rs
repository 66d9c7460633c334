//! What a role grants something on: `group:NAME`, `service:NAME`, `stream:NAME`, `entity:NAME`, `GROUP:FEATURE`, or `*` for everything.
//! A name may end in `*`: whatever begins so.

use std::fmt;

use model::name::Name;

/// What a role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    Write,
    Define,
}

impl Right {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Define => "define",
        }
    }

    /// Whether some role could grant it on things of this kind.
    pub(crate) fn is_of(self, resource: Resource<'_>) -> bool {
        match resource {
            Resource::Stream(_) | Resource::Group(_) => true,
            Resource::Service(_) => self != Self::Write,
            Resource::Feature(..) => self == Self::Read,
            Resource::Entity(_) => self == Self::Define,
        }
    }

    /// What it can be granted on.
    pub(crate) fn allowed(self) -> &'static str {
        match self {
            Self::Read => "group:NAME, service:NAME, stream:NAME, GROUP:FEATURE or *",
            Self::Write => "group:NAME, stream:NAME or *: rows are written whole",
            Self::Define => "entity:NAME, stream:NAME, group:NAME, service:NAME or *",
        }
    }
}

/// Something that is asked for, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource<'a> {
    Entity(&'a str),
    Stream(&'a str),
    Group(&'a str),
    Service(&'a str),
    /// Of a group, a column as readers name it.
    Feature(&'a str, &'a str),
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entity(name) => write!(f, "entity:{name}"),
            Self::Stream(name) => write!(f, "stream:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Feature(group, feature) => write!(f, "{group}:{feature}"),
        }
    }
}

impl<'a> Resource<'a> {
    /// Of `group:NAME`, `service:NAME` and the like; everything else is `GROUP:FEATURE`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        Some(match kind {
            "entity" => Self::Entity(name),
            "stream" => Self::Stream(name),
            "group" => Self::Group(name),
            "service" => Self::Service(name),
            group => Self::Feature(group, name),
        })
    }
}

/// A name, or how it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    start: String,
    is_open: bool,
}

impl Names {
    fn parse(text: &str) -> Result<Self, String> {
        let (start, is_open) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text, false),
        };
        // What a name begins with is a name too, but for nothing at all.
        if !(is_open && start.is_empty()) {
            Name::new(start).map_err(|error| error.to_string())?;
        }
        Ok(Self { start: start.to_owned(), is_open })
    }

    fn covers(&self, name: &str) -> bool {
        if self.is_open { name.starts_with(&self.start) } else { name == self.start }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Everything,
    Entity(Names),
    Stream(Names),
    Group(Names),
    Service(Names),
    Feature(Names, Names),
}

/// One entry of a role's `read`, `write` or `define`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    text: String,
    pattern: Pattern,
}

impl Rule {
    /// The rule that `text` writes for `right`.
    ///
    /// # Errors
    /// What is wrong, and what is allowed.
    pub(crate) fn parse(right: Right, text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{} is granted on {}, got {text:?}", right.as_str(), right.allowed());
        let pattern = match (text, Resource::parse(text)) {
            ("*", _) => Pattern::Everything,
            (_, None) => return Err(wrong()),
            (_, Some(Resource::Entity(name))) => Pattern::Entity(Names::parse(name)?),
            (_, Some(Resource::Stream(name))) => Pattern::Stream(Names::parse(name)?),
            (_, Some(Resource::Group(name))) => Pattern::Group(Names::parse(name)?),
            (_, Some(Resource::Service(name))) => Pattern::Service(Names::parse(name)?),
            (_, Some(Resource::Feature(group, feature))) => {
                Pattern::Feature(Names::parse(group)?, Names::parse(feature)?)
            }
        };
        let fits = match (&pattern, right) {
            (Pattern::Everything | Pattern::Stream(_) | Pattern::Group(_), _)
            | (Pattern::Service(_), Right::Read | Right::Define)
            | (Pattern::Feature(..), Right::Read)
            | (Pattern::Entity(_), Right::Define) => true,
            (Pattern::Service(_) | Pattern::Feature(..) | Pattern::Entity(_), _) => false,
        };
        if fits { Ok(Self { text: text.to_owned(), pattern }) } else { Err(wrong()) }
    }

    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// True when what it is granted on holds all of `resource`: a group holds its features.
    pub(crate) fn covers(&self, resource: Resource<'_>) -> bool {
        match (&self.pattern, resource) {
            (Pattern::Everything, _) => true,
            (Pattern::Entity(names), Resource::Entity(name))
            | (Pattern::Stream(names), Resource::Stream(name))
            | (Pattern::Service(names), Resource::Service(name))
            | (Pattern::Group(names), Resource::Group(name) | Resource::Feature(name, _)) => {
                names.covers(name)
            }
            // All features of a group are the group, those to come too.
            (Pattern::Feature(groups, features), Resource::Group(name)) => {
                groups.covers(name) && features.is_open && features.start.is_empty()
            }
            (Pattern::Feature(groups, features), Resource::Feature(group, feature)) => {
                groups.covers(group) && features.covers(feature)
            }
            _ => false,
        }
    }

    /// True when it may hold some feature of `group`.
    pub(crate) fn touches_group(&self, group: &str) -> bool {
        match &self.pattern {
            Pattern::Everything => true,
            Pattern::Group(names) | Pattern::Feature(names, _) => names.covers(group),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cover_what_they_say() {
        let cases = [
            ("*", "service:x", true),
            ("group:card", "card:email", true),
            ("group:card", "cards:email", false),
            ("group:card*", "cards:email", true),
            ("card:*", "group:card", true),
            ("card:e*", "group:card", false),
            ("card:e*", "card:email", true),
            ("card:email", "card:email2", false),
            ("service:x", "service:x", true),
            ("service:x", "group:x", false),
            ("group:*", "service:x", false),
            ("stream:pay*", "stream:payments", true),
        ];
        for (rule, asked, covered) in cases {
            let parsed = Rule::parse(Right::Read, rule).expect(rule);
            let resource = Resource::parse(asked).expect(asked);
            assert_eq!(parsed.covers(resource), covered, "{rule} and {asked}");
        }
    }

    #[test]
    fn what_cannot_be_granted_is_refused_with_what_can() {
        for (right, rule) in [
            (Right::Write, "card:email"),
            (Right::Write, "service:x"),
            (Right::Read, "entity:card"),
            (Right::Define, "card:email"),
            (Right::Read, "card"),
            (Right::Read, ""),
        ] {
            let error = Rule::parse(right, rule).expect_err(rule);
            assert!(error.contains("NAME") && error.contains(rule), "{error}");
        }
        for rule in ["group:", "group:a b", "group:*x", "card:**"] {
            assert!(Rule::parse(Right::Read, rule).is_err(), "{rule}");
        }
    }
}
