//! `larder checkpoint`: the server writes a snapshot of everything while it goes on; with `--copy` also a backup, which this
//! command takes to where it is wanted.

pub(super) mod take;

use std::path::Path;

use model::time::format_timestamp;
use serde_json::Value as Json;
use stdx::{
    clock::{Clock, SystemClock},
    prng::seed_from_os,
};

use crate::{
    args,
    error::CliError,
    output::{self, Sheet},
    remote,
};

/// See the module.
pub(crate) fn run(args: &args::Checkpoint) -> Result<(), CliError> {
    let name = match &args.copy {
        None => None,
        Some(target) => {
            take::check(target)?;
            Some(backup_name())
        }
    };
    let reply = remote::run(async {
        let client = remote::client(&args.server)?.build();
        Ok(client.checkpoint(name.as_deref()).await?)
    })?;
    let copy = match (&args.copy, &reply.backup) {
        (Some(target), Some(backup)) => {
            Some(take::brought("backup", Path::new(backup), target, &args.server.addr)?)
        }
        _ => None,
    };
    if !reply.is_new() {
        output::note(&format!(
            "nothing new since checkpoint {}: its snapshot holds everything, and none was written",
            reply.number
        ));
    }
    let mut header = vec!["number", "lsn", "entities", "bytes", "ms", "segments_removed"];
    let mut row = vec![
        Json::from(reply.number),
        Json::from(reply.lsn),
        Json::from(reply.entities),
        Json::from(reply.bytes),
        Json::from(reply.took_ms),
        Json::from(reply.segments_removed),
    ];
    if let Some(copy) = copy {
        header.push("copy");
        row.push(Json::from(copy.display().to_string()));
    }
    let mut sheet = Sheet::new(header);
    sheet.push(row);
    sheet.print(output::choose(args.format))
}

/// A name that no other backup has.
fn backup_name() -> String {
    let now = format_timestamp(SystemClock::new().wall_ms());
    let digits: String = now.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("copy-{digits}-{:016x}", seed_from_os())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_are_names_of_backups_and_differ() {
        let (one, other) = (backup_name(), backup_name());
        assert_ne!(one, other);
        for name in [one, other] {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            assert!(name.len() <= 64 && name.bytes().all(is_allowed), "{name}");
        }
    }
}
