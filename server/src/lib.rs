//! The server: the only place where the wire meets the engine.
//!
//! ```text
//! accept ──► net-0 ─ runtime ─ connection ─ session (bytes to frames) ─ dispatch ─ handler/* ─► engine
//!        └─► net-1 ─ …                        ▲ replies of one poll leave in one write ◄─ tickets of writes
//! admin  ──► runtime of its own ─ /health
//! sweeper    a timer: window states that no window sees any more give their memory back; memory is counted for its limit
//! checkpointer ─ snapshots when due or asked for, backups       verifier ─ reads every block of the mapped snapshot once
//! exporter ─ every group at one moment as files, when asked for       historian, read_log ─ what was accepted, what was served, as files
//! ```
//!
//! `threads` makes the threads, `connection` moves bytes, `session` needs no socket, `handler` has one file for each
//! operation, `error` holds the one table from engine errors to statuses. Not here: what operations mean (engine), how they
//! are laid out (protocol).

mod admin;
mod backups;
mod checkpointer;
mod config;
mod connection;
mod dispatch;
mod error;
mod exporter;
mod handler;
mod historian;
mod ports;
mod read_log;
mod session;
mod shared;
mod sweeper;
mod threads;
mod verifier;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use engine::{Database, OsFs};
use stdx::clock::Clock;
use tokio::sync::watch;

pub use config::{CheckpointAtStop, Config};
pub use error::Error;
pub use ports::Ports;

use shared::Shared;

/// A running server.
pub struct Server {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    checkpoint_at_stop: CheckpointAtStop,
    native: SocketAddr,
    admin: SocketAddr,
}

impl Server {
    /// Takes both ports, opens them and serves `database`.
    ///
    /// # Errors
    /// [`Error::Listen`] names the address and what to do.
    pub fn start(config: &Config, database: Database<OsFs>) -> Result<Self, Error> {
        Self::start_on(Ports::take(config)?, config, database)
    }

    /// Opens `ports`, which were taken before `database` was opened, and serves it.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_on(
        ports: Ports,
        config: &Config,
        database: Database<OsFs>,
    ) -> Result<Self, Error> {
        let (native, admin) = (ports.native_addr(), ports.admin_addr());
        let (listener, admin_listener) = ports.open()?;
        let epoch = u32::try_from(stdx::prng::seed_from_os() >> 32).unwrap_or(0);
        let (checkpoints, asked) = checkpointer::Queue::new();
        let (exports, wanted) = exporter::Exports::new(config.exports.clone());
        let (reads, logged) = read_log::ReadLogs::new(config.history.clone());
        let queues = (checkpoints, exports, reads);
        let shared = Arc::new(Shared::new(database, epoch, config, queues));
        let (stop, stopped) = watch::channel(false);
        let mut threads = threads::start(config, listener, &shared, &stopped)?;
        let ends = (admin_listener, asked, wanted, logged);
        threads.extend(threads::start_others(config, ends, &shared, &stopped)?);
        let checkpoint_at_stop = config.checkpoint_at_stop;
        Ok(Self { shared, stop, threads, checkpoint_at_stop, native, admin })
    }

    /// Address of the native protocol.
    #[must_use]
    pub fn native_addr(&self) -> SocketAddr {
        self.native
    }

    /// Address of the admin port.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// The database that is served.
    #[must_use]
    pub fn database(&self) -> &Database<OsFs> {
        &self.shared.database
    }

    /// Takes no more connections and requests, answers those in flight, makes a last checkpoint if it is worth it, then flushes,
    /// syncs and seals the log.
    ///
    /// # Errors
    /// [`Error::Engine`] when the log could not be closed cleanly.
    pub fn shutdown(mut self) -> Result<(), Error> {
        let policy = self.checkpoint_at_stop;
        self.join(policy);
        // First: what it has gone through, the checkpoint can let go of.
        historian::at_stop(&self.shared);
        checkpointer::at_stop(&self.shared, policy);
        let closed = self.shared.database.close();
        read_log::at_stop(&self.shared);
        Ok(closed?)
    }

    /// Ends as a killed process does: nothing is drained, flushed or sealed. For demonstrations and tests.
    pub fn abandon(mut self) {
        self.shared.database.abandon();
        self.join(CheckpointAtStop::Never);
    }

    /// Stops every thread and waits for it. A checkpoint that runs is finished, or given up, as `policy` says.
    fn join(&mut self, policy: CheckpointAtStop) {
        self.shared.checkpoints.stop(policy, self.shared.clock.mono_ns());
        historian::stop(&self.shared);
        // Nobody listening any more means that every thread has ended already.
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread ended by a panic");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.join(CheckpointAtStop::Never);
    }
}
