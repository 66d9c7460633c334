//! The policy's file: TOML, with every problem and its line.
//!
//! ```text
//! [role.NAME]              read, write, define = [rules], admin = true or false, purposes = [texts]
//! [subject.NAME]           roles = [names of roles], certificate = "CN=…"
//! [[subject.NAME.token]]   sha256 = "64 hexadecimal digits", expires = a time, name = "for people"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use model::limits::{ACCESS_BYTES_MAX, ACCESS_ENTRIES_MAX, PURPOSE_BYTES_MAX, ROLE_RULES_MAX};
use serde::Deserialize;
use toml::Spanned;

use super::{
    policy::{Policy, Role, Subject, Token},
    rule::{Right, Rule},
    token::Digest,
};

/// Longest name of a role or subject, in bytes.
const NAME_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    role: BTreeMap<String, Spanned<RoleEntry>>,
    #[serde(default)]
    subject: BTreeMap<String, Spanned<SubjectEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleEntry {
    #[serde(default)]
    read: Vec<Spanned<String>>,
    #[serde(default)]
    write: Vec<Spanned<String>>,
    #[serde(default)]
    define: Vec<Spanned<String>>,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    purposes: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectEntry {
    #[serde(default)]
    roles: Vec<Spanned<String>>,
    certificate: Option<Spanned<String>>,
    #[serde(default)]
    token: Vec<TokenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    sha256: Spanned<String>,
    expires: Option<Spanned<toml::Value>>,
    /// Which one it is: for whoever rotates tokens.
    #[serde(rename = "name")]
    _name: Option<String>,
}

/// What is wrong, by position.
struct Problems<'t> {
    file: &'t str,
    text: &'t str,
    found: Vec<(usize, String)>,
}

