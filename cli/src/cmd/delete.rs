//! `larder delete`: entities out of a group.

use crate::{args, error::CliError, output, remote};

/// See the module.
pub(crate) fn run(args: &args::Delete) -> Result<(), CliError> {
    let reply = remote::run(async {
        let group = remote::client(&args.server)?.build().group(&args.group).await?;
        Ok(group.delete(&args.keys).await?)
    })?;
    for reject in &reply.rejects {
        let key = args.keys.get(reject.index as usize).map_or("", String::as_str);
        output::note(&format!("key {key}: {}", reject.reason));
    }
    output::line(
        &serde_json::json!({"deleted": reply.deleted, "asked": args.keys.len()}).to_string(),
    )?;
    if reply.rejected > 0 {
        return Err(CliError::failed(format!("{} keys were rejected", reply.rejected)));
    }
    Ok(())
}
