//! The server that a command talks to: a client and the runtime it runs on.

use std::future::Future;

use client::{Client, ClientBuilder};

use crate::{args, error::CliError};

/// A client of the server in `args`.
pub(crate) fn client(args: &args::Server) -> ClientBuilder {
    // One connection: a command's requests arrive in the order it sent them.
    Client::builder(&args.addr).connections(1)
}

/// The client of a load, under the name it was given.
pub(crate) fn loading(args: &args::Load) -> Client {
    let builder = client(&args.server);
    match &args.producer {
        Some(name) => builder.producer(&format!("{}/{name}", args.target), 1).build(),
        None => builder.build(),
    }
}

/// Runs `work` to its end on a runtime of its own.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}
