//! Arguments of `larder ready`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use model::limits::PORT_DEFAULT;

use crate::trigger;

/// See [`super::Command::Ready`].
#[derive(Debug, Args)]
pub(crate) struct Ready {
    /// Address of the HTTP port for operators.
    #[arg(long, default_value_t = SocketAddr::from(([127, 0, 0, 1], PORT_DEFAULT + 1)), value_name = "ADDR")]
    pub(crate) admin: SocketAddr,
    /// What is asked for: /ready, or /health, which fails only when a restart would help.
    #[arg(long, default_value = "/ready", value_name = "PATH")]
    pub(crate) path: String,
    /// Fail also when writes are refused, although reads go on: the log is poisoned, or the disk full.
    #[arg(long, conflicts_with = "path")]
    pub(crate) writes: bool,
    /// How long the answer may take.
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = trigger::patience)]
    pub(crate) timeout: Duration,
}
