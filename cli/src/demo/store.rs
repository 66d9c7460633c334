//! The embedded server of the demo: a temporary directory, free ports, and a kill that leaves only what the log holds.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use engine::{Config, Database, OsFs};
use server::Server;
use stdx::clock::SystemClock;
use tempfile::TempDir;

use crate::error::CliError;

/// A server and its directory.
pub(super) struct Store {
    server: Server,
    directory: TempDir,
}

impl Store {
    /// Starts on an empty temporary directory.
    pub(super) fn start() -> Result<Self, CliError> {
        let directory = tempfile::Builder::new().prefix("larder-demo-").tempdir()?;
        Ok(Self { server: open(directory.path())?, directory })
    }

    /// HOST:PORT of the native protocol.
    pub(super) fn addr(&self) -> String {
        self.server.native_addr().to_string()
    }

    /// The data directory.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Records replayed when it was opened.
    pub(super) fn replayed(&self) -> u64 {
        self.server.database().recovery().replayed
    }

    /// Drops everything that is only in memory, as a killed process does, and opens the directory again.
    pub(super) fn kill_and_reopen(self) -> Result<Self, CliError> {
        self.server.abandon();
        Ok(Self { server: open(self.directory.path())?, directory: self.directory })
    }

    /// Stops gently and removes the directory.
    pub(super) fn stop(self) -> Result<(), CliError> {
        self.server.shutdown().map_err(|error| CliError::failed(error.to_string()))?;
        Ok(self.directory.close()?)
    }
}

fn open(directory: &Path) -> Result<Server, CliError> {
    let files = OsFs::open(directory).map_err(engine::Error::from)?;
    let database = Database::open(files, &Config::default(), Arc::new(SystemClock::new()))?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = server::Config { listen: any, admin: any, ..server::Config::default() };
    Server::start(&options, database).map_err(|error| CliError::failed(error.to_string()))
}
