//! A server on free ports with one stream, its windows and a row group, and what the tests ask of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, ClientBuilder, ServiceReader};
use engine::{Config, Database, OsFs, SyncPolicy};
use server::Server;
use stdx::{
    clock::SystemClock,
    prng::{Prng, seed_from_os},
};
use tempfile::TempDir;
use tokio::time::Instant;

/// What takes longer never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Less than a server waits here for requests in flight.
const DRAIN_MAX: Duration = Duration::from_secs(30);

const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[group.profile]
entity = "card"
[group.profile.features]
country = "string"
score = "f64"
[stream.payments]
event_time = "ts"
clock = "event"
[stream.payments.fields]
card = "string"
amount = "decimal(2)"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["1h"]
[group.spend.features]
n = "count(*)"
total = "sum(amount)"
[service.fraud]
features = ["profile:*", "spend:*"]
"#;

/// A running server and its directory.
pub(crate) struct Setting {
    /// Until it is stopped.
    server: Option<Server>,
    _directory: TempDir,
}

impl Setting {
    /// With one card, `c1`, of which the profile is known.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let files = OsFs::open(directory.path()).expect("the directory can be used");
        let config = Config { sync: SyncPolicy::Os, ..Config::default() };
        let clock = Arc::new(SystemClock::new());
        let database = Database::open(files, &config, clock).expect("the database opens");
        database.apply("trouble.toml", DEFINITIONS, false).expect("they are valid");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        // It turns nobody away: on a busy machine it may look as if it had no time.
        let options = server::Config {
            listen: any,
            admin: any,
            drain: PATIENCE,
            turn_max: PATIENCE,
            ..server::Config::default()
        };
        let server = Server::start(&options, database).expect("free ports");
        let setting = Self { server: Some(server), _directory: directory };
        let profile = setting.client().group("profile").await.expect("defined");
        let row = profile.row().key("c1").set("country", "CH").set("score", 0.5);
        profile.put([row]).await.expect("put");
        setting
    }

    /// HOST:PORT of the server itself.
    pub(crate) fn addr(&self) -> String {
        self.server.as_ref().expect("it runs").native_addr().to_string()
    }

    /// A client without a proxy.
    pub(crate) fn client(&self) -> Client {
        patient(self.addr()).build()
    }
}

/// A client of `addr` that does not give up on a busy machine, unless a call is given less time.
pub(crate) fn patient(addr: String) -> ClientBuilder {
    Client::builder(addr).connect_timeout(PATIENCE).request_timeout(PATIENCE)
}

/// Whatever the network did, nothing is in flight any more: a stop that waits for something has lost a wake-up.
impl Drop for Setting {
    fn drop(&mut self) {
        let begun = Instant::now();
        drop(self.server.take());
        let took = begun.elapsed();
        assert!(std::thread::panicking() || took < DRAIN_MAX, "the stop took {took:?}");
    }
}

/// Reads the vector of `c1`.
pub(crate) fn read(service: &ServiceReader, within: Duration) -> client::Read {
    service.read().key("card", "c1").within(within)
}

/// What there is of `c1`: name, status and value in words.
pub(crate) fn shown(vectors: &client::Vectors) -> Vec<String> {
    let shown = |(name, status, value): (&str, _, Option<_>)| {
        let value = value.map(|value: model::value::ValueRef<'_>| value.to_owned().to_string());
        format!("{name} {status} {value:?}")
    };
    vectors.row(0).map(shown).collect()
}

/// A generator from a new seed or `LARDER_SEED`, which is told when the test fails.
pub(crate) struct Seeded {
    seed: u64,
}

impl Seeded {
    pub(crate) fn take() -> Self {
        let given = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
        Self { seed: given.unwrap_or_else(seed_from_os) }
    }

    pub(crate) fn stream(&self, name: &str) -> Prng {
        Prng::stream(self.seed, name)
    }
}

impl Drop for Seeded {
    #[expect(clippy::print_stdout, reason = "whoever sees the test fail needs the seed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("replay with LARDER_SEED={}", self.seed);
        }
    }
}