impl Problems<'_> {
    fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.found.push((span.start, message.into()));
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn into_text(mut self) -> Option<String> {
        self.found.sort();
        let shown = self.found.iter().take(model::limits::PROBLEMS_LISTED_MAX);
        let lines: Vec<_> = shown
            .map(|(offset, what)| format!("{}:{}: {what}", self.file, self.line(*offset)))
            .collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// See [`Policy::parse`].
pub(super) fn parse(file: &str, text: &str) -> Result<Policy, String> {
    let mut problems = Problems { file, text, found: Vec::new() };
    if text.len() > ACCESS_BYTES_MAX {
        let size = text.len();
        return Err(format!(
            "{file}: {size} bytes; an access policy has at most {ACCESS_BYTES_MAX}"
        ));
    }
    let read = match toml::from_str::<File>(text) {
        Ok(read) => read,
        Err(error) => {
            problems.add(error.span().unwrap_or(0..0), error.message().replace('\n', ", "));
            return Err(problems.into_text().unwrap_or_default());
        }
    };
    let roles = roles(read.role, &mut problems);
    let mut policy = Policy::default();
    for (name, entry) in read.subject {
        let span = entry.span();
        subject(&mut policy, (name, entry.into_inner(), span), &roles, &mut problems);
    }
    for (count, what) in [(roles.len(), "roles"), (policy.subjects.len(), "subjects")] {
        if count > ACCESS_ENTRIES_MAX {
            problems.add(0..0, format!("{count} {what}; at most {ACCESS_ENTRIES_MAX} are allowed"));
        }
    }
    if policy.tokens.is_empty() && policy.certificates.is_empty() && problems.found.is_empty() {
        let message = "no subject has a token or a certificate: nobody could do anything; `larder access token --subject NAME` makes a token";
        problems.add(0..0, message);
    }
    problems.into_text().map_or(Ok(policy), Err)
}

fn roles(
    entries: BTreeMap<String, Spanned<RoleEntry>>,
    problems: &mut Problems<'_>,
) -> BTreeMap<String, Arc<Role>> {
    let mut roles = BTreeMap::new();
    for (name, entry) in entries {
        let span = entry.span();
        check_name("role", &name, span.clone(), problems);
        let entry = entry.into_inner();
        let counts = [&entry.read, &entry.write, &entry.define, &entry.purposes].map(Vec::len);
        let count: usize = counts.iter().sum();
        if count > ROLE_RULES_MAX {
            let message =
                format!("role {name} has {count} rules; at most {ROLE_RULES_MAX} are allowed");
            problems.add(span, message);
        }
        let mut rules = |right, texts: Vec<Spanned<String>>| {
            let rule = |text: Spanned<String>| {
                let parsed = Rule::parse(right, text.get_ref());
                parsed.map_err(|why| problems.add(text.span(), format!("role {name}: {why}"))).ok()
            };
            texts.into_iter().filter_map(rule).collect::<Vec<_>>()
        };
        let (read, write) = (rules(Right::Read, entry.read), rules(Right::Write, entry.write));
        let define = rules(Right::Define, entry.define);
        for purpose in &entry.purposes {
            let length = purpose.get_ref().len();
            if !(1..=PURPOSE_BYTES_MAX).contains(&length) {
                let message = format!(
                    "role {name}: a purpose has 1 to {PURPOSE_BYTES_MAX} bytes, got {length}"
                );
                problems.add(purpose.span(), message);
            }
        }
        let purposes = entry.purposes.into_iter().map(Spanned::into_inner).collect();
        let role = Role { name: name.clone(), read, write, define, admin: entry.admin, purposes };
        roles.insert(name, Arc::new(role));
    }
    roles
}

fn subject(
    policy: &mut Policy,
    (name, entry, span): (String, SubjectEntry, Range<usize>),
    known: &BTreeMap<String, Arc<Role>>,
    problems: &mut Problems<'_>,
) {
    check_name("subject", &name, span.clone(), problems);
    let Ok(position) = u32::try_from(policy.subjects.len()) else { return };
    let count = entry.roles.len();
    if count > ROLE_RULES_MAX {
        let message =
            format!("subject {name} has {count} roles; at most {ROLE_RULES_MAX} are allowed");
        problems.add(span.clone(), message);
    }
    let mut roles = Vec::new();
    let mut seen = BTreeSet::new();
    for role in entry.roles {
        match known.get(role.get_ref()) {
            Some(found) if seen.insert(found.name.clone()) => roles.push(Arc::clone(found)),
            Some(_) => {}
            None => {
                let names: Vec<_> = known.keys().map(String::as_str).take(24).collect();
                let message = format!(
                    "subject {name}: no role is called {:?}; defined are: {}",
                    role.get_ref(),
                    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
                );
                problems.add(role.span(), message);
            }
        }
    }
    if entry.token.is_empty() && entry.certificate.is_none() {
        let message = format!(
            "subject {name} has neither a token nor a certificate, so that nobody can be it: `larder access token --subject {name}` makes a token"
        );
        problems.add(span, message);
    }
    if let Some(certificate) = entry.certificate {
        let text = certificate.get_ref().clone();
        if text.is_empty() || text.len() > model::limits::STRING_BYTES_MAX {
            problems.add(certificate.span(), format!("subject {name}: certificate is empty or too long; write its subject, such as CN=scorer"));
        } else if policy.certificates.insert(text, position).is_some() {
            let message = format!(
                "subject {name}: another subject has the same certificate: who would it be?"
            );
            problems.add(certificate.span(), message);
        }
    }
    for entry in entry.token {
        token(policy, (&name, position), entry, problems);
    }
    policy.subjects.push(Arc::new(Subject { name, roles }));
}

fn token(
    policy: &mut Policy,
    (subject, position): (&str, u32),
    entry: TokenEntry,
    problems: &mut Problems<'_>,
) {
    if policy.tokens.len() >= ACCESS_ENTRIES_MAX {
        let message =
            format!("more than {ACCESS_ENTRIES_MAX} tokens: remove those that have expired");
        return problems.add(entry.sha256.span(), message);
    }
    let Some(digest) = Digest::from_hex(entry.sha256.get_ref()) else {
        let message = format!(
            "subject {subject}: sha256 is the SHA-256 of a token, 64 hexadecimal digits, never the token itself: `larder access token --subject {subject}` makes both"
        );
        return problems.add(entry.sha256.span(), message);
    };
    if policy.tokens.iter().any(|known| known.digest.is(&digest).into()) {
        let message =
            format!("subject {subject}: the same token stands here twice: who would it be?");
        return problems.add(entry.sha256.span(), message);
    }
    let expires_ms = match entry.expires {
        None => i64::MAX,
        Some(expires) => {
            let text = match expires.get_ref() {
                toml::Value::String(text) => text.clone(),
                toml::Value::Datetime(time) => time.to_string(),
                other => other.type_str().to_owned(),
            };
            match model::time::parse_timestamp(&text) {
                Ok(expires_ms) => expires_ms,
                Err(error) => {
                    return problems
                        .add(expires.span(), format!("subject {subject}: expires: {error}"));
                }
            }
        }
    };
    policy.tokens.push(Token { digest, subject: position, expires_ms });
}

fn check_name(what: &str, name: &str, span: Range<usize>, problems: &mut Problems<'_>) {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@/:".contains(&byte);
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed) {
        return;
    }
    let message =
        format!("{what} {name:?}: a name has 1 to {NAME_BYTES_MAX} of A-Z, a-z, 0-9, - _ . @ / :");
    problems.add(span, message);
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[role.reader]
read = ["service:fraud", "card:*"]
purposes = ["fraud-prevention"]
[subject.scorer]
roles = ["reader"]
certificate = "CN=scorer"
[[subject.scorer.token]]
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
expires = 2027-01-01T00:00:00Z
[[subject.scorer.token]]
sha256 = "1111111111111111111111111111111111111111111111111111111111111111"
expires = "2027-02-01T00:00:00Z"
name = "the next one"
"#;

    #[test]
    fn a_subject_has_several_tokens_for_rotation() {
        let policy = parse("a.toml", GOOD).expect("it is good");
        assert_eq!((policy.subjects.len(), policy.tokens.len()), (1, 2));
        let expiry = policy.next_expiry_ms(0);
        assert_eq!(model::time::format_timestamp(expiry), "2027-01-01T00:00:00Z");
        assert_eq!(policy.next_expiry_ms(expiry), policy.tokens[1].expires_ms);
    }

    #[test]
    fn problems_name_the_line_and_the_remedy() {
        let twice = format!(
            "{GOOD}[subject.other]\nroles = []\n[[subject.other.token]]\nsha256 = \"{}\"\n",
            "1".repeat(64)
        );
        for (text, line, part) in [
            ("[role.x]\nreed = []\n", 2, "expected one of `read`, `write`"),
            ("[rolls.x]\n", 1, "unknown field `rolls`, expected `role` or `subject`"),
            ("[role.x]\nwrite = [\n  \"card:email\"]\n", 3, "group:NAME, stream:NAME or *"),
            ("[subject.x]\nroles = [\"y\"]\n", 2, "no role is called \"y\"; defined are: none"),
            ("\n[subject.x]\nroles = []\n", 2, "larder access token --subject x"),
            ("[[subject.x.token]]\nsha256 = \"larder_00\"\n", 2, "never the token itself"),
            ("[[subject.x.token]]\nsha256 = 1\n", 2, "expected a string"),
            ("", 1, "nobody could do anything"),
            ("a = [", 1, "a.toml:1"),
            (&twice, 12, "the same token stands here twice"),
        ] {
            let error = parse("a.toml", text).err().expect(text);
            assert!(error.contains(&format!("a.toml:{line}: ")) && error.contains(part), "{error}");
        }
        let several = "[role.x]\nread = [\"y\"]\n[subject.\"a b\"]\nroles = [\"z\"]\n";
        let error = parse("a.toml", several).err().expect("three problems");
        assert_eq!(error.lines().count(), 4, "{error}");
    }
}
