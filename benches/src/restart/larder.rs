//! Larder's side: directories filled through the engine, the real binary started on them, read by its client.

use std::path::{Path, PathBuf};
use std::process::Command;

use client::{ServiceReader, blocking::Client};
use engine::SyncPolicy;
use model::{limits::BATCH_MAX, status::Status, time::DAY_MS};

use super::{Reader, child::Child};
use crate::{
    cards::{self, Shape},
    workload,
};

/// Rows of one write.
const ROWS: usize = 1000;
/// Events of one write: as many as may be.
const EVENTS: usize = BATCH_MAX;
/// Seed of the payments.
const SEED: u64 = 1;

/// The `larder` binary of the same profile as `program`, an example or a test: compiled if it is not there.
///
/// # Panics
/// When it does not compile.
#[must_use]
pub fn compile(program: &Path) -> PathBuf {
    // <target>/<profile>/<examples or deps>/<program>
    let mut folders = program.ancestors().skip(2);
    let profile = folders.next().zip(folders.next());
    let (profile, target) = profile.expect("a program lies in a target folder");
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "larder-cli", "--profile", name, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the larder binary does not compile");
    profile.join("larder")
}

/// Rows of 50 f64: in the log alone, or all in a snapshot.
pub(super) fn fill_rows(directory: &Path, entities: u64, checkpoint: bool) {
    let database = workload::open(directory, SyncPolicy::Os);
    database.apply("bench.toml", &workload::definitions(), false).expect("they are valid");
    for start in (0..entities).step_by(ROWS) {
        workload::put_wide(&database, start..(start + ROWS as u64).min(entities));
    }
    if checkpoint {
        database.checkpoint(&mut |_| {}).expect("the disk has room");
    }
    database.close().expect("the disk works");
}

/// Counters in 4 windows of `entities` cards, each with a payment of its own, busy ones with more: all in a snapshot.
pub(super) fn fill_counters(directory: &Path, entities: u64, payments: usize) {
    let database = workload::open(directory, SyncPolicy::Os);
    database.apply("bench.toml", workload::COUNTERS, false).expect("they are valid");
    let cards = usize::try_from(entities).expect("fits");
    let history = cards::payments(Shape::Zipf, cards, payments, SEED);
    // A day before all others every card pays once.
    let first = history.first().map_or(DAY_MS, |payment| payment.time) - DAY_MS;
    let own: Vec<_> = (0..u32::try_from(entities).expect("fits"))
        .map(|card| cards::Payment { card, amount: 1000, time: first, arrival: first })
        .collect();
    for payments in own.chunks(EVENTS).chain(history.chunks(EVENTS)) {
        workload::push(&database, payments);
    }
    database.checkpoint(&mut |_| {}).expect("the disk has room");
    database.close().expect("the disk works");
}

/// A server that answers, on two free ports.
struct Server {
    child: Child,
    client: Client,
    features: ServiceReader,
}

/// Starts `binary` on `directory`, as it would be in production, less the checkpoints: each start is to find the same
/// files.
pub(super) fn start(binary: &Path, directory: &Path, features: &str) -> Box<dyn Reader> {
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.args(["--checkpoint-every", "off", "--checkpoint-wal", "off"]);
    command.arg("--data").arg(directory);
    let mut child = Child::start(&mut command);
    let line = child.line().expect("the server says where it listens");
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("native="));
    let client = Client::new(address.expect("the line names the port")).expect("a client");
    let features = client.features(&[features]).expect("the group exists");
    Box::new(Server { child, client, features })
}

impl Reader for Server {
    fn child(&self) -> &Child {
        &self.child
    }

    fn read(&mut self, numbers: &[u64]) {
        let keys = numbers.iter().map(|number| workload::key(*number));
        let read = self.features.read().keys(keys);
        let vectors = self.client.wait(read.send()).expect("readable");
        assert_eq!(vectors.len(), numbers.len());
        // Counters of no payment are 0 or null: an entity that is not there would say so.
        let is_there = |row| vectors.row(row).all(|(_, status, _)| status != Status::NotFound);
        assert!((0..numbers.len()).all(is_there), "{numbers:?}: not all of them are there");
    }
}
