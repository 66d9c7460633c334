//! `larder serve`: opens the database, serves it, ends gently on SIGTERM or Ctrl-C.

use std::sync::Arc;

use engine::{Config, Database, OsFs};
use server::{CheckpointAtStop, Ports, Server};
use stdx::clock::{Clock, SystemClock};

use super::{read_text, shown_name};
use crate::{
    args::{self, AtStop},
    error::CliError,
    logging, output,
};

/// See the module.
pub(crate) fn run(args: &args::Serve) -> Result<(), CliError> {
    logging::start(args.telling.log_format);
    let config = Config {
        sync: args.sync,
        memory_bytes_max: args.max_memory,
        checkpoint_every_ms: args.checkpoint_every.0,
        checkpoint_wal_bytes: args.checkpoint_wal.0,
        ..Config::default()
    };
    let options = options(args)?;
    #[cfg(feature = "otel")]
    let (exporter, options) = crate::otel::Exporter::start(&args.telling.otel, options)?;
    let failed = |error: server::Error| CliError::failed(error.to_string());
    let read = |path| read_text(path).map(|text| (path, text));
    let definitions = args.apply.as_deref().map(read).transpose()?;
    if let Some(path) = &options.access {
        // Read again when the server starts; a mistake in it is told before anything is touched.
        server::access::Policy::load(path).map_err(CliError::failed)?;
    }
    // Before the directory: a server that cannot have its ports leaves nothing behind. Who asks on the
    // admin port is told that there is no database yet; nobody else is let in before.
    let ports = Ports::take(&options).and_then(Ports::open_admin).map_err(failed)?;
    let files = OsFs::open(&args.data).map_err(engine::Error::from)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let database = Database::open(files, &config, Arc::clone(&clock))?;
    tell_recovery(&database, config.seed, clock.mono_ns() / 1_000_000);
    if let Some((path, text)) = &definitions {
        apply(&database, path, text)?;
    }
    let server = Server::start_on(ports, &options, database).map_err(failed)?;
    let ready = format!("listening native={} admin={}", server.native_addr(), server.admin_addr());
    // Before anybody is told: whoever starts and stops a server at once stops it gently, too.
    let stop = StopSignals::listen()?;
    output::line(&ready)?;
    stop.wait(|| {
        // What was wrong is in the log, and the server goes on as it was.
        let _told = server.reload();
    })?;
    tracing::info!("stopping: requests in flight are answered, the log is synced and sealed");
    let closed = server.shutdown().map_err(failed);
    #[cfg(feature = "otel")]
    exporter.into_iter().for_each(crate::otel::Exporter::stop);
    closed
}

/// What the server is started with, spans apart.
fn options(args: &args::Serve) -> Result<server::Config, CliError> {
    let mut options = server::Config {
        listen: args.listen,
        admin: args.admin,
        backups: Some(args.data.join("backups")),
        exports: args.export_dir.clone(),
        access: args.access.clone(),
        insecure: args.insecure,
        admin_public: args.admin_public,
        history: Some(args.data.join(export::history::DIRECTORY)),
        checkpoint_at_stop: match args.checkpoint_at_stop {
            AtStop::Auto => CheckpointAtStop::Auto,
            AtStop::Always => CheckpointAtStop::Always,
            AtStop::Never => CheckpointAtStop::Never,
        },
        drain: args.drain,
        turn_max: args.max_wait,
        audit: args.audited.options()?,
        tls: args.door.tls(),
        max_connections: args.door.max_connections,
        max_connections_per_address: args.door.max_connections_per_address,
        slow: args.telling.slow,
        ..server::Config::default()
    };
    if let Some(threads) = args.threads {
        options.threads = usize::from(threads);
    }
    Ok(options)
}

fn tell_recovery(database: &Database<OsFs>, seed: u64, took_ms: u64) {
    if let Some(snapshot) = database.wal().directory().snapshot() {
        tracing::info!(number = snapshot.number, bytes = snapshot.bytes, "a snapshot was mapped");
    }
    let report = database.recovery();
    tracing::info!(
        segments = report.segments,
        records_read = report.records,
        bytes_read = report.bytes,
        // The others are in the snapshot already: the segment in which it ends is read from its start.
        records_replayed = report.replayed,
        replay_threads = report.threads,
        replay_ms = report.took_ms,
        took_ms,
        seed,
        "the log was replayed: the database is open"
    );
    if let Some(torn) = &report.torn_tail {
        tracing::warn!(
            file = torn.file,
            offset = torn.offset,
            last_lsn = torn.last_lsn.0,
            "an unfinished write at the end of the log was cut off; nothing acknowledged under sync policy always was in it"
        );
    }
}

fn apply(database: &Database<OsFs>, path: &std::path::Path, text: &str) -> Result<(), CliError> {
    let applied = database.apply(&shown_name(path), text, false)?;
    if applied.plan.is_refused() {
        return Err(CliError::failed(format!("{}: refused\n{}", path.display(), applied.plan)));
    }
    if let Some(ticket) = applied.ticket {
        ticket.wait().map_err(engine::Error::from)?;
        tracing::info!(version = applied.version, "definitions were applied");
    }
    Ok(())
}

/// SIGTERM, Ctrl-C and SIGHUP, heard from the moment this was made.
struct StopSignals {
    runtime: tokio::runtime::Runtime,
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> Result<Self, CliError> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hangup = signal(SignalKind::hangup())?;
        drop(entered);
        Ok(Self { runtime, terminate, interrupt, hangup })
    }

    /// Returns on the first of them; the second ends the process. SIGHUP is for `reload`.
    fn wait(mut self, reload: impl Fn()) -> Result<(), CliError> {
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => return,
                    _ = self.interrupt.recv() => return,
                    _ = self.hangup.recv() => reload(),
                }
            }
        });
        let again = move || {
            self.runtime.block_on(async {
                tokio::select! {
                    _ = self.terminate.recv() => {}
                    _ = self.interrupt.recv() => {}
                }
            });
            tracing::warn!(
                "ended at once: the next start replays what the log holds; nothing acknowledged is lost"
            );
            std::process::exit(1);
        };
        std::thread::Builder::new().name("larder-stop".to_owned()).spawn(again)?;
        Ok(())
    }
}
