//! A server with certificates, and clients of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, TlsOptions};
use engine::{Database, OsFs};
use server::{Config, Server, TlsFiles};
use stdx::clock::SystemClock;

use crate::certificates::{Authority, Signed, write};

const DEFINITIONS: &str = "[entity.card]\nkey = \"string\"\n[group.g]\nentity = \"card\"\n[group.g.features]\nf = \"i64\"\n";

/// What takes longer never comes.
pub(crate) const NEVER: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) authority: Authority,
    pub(crate) directory: tempfile::TempDir,
}

impl World {
    /// A server whose certificate is for 127.0.0.1; `change` has the last word about its configuration.
    pub(crate) fn start(change: impl FnOnce(&mut Config, &Path)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let authority = Authority::new("an authority");
        let signed = authority.sign("larder", &["127.0.0.1", "features.internal"]);
        let files = put(directory.path(), &signed);
        let free = "127.0.0.1:0".parse().expect("an address");
        let mut config = Config {
            listen: free,
            admin: free,
            threads: 1,
            tls: Some(files),
            // On a busy machine it may look as if it had no time, and a peer may be slow to shake hands.
            turn_max: NEVER,
            handshake: NEVER,
            ..Config::default()
        };
        change(&mut config, directory.path());
        let data = OsFs::open(directory.path().join("data").as_path()).expect("it can be used");
        let clock = Arc::new(SystemClock::new());
        let database = Database::open(data, &engine::Config::default(), clock).expect("opens");
        database.apply("f.toml", DEFINITIONS, false).expect("they are valid");
        let server = Server::start(&config, database).expect("it starts");
        Self { server, authority, directory }
    }

    /// Options that believe its authority.
    pub(crate) fn trusting(&self) -> TlsOptions {
        TlsOptions::with_authorities(self.authority.pem()).expect("one")
    }

    /// A client; plain without options.
    pub(crate) fn client(&self, options: Option<TlsOptions>) -> Client {
        let builder = Client::builder(self.server.native_addr().to_string())
            .retries(0)
            .connections(1)
            .connect_timeout(NEVER)
            .request_timeout(NEVER);
        match options {
            Some(options) => builder.tls(options).build(),
            None => builder.build(),
        }
    }
}

/// Writes a certificate and its key where the server looks for them.
pub(crate) fn put(directory: &Path, signed: &Signed) -> TlsFiles {
    TlsFiles {
        cert: write(directory, "server.pem", signed.cert.as_bytes()),
        key: write(directory, "server.key", signed.key.as_bytes()),
        client_ca: None,
        client_required: false,
    }
}
