//! Arguments of `larder audit`, and those of a server that writes an audit log.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use server::audit::{self, AuditOptions, DeploymentKey};

use crate::{error::CliError, output::Format};

/// What a server writes.
#[derive(Debug, Args)]
pub(crate) struct Audited {
    /// Directory of the audit log: who read or changed what, as lines that are hashed into a chain. Nothing is logged without one.
    #[arg(long, value_name = "DIR")]
    audit: Option<PathBuf>,
    /// The part of reads that the audit log tells of, 0 to 1.
    #[arg(long, default_value = "0.01", value_name = "PART", value_parser = part)]
    audit_reads: f64,
    /// File with the key under which the audit log hashes keys of entities; without one it says nothing of them.
    #[arg(long, value_name = "FILE")]
    audit_key_file: Option<PathBuf>,
}

impl Audited {
    /// What the server is started with.
    pub(crate) fn options(&self) -> Result<Option<AuditOptions>, CliError> {
        let Some(directory) = &self.audit else {
            return match self.audit_key_file {
                Some(_) => Err(CliError::usage(
                    "--audit-key-file is for the audit log: give --audit DIR, too",
                )),
                None => Ok(None),
            };
        };
        let key = self.audit_key_file.as_deref().map(DeploymentKey::read).transpose();
        let key = key.map_err(|error| CliError::failed(error.to_string()))?;
        let options = AuditOptions::new(directory.clone());
        Ok(Some(AuditOptions { key, reads: self.audit_reads, ..options }))
    }
}

pub(super) fn part(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| format!("`{text}` is no part: give a number from 0 to 1"))
}

/// See [`super::Command::Audit`].
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) what: What,
}

/// What to do with an audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Find lines that were edited, removed, added or moved; prints the last line's hash, an anchor for the next time. A server may
    /// go on writing meanwhile. Exit code 1 when something is wrong.
    Verify(Verify),
    /// Print the hash that stands for an entity's key in the audit log, to search for it.
    Hash(Hash),
}

/// See [`What::Verify`].
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The directory of the log.
    pub(crate) directory: PathBuf,
    /// Hash of a line that must be there: without one nobody can tell that the end was cut off, or that all was written anew.
    #[arg(long, value_name = "HASH", value_parser = audit::parse_hash)]
    pub(crate) anchor: Option<[u8; 32]>,
    /// Hash of the line before the first, when older files were taken away.
    #[arg(long, value_name = "HASH", value_parser = audit::parse_hash)]
    pub(crate) after: Option<[u8; 32]>,
    /// How to print what was found.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// See [`What::Hash`].
#[derive(Debug, Args)]
pub(crate) struct Hash {
    /// The entity's name.
    pub(crate) entity: String,
    /// The key; parts of a composite key are joined by |.
    #[arg(allow_hyphen_values = true)]
    pub(crate) key: String,
    /// Type of the key as the entity declares it; of a composite key one for each part, joined by commas.
    #[arg(long = "type", default_value = "string", value_delimiter = ',', value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// The key that the server was started with.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_key_file: PathBuf,
}
