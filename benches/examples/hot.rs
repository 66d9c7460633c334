//! The hot paths, a few times each: for whoever counts instructions, which do not depend on what else the machine does.
//!
//! `hot` goes every path ten times, `hot PATH MORE` that one so many times more: the difference is what the path costs, without what
//! was made before. `cargo xtask bench --instructions` runs both under `valgrind --tool=callgrind`.

use std::process::ExitCode;
use std::sync::Arc;

use engine::{Config, Database, OsFs, PushSpace, ReadOptions, ReadRequest, ReadSpace, SyncPolicy};
use larder_benches::{
    cards::{self, Payment},
    workload,
};
use stdx::clock::ManualClock;

/// Cards there are.
const CARDS: u64 = 256;
/// Payments they have made, over a month.
const PAYMENTS: usize = 2_560;
/// Those at the end of the month that are pushed again: late, but not too late for any window.
const AGAIN: usize = 300;

/// How often every path is gone: what is made on first use is made then.
const FEW: u64 = 10;

/// A path, and what repeats it.
type Path = (&'static str, fn(&Hot, u64));

const PATHS: [Path; 6] = [
    ("read-row", |hot, times| hot.read("wide:*", 1, times)),
    ("read-batch", |hot, times| hot.read("wide:*", 100, times)),
    ("read-windows", |hot, times| hot.read("spend:*", 1, times)),
    ("put", Hot::put),
    ("push", |hot, times| hot.push(1, times)),
    ("push-batch", |hot, times| hot.push(100, times)),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let more = match arguments.as_slice() {
        [] => None,
        [path, more] => more.parse::<u64>().ok().map(|more| (path.as_str(), more)),
        _ => return ExitCode::from(2),
    };
    let is_known = |name: &str| PATHS.iter().any(|(path, _)| *path == name);
    if !arguments.is_empty() && !more.is_some_and(|(name, _)| is_known(name)) {
        return ExitCode::from(2);
    }
    let hot = Hot::new();
    for (path, repeat) in PATHS {
        let more = more.filter(|(name, _)| *name == path).map_or(0, |(_, more)| more);
        repeat(&hot, FEW + more);
    }
    ExitCode::SUCCESS
}

/// A small database in memory.
struct Hot {
    database: Database<OsFs>,
    payments: Vec<Payment>,
    _directory: tempfile::TempDir,
}

impl Hot {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // A clock that stands: that of the system asks the kernel in a way that valgrind does not know.
        let clock = Arc::new(ManualClock::at(0));
        let config = Config { sync: SyncPolicy::Memory, seed: 1, ..Config::default() };
        let files = OsFs::open(directory.path()).expect("the directory can be used");
        let database = Database::open(files, &config, clock).expect("the database opens");
        database.apply("hot.toml", &workload::definitions(), false).expect("they are valid");
        workload::put_wide(&database, 0..CARDS);
        let payments = cards::payments(cards::Shape::Uniform, count(CARDS), PAYMENTS, 1);
        payments.chunks(256).for_each(|payments| workload::push(&database, payments));
        Self { database, payments, _directory: directory }
    }

    fn read(&self, features: &str, batch: u64, times: u64) {
        let plan = self.database.plan_features(&[features]).expect("the group exists");
        let keys: Vec<_> = (0..CARDS).map(|card| workload::key(spread(card))).collect();
        let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        let mut batches = keys.chunks_exact(count(batch)).cycle();
        let mut space = ReadSpace::default();
        for _ in 0..times {
            let keys = batches.next().expect("they cycle");
            let request = ReadRequest { keys, request_rows: &[], options: ReadOptions::default() };
            self.database.read_into(&plan, &request, &[], &mut space).expect("the keys are valid");
            assert_eq!(space.vectors.columns.rows(), keys.len());
        }
    }

    fn put(&self, times: u64) {
        let row = |card| (workload::key(card), workload::wide_row(card));
        let rows: Vec<_> = (0..CARDS).map(|number| row(spread(number))).collect();
        for row in rows.chunks(1).cycle().take(count(times)) {
            workload::put_packed(&self.database, row);
        }
    }

    fn push(&self, batch: usize, times: u64) {
        let again = workload::packed(&self.payments[PAYMENTS - AGAIN..]);
        let mut space = PushSpace::default();
        for events in again.chunks_exact(batch).cycle().take(count(times)) {
            workload::push_packed(&self.database, events, &mut space);
        }
    }
}

/// Cards in an order that is not that of memory.
fn spread(number: u64) -> u64 {
    number * 7919 % CARDS
}

fn count(number: u64) -> usize {
    usize::try_from(number).expect("few")
}
