//! The certificate that new connections get. Connections that are open keep theirs.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use stdx::sync::Mutex;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::TlsFiles;
use crate::{Error, audit::acts, shared::Shared};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    state: Mutex<State>,
    /// How often the files could not be used.
    failed: AtomicU64,
}

#[derive(Debug)]
struct State {
    current: Arc<ServerConfig>,
    /// Of the files as they were when they were read last, with success or not.
    stamps: Stamps,
}

/// Which file each is, when it was written and how long it is; `None` of one that cannot be looked at.
type Stamps = Vec<Option<(u64, Option<SystemTime>, u64)>>;

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::Tls`].
    pub(crate) fn open(files: TlsFiles) -> Result<Self, Error> {
        // Looked at first: what is written meanwhile is read again.
        let stamps = stamps(&files);
        let current = files.load()?;
        let state = Mutex::new(State { current, stamps });
        Ok(Self { files, state, failed: AtomicU64::new(0) })
    }

    /// What the next connection is answered with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.state.lock().current))
    }

    /// How often the files could not be used when they were read again.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Reads the files again. What cannot be used is counted and told, and the old certificate stays.
    ///
    /// # Errors
    /// As [`Tls::open`].
    pub(crate) fn reload(&self) -> Result<(), Error> {
        let stamps = stamps(&self.files);
        let loaded = self.files.load();
        let mut state = self.state.lock();
        state.stamps = stamps;
        state.current = loaded.inspect_err(|error| {
            self.failed.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, "the certificate stays as it was");
        })?;
        tracing::info!(cert = %self.files.cert.display(), "the certificate was read again: new connections get it");
        Ok(())
    }

    /// As [`Tls::reload`], if a file has changed since; else `None`.
    fn reload_if_changed(&self) -> Option<Result<(), Error>> {
        let stamps = stamps(&self.files);
        let is_changed = self.state.lock().stamps != stamps;
        is_changed.then(|| self.reload())
    }
}

fn stamps(files: &TlsFiles) -> Stamps {
    let stamp = |path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.modified().ok(), metadata.len()))
    };
    files.paths().map(stamp).collect()
}

/// Looks at the files until the server stops. On a thread of its own: a slow file system holds up nobody.
pub(crate) async fn watch(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let Some(tls) = &shared.tls else { return };
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {
                if let Some(read) = tls.reload_if_changed() {
                    acts::reloaded(&shared, "certificates", &read);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate and its key, PEM.
    fn signed() -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["larder".to_owned()]).expect("a name");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }

    #[expect(clippy::disallowed_methods, reason = "certificates are operators' files")]
    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).expect("a temporary directory");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "certificates are operators' files")]
    fn only_files_that_can_be_used_take_the_place_of_those_in_force() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let (cert, key) = signed();
        write(&at("cert"), &cert);
        write(&at("key"), &key);
        let files =
            TlsFiles { cert: at("cert"), key: at("key"), client_ca: None, client_required: false };
        let tls = Tls::open(files).expect("they can be used");
        let current = || Arc::clone(&tls.state.lock().current);
        let first = current();
        assert!(tls.reload_if_changed().is_none(), "nothing has changed");
        let stays = |what: &str, failed: u64, part: &str| {
            let read = tls.reload_if_changed().expect("it has changed");
            let error = read.expect_err(what).to_string();
            assert!(error.contains(part), "{what}: {error}");
            assert!(Arc::ptr_eq(&first, &current()), "{what}: the old one stays");
            assert_eq!(tls.failed(), failed, "{what}: it is counted");
            assert!(tls.reload_if_changed().is_none(), "{what}: it is told once");
        };
        let (next_cert, next_key) = signed();
        write(&at("cert"), &next_cert[..next_cert.len() / 2]);
        stays("half written", 1, "cert");
        write(&at("cert"), &next_cert);
        stays("one file of two", 2, "does not go with the key");
        std::fs::remove_file(at("key")).expect("it is ours");
        stays("missing", 3, "key: it cannot be read");
        std::fs::create_dir(at("key")).expect("nothing has the name");
        stays("unreadable", 4, "key: it cannot be read");
        std::fs::remove_dir(at("key")).expect("it is empty");
        write(&at("key"), &next_key);
        tls.reload_if_changed().expect("it has changed").expect("they can be used");
        assert!(!Arc::ptr_eq(&first, &current()), "new connections get the new one");
        // As those do who keep certificates: another file gets the name.
        let (cert, key) = signed();
        write(&at("cert.next"), &cert);
        write(&at("key.next"), &key);
        std::fs::rename(at("key.next"), at("key")).expect("one directory");
        std::fs::rename(at("cert.next"), at("cert")).expect("one directory");
        tls.reload_if_changed().expect("it has changed").expect("they can be used");
        assert_eq!(tls.failed(), 4);
    }
}
