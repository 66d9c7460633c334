//! The client for programs without an async runtime: one thread of its own moves the bytes, callers wait.
//!
//! What is built up fluently (reads, rows, events) is the same as in the async client; [`Client::wait`] runs its last step:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = client::blocking::Client::new("127.0.0.1:7440")?;
//! let reader = client.service("fraud_v3")?;
//! let vectors = client.wait(reader.read().key("card", "c1").key("merchant", "m9").send())?;
//! assert_eq!(vectors.len(), 1);
//! # Ok(())
//! # }
//! ```

use std::future::Future;
use std::thread::JoinHandle;

use protocol::{ApplyReply, CheckpointReply, DescribeReply, ExportReply, ExportRequest, StatValue};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use crate::{ClientBuilder, Error, GroupWriter, ServiceReader, StreamWriter};

/// A client whose calls block the calling thread. May be shared by any number of threads.
pub struct Client {
    client: crate::Client,
    runtime: Handle,
    /// Dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// A client with default settings of the server at `addr`, as `HOST:PORT`. Nothing connects until the first call.
    ///
    /// # Errors
    /// When the system refuses a thread or its sockets.
    pub fn new(addr: impl Into<String>) -> std::io::Result<Self> {
        Self::with(crate::Client::builder(addr))
    }

    /// A client with the settings of `builder`.
    ///
    /// # Errors
    /// When the system refuses a thread or its sockets.
    pub fn with(builder: ClientBuilder) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread =
            std::thread::Builder::new().name("larder-client".to_owned()).spawn(move || {
                let _dropped = runtime.block_on(stopped);
            })?;
        let (stop, thread) = (Some(stop), Some(thread));
        Ok(Self { client: builder.build(), runtime: handle, stop, thread })
    }

    /// Runs anything the async client offers to its end.
    ///
    /// # Panics
    /// When called from within an async runtime: use the async client there.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// The async client behind this one.
    #[must_use]
    pub fn as_async(&self) -> &crate::Client {
        &self.client
    }

    /// See [`crate::Client::ping`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn ping(&self) -> Result<(), Error> {
        self.wait(self.client.ping())
    }

    /// See [`crate::Client::apply`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn apply(&self, file: &str, definitions: &str, dry_run: bool) -> Result<ApplyReply, Error> {
        self.wait(self.client.apply(file, definitions, dry_run))
    }

    /// See [`crate::Client::describe`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn describe(&self, name: Option<&str>) -> Result<DescribeReply, Error> {
        self.wait(self.client.describe(name))
    }

    /// See [`crate::Client::stats`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stats(&self) -> Result<Vec<(String, StatValue)>, Error> {
        self.wait(self.client.stats())
    }

    /// See [`crate::Client::checkpoint`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn checkpoint(&self, backup: Option<&str>) -> Result<CheckpointReply, Error> {
        self.wait(self.client.checkpoint(backup))
    }

    /// See [`crate::Client::export`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn export(&self, request: &ExportRequest<'_>) -> Result<ExportReply, Error> {
        self.wait(self.client.export(request))
    }

    /// See [`crate::Client::service`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn service(&self, name: &str) -> Result<ServiceReader, Error> {
        self.wait(self.client.service(name))
    }

    /// See [`crate::Client::features`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn features(&self, references: &[&str]) -> Result<ServiceReader, Error> {
        self.wait(self.client.features(references))
    }

    /// See [`crate::Client::group`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn group(&self, name: &str) -> Result<GroupWriter, Error> {
        self.wait(self.client.group(name))
    }

    /// See [`crate::Client::stream`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stream(&self, name: &str) -> Result<StreamWriter, Error> {
        self.wait(self.client.stream(name))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
