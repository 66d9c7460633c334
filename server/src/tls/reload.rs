//! The certificate that new connections get. Connections that are open keep theirs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use stdx::sync::Mutex;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::TlsFiles;
use crate::{Error, shared::Shared};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Arc<ServerConfig>,
    /// Of the files as they were when they were read last, with success or not.
    stamps: Stamps,
}

/// When each file was written and how long it is; `None` of one that cannot be looked at.
type Stamps = Vec<Option<(Option<SystemTime>, u64)>>;

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::Tls`].
    pub(crate) fn open(files: TlsFiles) -> Result<Self, Error> {
        // Looked at first: what is written meanwhile is read again.
        let stamps = stamps(&files);
        let current = files.load()?;
        Ok(Self { files, state: Mutex::new(State { current, stamps }) })
    }

    /// What the next connection is answered with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.state.lock().current))
    }

    /// Reads the files again. What cannot be used is told, and the old certificate stays.
    pub(crate) fn reload(&self) {
        let stamps = stamps(&self.files);
        let loaded = self.files.load();
        let mut state = self.state.lock();
        state.stamps = stamps;
        match loaded {
            Ok(config) => {
                state.current = config;
                tracing::info!(cert = %self.files.cert.display(), "the certificate was read again: new connections get it");
            }
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
    }

    /// As [`Tls::reload`], if a file has changed since.
    fn reload_if_changed(&self) {
        let stamps = stamps(&self.files);
        if self.state.lock().stamps != stamps {
            self.reload();
        }
    }
}

fn stamps(files: &TlsFiles) -> Stamps {
    let stamp = |path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok(), metadata.len()))
    };
    files.paths().map(stamp).collect()
}

/// Looks at the files until the server stops. On a thread of its own: a slow file system holds up nobody.
pub(crate) async fn watch(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let Some(tls) = &shared.tls else { return };
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => tls.reload_if_changed(),
        }
    }
}
