//! A server that has done something of everything, and what its admin port says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use client::Client;
use engine::{Config, Database, OsFs, SyncPolicy};
use server::{Server, SpanQueue, Spans};
use stdx::clock::{Clock, SystemClock};
use tempfile::TempDir;

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
event_id = "id"
dedup = "1h"
[stream.payments.fields]
id = "string"
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

/// What takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on free ports and its directory.
pub(crate) struct Live {
    server: Server,
    /// Every request comes out here.
    pub(crate) spans: SpanQueue,
    _directory: TempDir,
}

impl Live {
    /// It serves from a snapshot, has a memory limit, and finds every request slow.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let open = || {
            let files = OsFs::open(directory.path()).expect("the directory can be used");
            let config = Config {
                sync: SyncPolicy::Always,
                memory_bytes_max: Some(1 << 30),
                ..Config::default()
            };
            Database::open(files, &config, Arc::new(SystemClock::new())).expect("it opens")
        };
        let database = open();
        database.apply("observed.toml", DEFINITIONS, false).expect("they are valid");
        database.checkpoint(&mut |_| {}).expect("there is room");
        database.close().expect("it ends well");
        drop(database);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (of_all, spans) = Spans::new(1.0);
        let options = server::Config {
            spans: Some(of_all),
            listen: any,
            admin: any,
            threads: 2,
            // On a busy machine it may look as if it had no time.
            turn_max: PATIENCE,
            slow: Duration::from_nanos(1),
            history: Some(directory.path().join("history")),
            exports: Some(directory.path().join("exports")),
            audit: Some(server::audit::AuditOptions::new(directory.path().join("audit"))),
            ..server::Config::default()
        };
        let server = Server::start(&options, open()).expect("free ports");
        Self { server, spans, _directory: directory }
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        let builder = Client::builder(self.server.native_addr().to_string());
        builder.connect_timeout(PATIENCE).request_timeout(PATIENCE).build()
    }

    /// What it serves.
    pub(crate) fn database(&self) -> &Database<OsFs> {
        self.server.database()
    }

    /// Where its admin port is.
    pub(crate) fn admin_addr(&self) -> SocketAddr {
        self.server.admin_addr()
    }

    /// Status and body of what the admin port answers to `GET path`.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        get(self.admin_addr(), path)
    }

    /// What a scrape says now.
    pub(crate) fn scrape(&self) -> Scrape {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        Scrape::of(&text)
    }
}

/// Two rows put, one of them twice; four events of which one is a duplicate and one late; reads of what is there and of what is not.
pub(crate) async fn works(client: &Client) {
    let profile = client.group("profile").await.expect("defined");
    let row = |key: &str| profile.row().key(key).set("country", "CH").set_null("score");
    profile.put([row("c1").at(2_000), row("c2").at(1_000)]).await.expect("put");
    profile.put([row("c1").at(1_000)]).await.expect("put, and stale");
    let payments = client.stream("payments").await.expect("defined");
    let now = SystemClock::new().wall_ms();
    let event = |id: &str, ts: i64| {
        payments.event().set("id", id).set("card", "c1").set("amount", 1).set("ts", ts)
    };
    let events = [
        event("a", now - 1_000),
        event("b", now - 60_000),
        event("a", now - 1_000),
        event("old", now - 400 * 24 * 3_600_000),
    ];
    payments.push(events).await.expect("pushed");
    let fraud = client.service("fraud").await.expect("defined");
    for key in ["c1", "c1", "nobody"] {
        fraud.read().key("card", key).send().await.expect("read");
    }
    fraud.read().keys((0..40).map(|n| format!("x{n}"))).send().await.expect("read in bulk");
    assert!(client.group("no_such_group").await.is_err(), "it is not defined");
}

/// Status and body of what HTTP port `addr` answers to `GET path`.
pub(crate) fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: larder\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers, in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status line"), body.to_owned())
}

/// A family: its type, and the names of its samples' labels.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
}

/// A scrape, by family and by sample.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    pub(crate) families: BTreeMap<String, Family>,
    /// By name and labels as they stand there.
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    fn of(text: &str) -> Self {
        let mut scrape = Self::default();
        let mut last = String::new();
        for line in text.lines() {
            if let Some(line) = line.strip_prefix("# TYPE ") {
                let (name, kind) = line.split_once(' ').expect("a name and a type");
                let family = Family { kind: kind.to_owned(), ..Family::default() };
                assert!(scrape.families.insert(name.to_owned(), family).is_none(), "{name} twice");
                last = name.to_owned();
            } else if !line.starts_with('#') {
                let (sample, value) = line.rsplit_once(' ').expect("a sample and a value");
                let value = value.parse().expect("a number");
                assert!(sample.starts_with(&last), "{sample} does not stand with its family");
                let (_, labels) = sample.split_once('{').unwrap_or((sample, ""));
                let names = labels.split("=\"").filter_map(|part| part.rsplit(['"', ',']).next());
                let names = names.filter(|name| !name.is_empty() && !name.ends_with('}'));
                let family = scrape.families.get_mut(&last).expect("a family comes first");
                family.labels.extend(names.filter(|name| *name != "le").map(str::to_owned));
                assert!(
                    scrape.samples.insert(sample.to_owned(), value).is_none(),
                    "{sample} twice"
                );
            }
        }
        scrape
    }

    /// The value of `sample`, as it stands in the text.
    #[track_caller]
    pub(crate) fn value(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples))
    }
}
