//! The policy: roles, subjects, and from a token or a certificate to the subject it stands for.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use model::limits::ACCESS_BYTES_MAX;
use subtle::ConditionallySelectable;

use super::{
    file,
    rule::{Resource, Right, Rule},
    token::Digest,
};
use crate::read_at_most::read_at_most;

/// What those who have it may do.
#[derive(Debug, Default)]
pub struct Role {
    pub(super) name: String,
    pub(super) read: Vec<Rule>,
    pub(super) write: Vec<Rule>,
    pub(super) define: Vec<Rule>,
    /// Checkpoints, statistics, exports of everything.
    pub(super) admin: bool,
    /// What personal features may be read for.
    pub(super) purposes: Vec<String>,
}

impl Role {
    /// The first rule that grants `right` on all of `resource`.
    pub(super) fn grants(&self, right: Right, resource: Resource<'_>) -> Option<&Rule> {
        self.rules(right).iter().find(|rule| rule.covers(resource))
    }

    pub(super) fn rules(&self, right: Right) -> &[Rule] {
        match right {
            Right::Read => &self.read,
            Right::Write => &self.write,
            Right::Define => &self.define,
        }
    }

    /// Whether it is for `purpose`; nothing is for no purpose.
    pub(super) fn is_for(&self, purpose: &str) -> bool {
        !purpose.is_empty() && self.purposes.iter().any(|known| known == "*" || known == purpose)
    }
}

/// Somebody who asks: a service, a job, a person.
#[derive(Debug)]
pub struct Subject {
    pub(super) name: String,
    pub(super) roles: Vec<Arc<Role>>,
}

impl Subject {
    /// Its name, for logs and messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its roles, for messages.
    pub(super) fn role_names(&self) -> String {
        let names: Vec<_> = self.roles.iter().map(|role| role.name.as_str()).collect();
        match names.as_slice() {
            [] => "no role".to_owned(),
            [one] => format!("role {one}"),
            several => format!("roles {}", several.join(", ")),
        }
    }
}

/// A token of the file.
pub(super) struct Token {
    pub(super) digest: Digest,
    /// Position of its subject.
    pub(super) subject: u32,
    /// When it ends, in ms; [`i64::MAX`] for never.
    pub(super) expires_ms: i64,
}

/// What proves who somebody is, without being worth anything to whoever finds it in memory or in a log.
#[derive(Clone)]
pub(crate) enum Credential {
    /// The digest of a token.
    Token(Digest),
    /// The subject of a certificate that was verified.
    Certificate(Arc<str>),
}

/// Why nobody is known by a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unknown {
    #[error("the token is not one of the server's access policy (any more): have another one made")]
    Token,
    #[error("the token of subject {subject} expired at {at}: have another one made")]
    Expired { subject: String, at: String },
    #[error(
        "certificate {certificate} belongs to no subject of the server's access policy: have its subject added there, or say hello with a token"
    )]
    Certificate { certificate: String },
}

/// Who may do what.
#[derive(Default)]
pub struct Policy {
    pub(super) subjects: Vec<Arc<Subject>>,
    pub(super) tokens: Vec<Token>,
    /// Positions of subjects by the subjects of their certificates.
    pub(super) certificates: BTreeMap<String, u32>,
}

impl Policy {
    /// The policy that `text` writes; `file` is only used in messages.
    ///
    /// # Errors
    /// Every problem, one a line: `file:line: what is wrong; what is allowed`.
    pub fn parse(file: &str, text: &str) -> Result<Self, String> {
        file::parse(file, text)
    }

    /// The policy in the file at `path`.
    ///
    /// # Errors
    /// As [`Policy::parse`], or why it cannot be read.
    pub fn load(path: &Path) -> Result<Self, String> {
        let shown = path.display().to_string();
        let read = read_at_most(path, ACCESS_BYTES_MAX);
        let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        let text = text.map_err(|error| format!("{shown}: cannot read the access policy: {error}"));
        Self::parse(&shown, &text?)
    }

    /// The subject called `name`.
    #[must_use]
    pub fn subject(&self, name: &str) -> Option<&Arc<Subject>> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// All subjects, by name.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.subjects.iter().map(Arc::as_ref)
    }

    /// The subject that `token` stands for at `now_ms`.
    ///
    /// # Errors
    /// Why it stands for none.
    pub fn subject_of_token(&self, token: &str, now_ms: i64) -> Result<Arc<Subject>, String> {
        let digest = Digest::of(token).ok_or_else(|| Unknown::Token.to_string())?;
        self.resolve(&Credential::Token(digest), now_ms).map_err(|unknown| unknown.to_string())
    }

    /// The subject that `credential` stands for at `now_ms`.
    pub(crate) fn resolve(
        &self,
        credential: &Credential,
        now_ms: i64,
    ) -> Result<Arc<Subject>, Unknown> {
        let position = match credential {
            Credential::Token(digest) => {
                let (position, expires_ms) = self.find(digest).ok_or(Unknown::Token)?;
                if expires_ms <= now_ms {
                    let subject = self.subjects.get(position as usize);
                    let subject = subject.map_or_else(String::new, |it| it.name.clone());
                    let at = model::time::format_timestamp(expires_ms);
                    return Err(Unknown::Expired { subject, at });
                }
                position
            }
            Credential::Certificate(certificate) => {
                let known = self.certificates.get(certificate.as_ref());
                let certificate = || certificate.to_string();
                *known.ok_or_else(|| Unknown::Certificate { certificate: certificate() })?
            }
        };
        self.subjects.get(position as usize).cloned().ok_or(Unknown::Token)
    }

    /// Position of the subject of `digest`, and when the token ends. Every token is looked at, and each comparison takes equally
    /// long: how long it takes tells nothing about what is kept.
    fn find(&self, digest: &Digest) -> Option<(u32, i64)> {
        let (mut place, mut found) = (0_u32, subtle::Choice::from(0));
        for (number, token) in (0_u32..).zip(&self.tokens) {
            let is_same = token.digest.is(digest);
            place.conditional_assign(&number, is_same);
            found |= is_same;
        }
        let token = self.tokens.get(place as usize).filter(|_| bool::from(found))?;
        Some((token.subject, token.expires_ms))
    }

    /// When the next token after `now_ms` ends; [`i64::MAX`] when none does.
    pub(super) fn next_expiry_ms(&self, now_ms: i64) -> i64 {
        let ends = self.tokens.iter().map(|token| token.expires_ms);
        ends.filter(|end| *end > now_ms).min().unwrap_or(i64::MAX)
    }
}
