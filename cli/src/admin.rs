//! The HTTP port for operators of a server: who asks it, and what is told when it does not answer.

use std::time::Duration;

use crate::{
    args,
    error::CliError,
    http::{Answer, Host, Request},
    remote,
};

/// The admin port of a server, and a runtime to ask it on.
pub(crate) struct AdminPort {
    host: Host,
    runtime: tokio::runtime::Runtime,
}

impl AdminPort {
    /// That in `args`; an answer may take as long as `patience`.
    ///
    /// # Errors
    /// When a certificate cannot be used.
    pub(crate) fn of(args: &args::AdminAddr, patience: Duration) -> Result<Self, CliError> {
        let tls = remote::tls(&args.tls)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { host: Host { addr: args.admin.clone(), tls, patience }, runtime })
    }

    /// HOST:PORT.
    pub(crate) fn addr(&self) -> &str {
        &self.host.addr
    }

    /// What it answers to `GET path`, whatever that is.
    ///
    /// # Errors
    /// When it does not answer, or not in HTTP: the address and what to look at.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, CliError> {
        self.runtime.block_on(self.host.ask(&Request::get(path))).map_err(|error| {
            let addr = self.addr();
            CliError::failed(format!(
                "the admin port {addr}: {error} (`larder serve` must be running, and this be its --admin address)"
            ))
        })
    }
}
