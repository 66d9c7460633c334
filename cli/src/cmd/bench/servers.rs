//! Who is measured: servers that are there, and those that are started for the measurement and end with it.

use larder_benches::load::{Peer, server::Process, stop::Stop};
use tempfile::TempDir;

use crate::{
    args::{self, Against},
    error::CliError,
    output,
};

/// A process and its directory; the process ends first.
struct Started {
    process: Process,
    _directory: TempDir,
}

/// All of them.
pub(super) struct Servers {
    addr: String,
    peer: Option<Peer>,
    own: Option<Started>,
    own_peer: Option<Started>,
}

impl Servers {
    /// Starts what `args` do not name, unless somebody has had enough meanwhile.
    pub(super) fn start(args: &args::Bench, stop: &Stop) -> Result<Self, CliError> {
        let own = match &args.addr {
            Some(_) => None,
            None => Some(start_larder(args)?),
        };
        stop.check()?;
        let mut servers = Self {
            addr: args.addr.clone().or(own.as_ref().map(Started::addr)).unwrap_or_default(),
            peer: None,
            own,
            own_peer: None,
        };
        match &args.against {
            None => {}
            Some(Against::Redis(Some(addr))) => servers.peer = Some(Peer::Redis(addr.clone())),
            Some(Against::Redis(None)) => {
                let directory = directory()?;
                // How a server that is not ours syncs is not known: Redis then keeps no log.
                let sync =
                    if args.addr.is_some() { "memory".to_owned() } else { args.sync.to_string() };
                let started = Started {
                    process: Process::redis(&std::env::current_exe()?, directory.path(), &sync)?,
                    _directory: directory,
                };
                servers.peer = Some(Peer::Redis(started.addr()));
                servers.own_peer = Some(started);
            }
            Some(Against::Echo) => {
                let process = Process::echo(&std::env::current_exe()?)?;
                let started = Started { process, _directory: directory()? };
                servers.peer = Some(Peer::Echo(started.addr()));
                servers.own_peer = Some(started);
            }
        }
        stop.check()?;
        Ok(servers)
    }

    /// HOST:PORT of the Larder server.
    pub(super) fn addr(&self) -> &str {
        &self.addr
    }

    /// Whom it is compared with.
    pub(super) fn peer(&self) -> Option<Peer> {
        self.peer.clone()
    }

    /// The server in words.
    pub(super) fn describe(&self, args: &args::Bench) -> String {
        match &self.own {
            Some(_) => format!("{}, started for this, sync policy {}", self.addr, args.sync),
            None => self.addr.clone(),
        }
    }
}

impl Started {
    fn addr(&self) -> String {
        self.process.addr().to_owned()
    }
}

fn directory() -> Result<TempDir, CliError> {
    tempfile::Builder::new().prefix("larder-bench-").tempdir().map_err(|error| {
        let place = std::env::temp_dir();
        CliError::failed(format!(
            "cannot make a temporary directory: {error}; is {} there? TMPDIR names another place",
            place.display()
        ))
    })
}

fn start_larder(args: &args::Bench) -> Result<Started, CliError> {
    let directory = directory()?;
    let threads = args.threads.map(|threads| threads.to_string());
    let more: Vec<&str> = threads.iter().flat_map(|threads| ["--threads", threads]).collect();
    let (binary, data) = (std::env::current_exe()?, directory.path().join("data"));
    let process = Process::larder(&binary, &data, &args.sync.to_string(), &more)?;
    output::note(&format!(
        "started a server for this: {}, sync policy {}, data in {}",
        process.addr(),
        args.sync,
        directory.path().display()
    ));
    Ok(Started { process, _directory: directory })
}
