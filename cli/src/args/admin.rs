//! Which admin port: of every command that asks one.

use clap::Args;
use model::limits::PORT_DEFAULT;

/// See the module.
#[derive(Debug, Args)]
pub(crate) struct AdminAddr {
    /// Address of the HTTP port for operators.
    #[arg(long, env = "LARDER_ADMIN", default_value_t = format!("127.0.0.1:{}", PORT_DEFAULT + 1), value_name = "HOST:PORT", value_parser = super::addr::host_port)]
    pub(crate) admin: String,
    #[command(flatten)]
    pub(crate) tls: super::Tls,
}
