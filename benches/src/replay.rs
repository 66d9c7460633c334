//! Replay: a training set of 30 features from files of payments and of rows to score, in CPU time and memory.

use std::path::{Path, PathBuf};

use engine::replay::{ReplayPlan, ReplayTarget};
use export::{
    file::write_columns,
    replay::{ReplayFiles, ReplayOptions, ReplayReport, ReplayStep, ReplayWatcher, replay_files},
};
use model::{
    column::Column,
    status::Status,
    value::{DataType, ValueRef},
};
use stdx::{prng::Prng, sync::Mutex};

use crate::{
    cards::{self, Payment, Shape},
    kernel,
};

/// 5 windows × 6 aggregates.
const DEFINITIONS: &str = r#"
[entity.card]
key = "i64"
[stream.payments]
event_time = "ts"
[stream.payments.fields]
card = "i64"
amount = "decimal(2)"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m", "1h", "24h", "7d", "30d"]
[group.spend.features]
n = "count(*)"
sum = "sum(amount)"
avg = "avg(amount)"
min = "min(amount)"
max = "max(amount)"
std = "stddev(amount)"
"#;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// Cards that payments are drawn from, with exponent 1.1.
    pub cards: usize,
    /// Payments over 30 days.
    pub events: usize,
    /// Rows to score: times and cards of payments drawn from all.
    pub rows: usize,
    /// Threads.
    pub threads: usize,
    /// Where files go.
    pub directory: PathBuf,
}

/// What a replay took.
#[derive(Debug)]
pub struct Measured {
    /// CPU time of reading the spine, of reading events and dealing them out, of bringing both together, of writing.
    pub steps_ns: [u64; 4],
    /// The largest resident set of the process, in bytes.
    pub resident_bytes_max: u64,
    /// What it did.
    pub report: ReplayReport,
}

/// Rows of a table that are written at once.
const TABLE_ROWS: usize = 1 << 17;

/// Writes the files that all sides read: `events.parquet` and `spine.parquet`.
///
/// # Panics
/// When they cannot be written.
pub fn generate(options: &Options) {
    let payments = cards::payments(Shape::Zipf, options.cards, options.events, 1);
    let events = payments.chunks(TABLE_ROWS).map(|payments| {
        let (mut card, mut amount, mut ts) = columns(payments.len());
        for payment in payments {
            card.push(Status::Present, ValueRef::I64(payment.card.into()));
            amount.push(Status::Present, ValueRef::Decimal(payment.amount, 2));
            ts.push(Status::Present, ValueRef::Timestamp(payment.time));
        }
        named([("card", card), ("amount", amount), ("ts", ts)])
    });
    write_columns(&options.directory.join("events.parquet"), events).expect("written");
    let mut random = Prng::stream(1, "spine");
    let mut row = || -> Payment {
        let place = usize::try_from(random.below(payments.len() as u64)).expect("it fits");
        payments.get(place).copied().expect("below the number of payments")
    };
    let spine = (0..options.rows.div_ceil(TABLE_ROWS)).map(|table| {
        let rows = TABLE_ROWS.min(options.rows - table * TABLE_ROWS);
        let (mut card, _, mut as_of) = columns(rows);
        for payment in (0..rows).map(|_| row()) {
            card.push(Status::Present, ValueRef::I64(payment.card.into()));
            as_of.push(Status::Present, ValueRef::Timestamp(payment.time));
        }
        named([("card", card), ("as_of", as_of)])
    });
    write_columns(&options.directory.join("spine.parquet"), spine).expect("written");
}

fn columns(rows: usize) -> (Column, Column, Column) {
    let column = |data_type| Column::new(data_type, rows);
    (column(DataType::I64), column(DataType::Decimal(2)), column(DataType::Timestamp))
}

fn named<const N: usize>(columns: [(&str, Column); N]) -> Vec<(String, Column)> {
    columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect()
}

/// Replays the files of [`generate`] into `larder.parquet` beside them.
///
/// # Panics
/// When the replay fails: its input is made here.
#[must_use]
pub fn replay(options: &Options) -> Measured {
    let plan = ReplayPlan::new("bench.toml", DEFINITIONS, ReplayTarget::Features(&["spend:*"]));
    let plan = plan.expect("the definitions are valid");
    let file = |name: &str| -> PathBuf { Path::join(&options.directory, name) };
    let files = ReplayFiles {
        events: vec![(None, file("events.parquet"))],
        rows: Vec::new(),
        spine: file("spine.parquet"),
        as_of_column: "as_of".to_owned(),
        arrival_column: "arrival".to_owned(),
        maps: Vec::new(),
        service: None,
        with_statuses: false,
        out: file("larder.parquet"),
    };
    // When each step was last heard of, in CPU time of the process.
    let ends = Mutex::new([0_u64; 4]);
    let step = |step: ReplayStep| {
        let place = match step {
            ReplayStep::Spine(_) => 0,
            ReplayStep::Events(_) => 1,
            ReplayStep::Partitions(..) => 2,
            ReplayStep::Written(..) => 3,
        };
        if let Some(end) = ends.lock().get_mut(place) {
            *end = kernel::process_ns();
        }
    };
    let start = kernel::process_ns();
    let watcher = ReplayWatcher { step: &step, rejected: &mut |_| Ok(()) };
    let how = ReplayOptions { threads: options.threads, ..ReplayOptions::default() };
    let report = replay_files(&plan, &files, how, watcher).expect("the files are right");
    let end = kernel::process_ns();
    let [spine, events, partitions, _] = ends.into_inner();
    Measured {
        steps_ns: [
            spine.saturating_sub(start),
            events.saturating_sub(spine),
            partitions.saturating_sub(events),
            end.saturating_sub(partitions),
        ],
        resident_bytes_max: kernel::resident_bytes_max(),
        report,
    }
}
