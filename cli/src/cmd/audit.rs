//! `larder audit`: verifies an audit log, and finds the hashes in it.

use model::key::{EntityKey, KeyType};
use serde_json::Value as Json;
use server::audit::{DeploymentKey, Expected, verify as read};

use crate::{
    args::{Audit, AuditHash, AuditVerify, AuditWhat},
    error::CliError,
    output::{self, Sheet},
};

/// See the module.
pub(crate) fn run(args: &Audit) -> Result<(), CliError> {
    match &args.what {
        AuditWhat::Verify(args) => verify(args),
        AuditWhat::Hash(args) => hash(args),
    }
}

fn failed(error: server::Error) -> CliError {
    CliError::failed(error.to_string())
}

fn verify(args: &AuditVerify) -> Result<(), CliError> {
    let expected = Expected { anchor: args.anchor, after: args.after };
    let found = read(&args.directory, &expected).map_err(failed)?;
    let mut sheet = Sheet::new(["name", "value"]);
    let mut say = |name: &str, value: Json| sheet.push(vec![Json::from(name), value]);
    say("files", found.files.into());
    say("lines", found.lines.into());
    say("first_line", found.first.into());
    say("last_line", found.last.into());
    say("last_hash", found.last_hash.into());
    say("dropped", found.dropped.into());
    say("problems", found.problem_count.into());
    sheet.print(output::choose(args.format))?;
    found.notes.iter().for_each(|note| output::note(&format!("note: {note}")));
    if found.problem_count == 0 {
        if args.anchor.is_none() {
            output::note(
                "the chain is whole as far as it goes; only an anchor from elsewhere shows whether its end is missing: --anchor HASH",
            );
        }
        return Ok(());
    }
    let more = found.problem_count - found.problems.len() as u64;
    let mut text = found.problems.join("\n");
    if more > 0 {
        text.push_str(&format!("\nand {more} more problems"));
    }
    Err(CliError::failed(format!("the audit log is not as it was written\n{text}")))
}

fn hash(args: &AuditHash) -> Result<(), CliError> {
    let types = args.types.iter().map(|name| KeyType::parse(name.trim()));
    let types = types.collect::<Result<Vec<_>, _>>()?;
    let key = EntityKey::parse(&args.key, &types)?;
    let deployment = DeploymentKey::read(&args.audit_key_file).map_err(failed)?;
    output::line(&deployment.hash(&args.entity, key.as_bytes()))
}
