//! May this subject do that? One function for each kind of question; all operations are decided here, and nowhere else.
//!
//! ```text
//! read            each stored feature that the answer is made of, what derived features are computed of too, is granted by a role:
//!                 by itself, by its group, or by the service that is read. Is it personal (tagged `pii`, itself or its group,
//!                 entity, stream or service), then the role must be for the purpose that was declared
//! write           the group or stream is granted
//! define          every definition that the file names is granted; and what a new service or window group discloses may be read or
//!                 defined by whoever defines it: nobody gets at values by defining a service of them
//! administrate    some role has admin = true: statistics, checkpoints, backups; exports need it, or a read of all they hold
//! describe        what one may read, write or define, and no word of anything else: `sight`
//! ```
//!
//! Pure: no clock, no connection. What is asked for by a name that is not granted gets the same answer whether it is there or not.

use std::fmt;

use model::definition::{Definitions, FeatureRef, GroupKind};

use super::{
    columns::Columns,
    policy::{Role, Subject},
    rule::{Resource, Right, Rule},
};

/// The tag of what only declared purposes may read.
pub(crate) const PERSONAL: &str = "pii";

/// Who asks, and what for.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) subject: &'a Subject,
    /// Empty when none was declared.
    pub(crate) purpose: &'a str,
}

/// Why something is allowed: roles, and the rules of theirs that count. `None` where the role is an administrator's.
#[derive(Debug, Default)]
pub(crate) struct Granted<'a> {
    pub(crate) by: Vec<(&'a Role, Option<&'a Rule>)>,
    /// Features that the declared purpose was needed for.
    pub(crate) personal: usize,
}

impl<'a> Granted<'a> {
    fn add(&mut self, role: &'a Role, rule: Option<&'a Rule>) {
        let is_same = |(known, by): &(&Role, Option<&Rule>)| {
            std::ptr::eq(*known, role) && by.map(Rule::as_str) == rule.map(Rule::as_str)
        };
        if !self.by.iter().any(is_same) {
            self.by.push((role, rule));
        }
    }
}

/// What was missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    /// In short, for logs: `read service:x`, `a purpose for card_profile:email`, `admin`.
    pub(crate) missing: String,
    /// For whoever asked.
    pub(crate) message: String,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

type Decision<'a> = Result<Granted<'a>, Denied>;

impl<'a> Asker<'a> {
    /// The first role that grants `right` on `resource`, and its rule.
    fn granting(
        self,
        right: Right,
        resource: Resource<'_>,
    ) -> impl Iterator<Item = (&'a Role, &'a Rule)> {
        self.subject.roles.iter().filter_map(move |role| {
            let role: &Role = role;
            role.grants(right, resource).map(|rule| (role, rule))
        })
    }

    pub(super) fn may(self, right: Right, resource: Resource<'_>) -> bool {
        self.granting(right, resource).next().is_some()
    }

    fn lacks(self, right: Right, resource: Resource<'_>) -> Denied {
        let (subject, roles, right) =
            (self.subject.name(), self.subject.role_names(), right.as_str());
        Denied {
            missing: format!("{right} {resource}"),
            message: format!(
                "subject {subject} ({roles}) may not {right} {resource}: none of its roles grants it; it takes a role with {right} = [\"{resource}\"]"
            ),
        }
    }

    /// `right` on all of `resource`.
    pub(crate) fn have(self, right: Right, resource: Resource<'_>) -> Decision<'a> {
        let mut granted = Granted::default();
        match self.granting(right, resource).next() {
            Some((role, rule)) => granted.add(role, Some(rule)),
            None => return Err(self.lacks(right, resource)),
        }
        Ok(granted)
    }

    /// Statistics, checkpoints, backups.
    pub(crate) fn administrate(self) -> Decision<'a> {
        let mut granted = Granted::default();
        let Some(role) = self.subject.roles.iter().find(|role| role.admin) else {
            let (subject, roles) = (self.subject.name(), self.subject.role_names());
            let message = format!(
                "subject {subject} ({roles}) is no administrator: it takes a role with admin = true"
            );
            return Err(Denied { missing: "admin".to_owned(), message });
        };
        granted.add(role, None);
        Ok(granted)
    }

