//! Arguments of `larder ready`.

use std::time::Duration;

use clap::Args;

use crate::trigger;

/// See [`super::Command::Ready`].
#[derive(Debug, Args)]
pub(crate) struct Ready {
    #[command(flatten)]
    pub(crate) admin: super::AdminAddr,
    /// What is asked for: /ready, or /health, which fails only when a restart would help.
    #[arg(long, default_value = "/ready", value_name = "PATH", value_parser = path)]
    pub(crate) path: String,
    /// Fail also when writes are refused, although reads go on: the log is poisoned, or the disk full.
    #[arg(long, conflicts_with = "path")]
    pub(crate) writes: bool,
    /// How long the answer may take.
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = trigger::patience)]
    pub(crate) timeout: Duration,
}

/// What can stand in the first line of a request.
fn path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_path { Ok(text.to_owned()) } else { Err(format!("`{text}` is no path: write /ready")) }
}
