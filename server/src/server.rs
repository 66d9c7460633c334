//! A running server: started, stopped gently, abandoned.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use engine::{Database, OsFs};
use stdx::clock::Clock;
use tokio::sync::watch;

use crate::{
    CheckpointAtStop, Config, Error, Ports, access::exposure, admin::Admin, audit, checkpointer,
    historian, read_log, shared::Shared, threads,
};

/// A running server.
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    checkpoint_at_stop: CheckpointAtStop,
    native: SocketAddr,
    /// Closed last: it says that the server drains.
    admin: Admin,
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
        let native = ports.native_addr();
        let (listener, admin, tls) = ports.open()?;
        let epoch = u32::try_from(stdx::prng::seed_from_os() >> 32).unwrap_or(0);
        exposure::tell(config);
        let (mut shared, mut ends) = Shared::new(database, epoch, config)?;
        shared.tls = tls;
        let shared = Arc::new(shared);
        let (stop, stopped) = watch::channel(false);
        let mut threads = threads::start(config, (listener, &mut ends), &shared, &stopped)?;
        threads.extend(threads::start_others(config, ends, &shared, &stopped)?);
        admin.life.is_open(Arc::clone(&shared));
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
        self.admin.addr()
    }

    /// The database that is served.
    #[must_use]
    pub fn database(&self) -> &Database<OsFs> {
        &self.shared.database
    }

    /// Reads again what may change while a server runs: certificates, and the access policy, under which connections are asked anew
    /// who they are and what they may do. What cannot be used is told in the log, and stays as it was.
    ///
    /// # Errors
    /// [`Error::Access`] with every mistake of the policy.
    pub fn reload(&self) -> Result<(), Error> {
        let shared = &self.shared;
        if let Some(tls) = &shared.tls {
            audit::acts::reloaded(shared, "certificates", &tls.reload());
        }
        let Some(access) = &shared.access else { return Ok(()) };
        let read = access.reload(shared.clock.wall_ms()).map_err(Error::Access);
        audit::acts::reloaded(shared, "access policy", &read);
        read
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
        audit::at_stop(&self.shared, closed.as_ref().err().map(ToString::to_string));
        Ok(closed?)
    }

    /// Ends as a killed process does: nothing is drained, flushed or sealed. For demonstrations and tests.
    pub fn abandon(mut self) {
        self.shared.database.abandon();
        self.join(CheckpointAtStop::Never);
    }

    /// Stops every thread and waits for it. A checkpoint that runs is finished, or given up, as `policy` says.
    fn join(&mut self, policy: CheckpointAtStop) {
        self.admin.life.drains();
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
        // One that was shut down or abandoned has no threads any more: nothing is said twice.
        if !self.threads.is_empty() {
            self.join(CheckpointAtStop::Never);
        }
    }
}