    /// To read values of service `name`, whether or not there is one.
    pub(crate) fn read_service(self, definitions: &Definitions, name: &str) -> Decision<'a> {
        let resource = Resource::Service(name);
        let Some((_, service)) = definitions.service(name) else {
            return self.have(Right::Read, resource);
        };
        let is_personal = service.metadata.tags.iter().any(|tag| tag == PERSONAL);
        let whole = Whole { resource, is_personal, is_a_grant: true };
        let features = service.features.iter().map(|feature| feature.feature);
        self.read(definitions, whole, features)
    }

    /// To read what `reference` names: `GROUP:FEATURE`, or `GROUP:*`.
    pub(crate) fn read_reference(self, definitions: &Definitions, reference: &str) -> Decision<'a> {
        let (group, feature) = reference.split_once(':').unwrap_or((reference, ""));
        let resource = Resource::Feature(group, feature);
        let Some((index, known)) = definitions.group(group) else {
            return self.have(Right::Read, resource);
        };
        let columns = Columns::of(definitions, known);
        let asked = |column: &usize| feature == "*" || columns.name(*column) == Some(feature);
        let features = (0..columns.count()).filter(asked);
        let features = features.map(|column| FeatureRef { group: index, column });
        let whole = Whole { resource, is_personal: false, is_a_grant: false };
        self.read(definitions, whole, features)
    }

    /// To read `features`, by whatever names they were asked for.
    pub(crate) fn read_features(
        self,
        definitions: &Definitions,
        features: impl Iterator<Item = FeatureRef>,
    ) -> Decision<'a> {
        let mut granted = Granted::default();
        for feature in features {
            let Some(group) = definitions.groups.get(feature.group) else { continue };
            let columns = Columns::of(definitions, group);
            let name = columns.name(feature.column).unwrap_or_default();
            let resource = Resource::Feature(group.name.as_str(), name);
            let whole = Whole { resource, is_personal: false, is_a_grant: false };
            self.read_one((&columns, feature.column), whole, &mut granted)?;
        }
        Ok(granted)
    }

    /// To read everything of group `name`, its keys too.
    pub(crate) fn read_group(self, definitions: &Definitions, name: &str) -> Decision<'a> {
        let resource = Resource::Group(name);
        let Some((index, group)) = definitions.group(name) else {
            return self.have(Right::Read, resource);
        };
        let count = Columns::of(definitions, group).count();
        let features = (0..count).map(|column| FeatureRef { group: index, column });
        self.read(definitions, Whole { resource, is_personal: false, is_a_grant: false }, features)
    }

    /// Whether nothing has to be hidden.
    pub(crate) fn sees_everything(self) -> bool {
        // Only rules for all names cover the empty one.
        let all = [Resource::Group(""), Resource::Service(""), Resource::Stream("")];
        all.into_iter().all(|resource| self.may(Right::Read, resource))
    }

    /// Whether some feature of `group` may be read, for whatever purpose.
    pub(super) fn may_read_some(self, group: &str) -> bool {
        let rules = self.subject.roles.iter().flat_map(|role| role.rules(Right::Read));
        rules.into_iter().any(|rule| rule.touches_group(group))
    }

    fn read(
        self,
        definitions: &Definitions,
        whole: Whole<'_>,
        features: impl Iterator<Item = FeatureRef>,
    ) -> Decision<'a> {
        let mut granted = Granted::default();
        let mut known: Option<(usize, Columns<'_>)> = None;
        let mut count = 0;
        for feature in features {
            count += 1;
            let Some(group) = definitions.groups.get(feature.group) else { continue };
            if known.as_ref().is_none_or(|(index, _)| *index != feature.group) {
                known = Some((feature.group, Columns::of(definitions, group)));
            }
            let Some((_, columns)) = &known else { continue };
            self.read_one((columns, feature.column), whole, &mut granted)?;
        }
        if count == 0 {
            // Of request values alone: it has no feature that could be granted.
            return self.have(Right::Read, whole.resource);
        }
        Ok(granted)
    }

    /// To read one feature, as a part of `whole`.
    fn read_one(
        self,
        (columns, column): (&Columns<'_>, usize),
        whole: Whole<'_>,
        granted: &mut Granted<'a>,
    ) -> Result<(), Denied> {
        let name = columns.name(column).unwrap_or_default();
        let feature = Resource::Feature(columns.group.name.as_str(), name);
        let is_personal = whole.is_personal || columns.is_personal(column);
        let by_whole = whole.is_a_grant.then_some(whole.resource);
        let by_whole = by_whole.into_iter().flat_map(|it| self.granting(Right::Read, it));
        let mut without = None;
        for (role, rule) in by_whole.chain(self.granting(Right::Read, feature)) {
            if !is_personal || role.is_for(self.purpose) {
                granted.add(role, Some(rule));
                granted.personal += usize::from(is_personal);
                return Ok(());
            }
            without = without.or(Some(role));
        }
        Err(match without {
            Some(role) => self.lacks_purpose(role, whole.resource, feature),
            None => self.lacks(Right::Read, whole.resource),
        })
    }

    fn lacks_purpose(self, role: &Role, whole: Resource<'_>, feature: Resource<'_>) -> Denied {
        let (name, purpose) = (&role.name, self.purpose);
        let listed = role.purposes.join(", ");
        let remedy = match (role.purposes.as_slice(), purpose) {
            ([], _) => format!("role {name} lists no purposes it may be read for"),
            (_, "") => format!("declare one of the purposes {listed}"),
            _ => format!("purpose {purpose} is not one of {listed}"),
        };
        let message = format!(
            "role {name} may read {whole}, but feature {feature} is tagged {PERSONAL}: {remedy}"
        );
        Denied { missing: format!("a purpose for {feature}"), message }
    }

    /// To write to `groups` files of everything in them.
    pub(crate) fn export(self, definitions: &Definitions, groups: &[&str]) -> Decision<'a> {
        let administrator = self.administrate();
        if administrator.is_ok() {
            return administrator;
        }
        let all = || definitions.groups.iter().map(|group| group.name.as_str()).collect();
        let groups: Vec<&str> = if groups.is_empty() { all() } else { groups.to_vec() };
        let mut granted = Granted::default();
        for group in groups {
            let read = self.read_group(definitions, group).map_err(|denied| Denied {
                message: format!("{}, or one with admin = true", denied.message),
                ..denied
            })?;
            read.by.into_iter().for_each(|(role, rule)| granted.add(role, rule));
        }
        if granted.by.is_empty() { administrator } else { Ok(granted) }
    }

    /// Whether something may be defined at all.
    pub(crate) fn may_define_some(self) -> Decision<'a> {
        let mut granted = Granted::default();
        for role in &self.subject.roles {
            role.define.iter().for_each(|rule| granted.add(role, Some(rule)));
        }
        if granted.by.is_empty() { Err(self.lacks_define()) } else { Ok(granted) }
    }

    fn lacks_define(self) -> Denied {
        let (subject, roles) = (self.subject.name(), self.subject.role_names());
        let message = format!(
            "subject {subject} ({roles}) may define nothing: none of its roles has define = [rules]"
        );
        Denied { missing: "define".to_owned(), message }
    }

    /// To make valid what a file names: `named`, and what it means in `next`.
    pub(crate) fn define<'n>(
        self,
        next: &Definitions,
        named: impl Iterator<Item = Resource<'n>>,
    ) -> Decision<'a> {
        let mut granted = Granted::default();
        for resource in named {
            let (role, rule) = self
                .granting(Right::Define, resource)
                .next()
                .ok_or_else(|| self.lacks(Right::Define, resource))?;
            granted.add(role, Some(rule));
            self.discloses(next, resource)?;
        }
        if granted.by.is_empty() { Err(self.lacks_define()) } else { Ok(granted) }
    }

    /// Refuses a definition that shows its readers what whoever defines it could not read.
    fn discloses(self, next: &Definitions, defined: Resource<'_>) -> Result<(), Denied> {
        let shows = |shown: Resource<'_>| {
            let owner = match shown {
                Resource::Feature(group, _) => Resource::Group(group),
                other => other,
            };
            if self.may(Right::Read, shown) || self.may(Right::Define, owner) {
                return Ok(());
            }
            let Denied { missing, message } = self.lacks(Right::Read, shown);
            let message = format!(
                "{defined} would show {shown} to its readers, and {message}, or with define = [\"{owner}\"]"
            );
            Err(Denied { missing, message })
        };
        match defined {
            Resource::Service(name) => {
                let features = next.service(name).map_or(&[][..], |(_, it)| it.features.as_slice());
                for feature in features {
                    let Some(group) = next.groups.get(feature.feature.group) else { continue };
                    let columns = Columns::of(next, group);
                    let column = columns.name(feature.feature.column).unwrap_or_default();
                    shows(Resource::Feature(group.name.as_str(), column))?;
                }
            }
            Resource::Group(name) => {
                let group = next.group(name).map(|(_, group)| &group.kind);
                if let Some(GroupKind::Windows(windows)) = group
                    && let Some(stream) = next.streams.get(windows.stream)
                {
                    shows(Resource::Stream(stream.name.as_str()))?;
                }
            }
            Resource::Entity(_) | Resource::Stream(_) | Resource::Feature(..) => {}
        }
        Ok(())
    }
}

/// What features are read as a part of.
#[derive(Clone, Copy)]
struct Whole<'a> {
    /// As whoever asks calls it.
    resource: Resource<'a>,
    /// All of it is.
    is_personal: bool,
    /// A grant on it is one on its features: of a service.
    is_a_grant: bool,
}
