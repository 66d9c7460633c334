//! Apply: plan a definitions file and make it so.
//!
//! ```text
//! request   dry run u8, file text, definitions text
//! reply     version u64, applied u8, list of changes
//! change    verb u8 (0 add, 1 change, 2 keep, 3 refuse), kind text, name text, detail text
//! ```

use model::{
    definition::Verb,
    limits::{DEFINITIONS_BYTES_MAX, DEFINITIONS_MAX},
};
use stdx::cursor::{Reader, Writer};

use crate::{Error, checked};

/// Entities, streams, groups and services.
const CHANGES_MAX: usize = 4 * DEFINITIONS_MAX;
/// Least bytes of a change.
const CHANGE_BYTES: usize = 1 + 3 * 4;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyRequest<'a> {
    /// Name of the file, for messages.
    pub file: &'a str,
    /// Its text (TOML).
    pub definitions: &'a str,
    /// Plan only, change nothing.
    pub dry_run: bool,
}

impl<'a> ApplyRequest<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u8(u8::from(self.dry_run))
            .block(self.file.as_bytes())
            .block(self.definitions.as_bytes());
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`], [`Error::TooMany`] when the file is too long.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let dry_run = checked::boolean(&mut input)?;
        let (file, definitions) = (checked::text(&mut input)?, checked::text(&mut input)?);
        checked::end(&input)?;
        if definitions.len() > DEFINITIONS_BYTES_MAX {
            let (what, count) = ("bytes of definitions", definitions.len());
            return Err(Error::TooMany { what, count, max: DEFINITIONS_BYTES_MAX });
        }
        Ok(Self { file, definitions, dry_run })
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyReply {
    /// Version of the definitions now.
    pub version: u64,
    /// True when they were changed by this request.
    pub applied: bool,
    /// The plan: every definition of the file.
    pub changes: Vec<AppliedChange>,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedChange {
    /// What happens.
    pub verb: Verb,
    /// `entity`, `stream`, `group` or `service`.
    pub kind: String,
    /// The definition's name.
    pub name: String,
    /// What is different, or why it is refused and what to do instead.
    pub detail: String,
}

impl ApplyReply {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.version).u8(u8::from(self.applied));
        checked::write_count(out, self.changes.len());
        for change in &self.changes {
            out.u8(verb_code(change.verb)).block(change.kind.as_bytes());
            out.block(change.name.as_bytes()).block(change.detail.as_bytes());
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`] or [`Error::TooMany`].
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let (version, applied) = (input.u64()?, checked::boolean(&mut input)?);
        let changes = checked::list(&mut input, ("changes", CHANGES_MAX, CHANGE_BYTES), |input| {
            Ok(AppliedChange {
                verb: verb(input.u8()?)?,
                kind: checked::string(input)?,
                name: checked::string(input)?,
                detail: checked::string(input)?,
            })
        })?;
        checked::end(&input)?;
        Ok(Self { version, applied, changes })
    }
}

fn verb_code(verb: Verb) -> u8 {
    match verb {
        Verb::Add => 0,
        Verb::Change => 1,
        Verb::Keep => 2,
        Verb::Refuse => 3,
    }
}

fn verb(code: u8) -> Result<Verb, Error> {
    match code {
        0 => Ok(Verb::Add),
        1 => Ok(Verb::Change),
        2 => Ok(Verb::Keep),
        3 => Ok(Verb::Refuse),
        _ => Err(Error::Malformed(format!("a verb is 0 to 3, got {code}"))),
    }
}
