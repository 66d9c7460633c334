//! `larder apply`: a definitions file becomes valid, after its plan is shown.

use model::definition::Verb;
use serde_json::Value as Json;

use super::{read_text, shown_name};
use crate::{
    args,
    error::CliError,
    output::{self, Sheet},
    remote,
};

/// See the module.
pub(crate) fn run(args: &args::Apply) -> Result<(), CliError> {
    let text = read_text(&args.file)?;
    let name = shown_name(&args.file);
    let reply = remote::run(async {
        let client = remote::client(&args.server)?.build();
        Ok(client.apply(&name, &text, args.dry_run).await?)
    })?;
    let mut sheet = Sheet::new(["change", "kind", "name", "detail"]);
    let mut refused = Vec::new();
    for change in &reply.changes {
        if change.verb == Verb::Refuse {
            refused.push(format!("  {} {}: {}", change.kind, change.name, change.detail));
        }
        let words = [change.verb.as_str(), &change.kind, &change.name, &change.detail];
        sheet.push(words.map(Json::from).to_vec());
    }
    if !reply.changes.is_empty() {
        sheet.print(output::choose(args.format))?;
    }
    let version = reply.version;
    if !refused.is_empty() {
        let plural = if refused.len() == 1 { "change is" } else { "changes are" };
        return Err(CliError::failed(format!(
            "{}: {} {plural} refused, nothing was applied; definitions stay at version {version}\n{}",
            args.file.display(),
            refused.len(),
            refused.join("\n")
        )));
    }
    output::note(&match (reply.applied, args.dry_run) {
        (true, _) => format!("applied: definitions are at version {version}"),
        (false, true) => {
            format!("dry run: nothing was changed, definitions are at version {version}")
        }
        (false, false) => format!("nothing to change: definitions are at version {version}"),
    });
    Ok(())
}
