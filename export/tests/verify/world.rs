//! A database in a directory of its own, with history and a log of reads beside it, that can be killed and opened again.

use std::path::PathBuf;
use std::sync::Arc;

use engine::{Config, Database, OsFs, ReadOptions, ReadPlan, ReadRequest, ReadSpace, SyncPolicy};
use export::history::{self, HistoryFollower, HistoryLimits};
use export::reads::{ReadLayout, ReadLog, ReadLogLimits, ReadSample};
use export::verify::{VerifyOptions, VerifyReport, verify};
use stdx::clock::{Clock, ManualClock};

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000;

pub(crate) const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[entity.shop]
key = ["string", "i64"]
[group.profile]
entity = "user"
max_age = "1m"
history = true
[group.profile.features]
country = "string"
limit = "f64"
vector = "f32[2]"
[stream.orders]
event_time = "at"
event_id = "order"
dedup = "2m"
retract = true
horizon = "30s"
history = true
[stream.orders.fields]
order = "string"
user = "string"
shop = "string"
branch = "i64"
price = "decimal(2)"
weight = "f64"
at = "timestamp"
[stream.clicks]
event_time = "at"
clock = "event"
history = true
[stream.clicks.fields]
user = "string"
page = "string"
at = "timestamp"
[group.buying]
entity = "user"
stream = "orders"
key = "user"
windows = ["1m", "10m", "all"]
[group.buying.features]
orders = "count(*)"
spent = "sum(price)"
mean = "avg(weight)"
spread = "stddev(price)"
dear = "max(price) filter (where price > 50)"
shops = "approx_distinct(shop)"
last_shop = "last(shop)"
recent = "last_n(price, 3)"
often = "top_k(shop, 2)"
middle = "approx_quantile(price, 0.5)"
decayed = "ema(price, '1m')"
[group.selling]
entity = "shop"
stream = "orders"
key = ["shop", "branch"]
windows = ["5m", "1m offset 1m"]
[group.selling.features]
sold = "sum(price)"
heavy = "min(weight)"
[group.clicking]
entity = "user"
stream = "clicks"
key = "user"
windows = ["1m", "5m"]
[group.clicking.features]
clicks = "count(*)"
first_page = "first(page)"
before = "lag(page, 1)"
[service.offer]
features = ["profile:*", "buying:*", "clicking:*", "selling:*"]
log_reads = 1
[service.offer.request]
amount = "f64"
note = "string"
[service.offer.derived]
ratio = "request.amount / nullif(spent_1m, 0)"
more = "limit * 2 + clicks_1m"
"#;

/// A later version: another group on a stream, other features of the service, a feature and a field more.
pub(crate) const LATER: &str = r#"
[group.profile]
entity = "user"
max_age = "1m"
history = true
[group.profile.features]
country = "string"
limit = "f64"
vector = "f32[2]"
score = "i64"
[stream.clicks]
event_time = "at"
clock = "event"
history = true
[stream.clicks.fields]
user = "string"
page = "string"
at = "timestamp"
dwell = "i64"
[group.lately]
entity = "user"
stream = "orders"
key = "user"
windows = ["2m"]
[group.lately.features]
inverse = "sum(cast(1000 / weight as decimal(18, 2)))"
n = "count(*)"
[service.offer]
features = ["lately:*", "profile:score", "profile:limit", "buying:*", "clicking:clicks_1m"]
log_reads = 1
[service.offer.derived]
more = "limit * 2 + clicks_1m"
"#;

pub(crate) struct World {
    directory: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

/// A database that runs.
pub(crate) struct Running {
    pub(crate) database: Database<OsFs>,
    /// None while nothing has a history.
    pub(crate) follower: Option<HistoryFollower>,
    pub(crate) log: ReadLog,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory, clock: Arc::new(ManualClock::at(START)) }
    }

    pub(crate) fn history(&self) -> PathBuf {
        self.directory.path().join(history::DIRECTORY)
    }

    /// Opens the database, under these definitions if it has none.
    pub(crate) fn open(&self, definitions: &str) -> Running {
        let vfs = OsFs::open(self.directory.path()).expect("it can be opened");
        let config = Config {
            sync: SyncPolicy::Interval,
            seed: 5,
            segment_bytes: 1 << 16,
            ..Config::default()
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        let database = Database::open(vfs, &config, clock).expect("it opens");
        if database.definitions_version() == 0 {
            database.apply("world.toml", definitions, false).expect("valid definitions");
        }
        let limits = ReadLogLimits { rows: 700, batch_rows: 64, ..ReadLogLimits::default() };
        let log = ReadLog::open(&self.history(), limits).expect("the log of reads goes on");
        let mut running = Running { database, follower: None, log };
        running.follow(self);
        running
    }

    /// Verifies with so many bytes of reads at once.
    pub(crate) fn verify(&self, memory_bytes: usize) -> VerifyReport {
        let options = VerifyOptions { memory_bytes, ..VerifyOptions::default() };
        verify(&self.history(), &options, &mut |_| {}).expect("the history is whole")
    }

    /// Ends a database in good order.
    pub(crate) fn close(&self, running: Running) {
        let mut running = running;
        let clock = self.clock.as_ref();
        running.database.close().expect("it closes");
        running.follow(self);
        let Running { database, follower, log } = running;
        if let Some(mut follower) = follower {
            follower.close(&database, clock).expect("files can be written");
        }
        log.close(database.wal().durable_lsn(), clock.wall_ms()).expect("files can be written");
    }
}

impl Running {
    /// Goes through the log, from now on if there is a history by now.
    pub(crate) fn follow(&mut self, world: &World) {
        let clock = world.clock.as_ref();
        if self.follower.is_none() {
            let limits = HistoryLimits { rows: 200, ..HistoryLimits::default() };
            let root = world.history();
            let follower = HistoryFollower::open(&self.database, clock, &root, limits);
            self.follower = follower.expect("history goes on");
        }
        if let Some(follower) = &mut self.follower {
            follower.step(&self.database, clock, &mut || true).expect("the log can be read");
        }
    }
}

/// One read of service `offer`, with what the server would log of it; nothing when the as-of is too old, or definitions changed.
pub(crate) fn read(
    database: &Database<OsFs>,
    plan: &mut ReadPlan,
    keys: &[&[u8]],
    options: ReadOptions,
    request_row: &[u8],
) -> Option<ReadSample> {
    if plan.version() != database.definitions_version() {
        *plan = database.plan_service("offer").expect("it is defined");
    }
    let width = plan.entities().len();
    let keys: Vec<&[u8]> =
        keys.chunks(2).flat_map(|tuple| tuple.iter().take(width)).copied().collect();
    let rows = if plan.request_fields().is_empty() { vec![] } else { vec![request_row] };
    let request = ReadRequest { keys: &keys, request_rows: &rows, options };
    let traced: Vec<usize> = (0..keys.len() / width).collect();
    let mut space = ReadSpace::default();
    let trace = database.read_into(plan, &request, &traced, &mut space).ok()?;
    let (version, definitions) = database.definitions();
    if version != plan.version() {
        return None;
    }
    let layout = Arc::new(ReadLayout::new(&definitions, plan).expect("of one version"));
    Some(ReadSample::new(&layout, &request, &space.vectors, trace).expect("it is whole"))
}
