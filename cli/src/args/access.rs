//! Arguments of `larder access`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

/// See [`super::Command::Access`].
#[derive(Debug, Args)]
pub(crate) struct Access {
    #[command(subcommand)]
    pub(crate) command: AccessCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Make a token: printed once, with the lines of the policy that let it in.
    Token(AccessToken),
    /// Say whether a policy allows something, and why; exit code 1 when it does not.
    Check(AccessCheck),
}

/// See [`AccessCommand::Token`].
#[derive(Debug, Args)]
pub(crate) struct AccessToken {
    /// Who is to have it.
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: String,
    /// When it ends: RFC 3339; never when not given.
    #[arg(long, value_name = "T")]
    pub(crate) expires: Option<String>,
}

/// See [`AccessCommand::Check`].
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("who").required(true).args(["as_token", "subject"]),
    group = ArgGroup::new("what").required(true).args(["read", "write", "define", "admin"]),
)]
pub(crate) struct AccessCheck {
    /// The policy.
    #[arg(long, value_name = "FILE")]
    pub(crate) access: PathBuf,
    /// Who asks, by a token; others on this machine may see it on a command line.
    #[arg(long = "as", value_name = "TOKEN", id = "as_token")]
    pub(crate) as_token: Option<String>,
    /// Who asks, by name.
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: Option<String>,
    /// What for.
    #[arg(long, value_name = "PURPOSE")]
    pub(crate) purpose: Option<String>,
    /// The definitions (TOML): they say what a service reads and what is tagged pii. Without them names alone are looked at.
    #[arg(long, value_name = "FILE")]
    pub(crate) definitions: Option<PathBuf>,
    /// May they read service:NAME, group:NAME, GROUP:FEATURE or GROUP:*?
    #[arg(long, value_name = "WHAT")]
    pub(crate) read: Option<String>,
    /// May they write group:NAME or stream:NAME?
    #[arg(long, value_name = "WHAT")]
    pub(crate) write: Option<String>,
    /// May they define entity:NAME, stream:NAME, group:NAME or service:NAME? Without a name: anything at all?
    #[arg(long, value_name = "WHAT", num_args = 0..=1, default_missing_value = "")]
    pub(crate) define: Option<String>,
    /// Are they administrators: statistics, checkpoints, backups?
    #[arg(long)]
    pub(crate) admin: bool,
}
