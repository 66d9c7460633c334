//! Why something is allowed or denied: for `larder access check`, by the same functions that decide on a server.

use model::definition::Definitions;

use super::{
    decide::{Asker, PERSONAL},
    policy::Subject,
    rule::{Resource, Right},
};

/// What somebody wants to know.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// May `service:NAME`, `group:NAME`, `GROUP:FEATURE` or `GROUP:*` be read?
    Read(&'a str),
    /// May `group:NAME` or `stream:NAME` be written?
    Write(&'a str),
    /// May `entity:NAME`, `stream:NAME`, `group:NAME` or `service:NAME` be defined, as it stands in the definitions?
    Define(&'a str),
    /// May anything be defined?
    DefineSomething,
    /// Statistics, checkpoints, backups?
    Administrate,
}

/// See [`explain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Yes or no.
    pub is_allowed: bool,
    /// Which roles and rules of theirs allow it, or what is missing.
    pub lines: Vec<String>,
}

/// Whether `subject` may do what is asked, for `purpose` (empty for none). Without `definitions` names alone are looked at.
///
/// # Errors
/// When what is asked for is not written as it has to be, or is nothing that such a right is granted on.
pub fn explain(
    subject: &Subject,
    purpose: &str,
    question: Question<'_>,
    definitions: Option<&Definitions>,
) -> Result<Explanation, String> {
    let nothing = Definitions::default();
    let definitions = definitions.unwrap_or(&nothing);
    let asker = Asker { subject, purpose };
    let resource = |text| {
        Resource::parse(text).ok_or_else(|| {
            format!("{text:?} is none of service:NAME, group:NAME, stream:NAME, entity:NAME, GROUP:FEATURE")
        })
    };
    let granted_on = |right: Right, text| {
        let resource = resource(text)?;
        let refused =
            || format!("{} is granted on {}, got {text}", right.as_str(), right.allowed());
        if right.is_of(resource) { Ok(resource) } else { Err(refused()) }
    };
    let decision = match question {
        Question::Read(text) => match granted_on(Right::Read, text)? {
            Resource::Service(name) => asker.read_service(definitions, name),
            Resource::Group(name) => asker.read_group(definitions, name),
            Resource::Feature(..) => asker.read_reference(definitions, text),
            other => asker.have(Right::Read, other),
        },
        Question::Write(text) => asker.have(Right::Write, granted_on(Right::Write, text)?),
        Question::Define(text) => {
            asker.define(definitions, std::iter::once(granted_on(Right::Define, text)?))
        }
        Question::DefineSomething => asker.may_define_some(),
        Question::Administrate => asker.administrate(),
    };
    Ok(match decision {
        Ok(granted) => {
            let lines = granted.by.iter().map(|(role, rule)| match rule {
                Some(rule) => format!("allowed: role {} grants it on {}", role.name, rule.as_str()),
                None => format!("allowed: role {} has admin = true", role.name),
            });
            let mut lines: Vec<_> = lines.collect();
            if granted.personal > 0 {
                let features = granted.personal;
                lines.push(format!(
                    "allowed: {features} of the features are tagged {PERSONAL}, and a role that grants them is for purpose {purpose}"
                ));
            }
            Explanation { is_allowed: true, lines }
        }
        Err(denied) => {
            let lines =
                vec![format!("denied: {}", denied.message), format!("missing: {}", denied.missing)];
            Explanation { is_allowed: false, lines }
        }
    })
}
