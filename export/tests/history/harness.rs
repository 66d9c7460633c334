//! A database on a simulated disk beside a history in a temporary directory, and what the history must hold by what was answered.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::changes::{Change, ChangeKind};
use engine::{
    Config, Database, ProducerId, PushRequest, PutRequest, PutRowRequest, RetractRequest,
    SyncPolicy, WriteOptions, Written,
};
use export::history::{HistoryFollower, HistoryLimits, HistoryMerge, HistoryReader, HistorySource};
use model::definition::{Field, GroupKind};
use model::key::EntityKey;
use model::packed_row::{Cell, write_row};
use model::text::parse_value;
use stdx::clock::ManualClock;
use storage::fs::SimFs;

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000;

pub(crate) const DEFINITIONS: &str = r#"
[entity.card]
key = "string"
[entity.pair]
key = ["string", "i64"]
[stream.payments]
event_time = "ts"
event_id = "id"
dedup = "1h"
retract = true
horizon = "1h"
history = true
fields = { id = "string", card = "string", amount = "decimal(2)", lsn = "f64", ts = "timestamp" }
[stream.clicks]
event_time = "ts"
clock = "event"
history = true
fields = { card = "string", ts = "timestamp" }
[stream.unkept]
event_time = "ts"
fields = { card = "string", ts = "timestamp" }
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["1h"]
features = { n = "count(*)" }
[group.clicked]
entity = "card"
stream = "clicks"
key = "card"
windows = ["1h"]
features = { n = "count(*)" }
[group.pairs]
entity = "pair"
history = true
[group.pairs.features]
flag = "bool"
number = "i64"
narrow = "f32"
wide = "f64"
text = "string"
raw = "bytes"
at = "timestamp"
amount = "decimal(2)"
vector = "f32[2]"
"#;

pub(crate) fn stream(name: &str) -> HistorySource {
    HistorySource::Stream(name.to_owned())
}

pub(crate) fn group(name: &str) -> HistorySource {
    HistorySource::Group(name.to_owned())
}

/// Files that close on every step that wrote something.
pub(crate) const EAGER: HistoryLimits =
    HistoryLimits { rows: 1, bytes: 1, age_ms: 0, log_bytes: 1 };
/// Files that close when they are told to.
pub(crate) const LAZY: HistoryLimits =
    HistoryLimits { rows: u64::MAX, bytes: u64::MAX, age_ms: u64::MAX, log_bytes: u64::MAX };

pub(crate) struct Place {
    pub(crate) fs: SimFs,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("there is room");
        Self { fs: SimFs::new(), clock: Arc::new(ManualClock::at(START)), directory }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("history")
    }

    pub(crate) fn open(&self) -> Database<SimFs> {
        self.open_with(u64::MAX)
    }

    /// As [`Place::open`], with so many bytes of log kept for history at most.
    pub(crate) fn open_with(&self, history_log_bytes_max: u64) -> Database<SimFs> {
        let sync = SyncPolicy::Always;
        let config = Config {
            sync,
            seed: 5,
            segment_bytes: 1 << 16,
            history_log_bytes_max,
            ..Config::default()
        };
        Database::open(self.fs.clone(), &config, self.clock.clone()).expect("opens")
    }

    /// A fresh database with the definitions above.
    pub(crate) fn start(&self) -> Database<SimFs> {
        let database = self.open();
        apply(&database, DEFINITIONS);
        database
    }

    pub(crate) fn follow(
        &self,
        database: &Database<SimFs>,
        limits: HistoryLimits,
    ) -> HistoryFollower {
        let opened = self.try_follow(database, limits).expect("the history is whole");
        opened.expect("something has a history")
    }

    pub(crate) fn try_follow(
        &self,
        database: &Database<SimFs>,
        limits: HistoryLimits,
    ) -> Result<Option<HistoryFollower>, export::Error> {
        HistoryFollower::open(database, &*self.clock, &self.root(), limits)
    }

    pub(crate) fn step(&self, database: &Database<SimFs>, follower: &mut HistoryFollower) {
        follower.step(database, &*self.clock, &mut || true).expect("written");
    }

    /// Goes through the whole log and closes all files.
    pub(crate) fn catch_up(&self, database: &Database<SimFs>, follower: &mut HistoryFollower) {
        self.step(database, follower);
        follower.close(database, &*self.clock).expect("closed");
    }

    pub(crate) fn reader(&self) -> HistoryReader {
        HistoryReader::open(&self.root()).expect("it is whole")
    }
}

pub(crate) fn apply(database: &Database<SimFs>, text: &str) {
    let applied = database.apply("test.toml", text, false).expect("valid");
    assert!(!applied.plan.is_refused(), "{}", applied.plan);
    applied.ticket.expect("something changed").wait().expect("synced");
}

/// All changes of `source`, one line each.
pub(crate) fn shown(reader: &HistoryReader, source: &HistorySource) -> Vec<String> {
    let mut lines = Vec::new();
    let read = reader.for_each(source, &mut |change| {
        lines.push(show(change));
        Ok(())
    });
    read.expect("the files are whole");
    lines
}

pub(crate) fn show(change: &Change<'_>) -> String {
    let cells: Vec<_> = change.cells.iter().map(show_cell).collect();
    line(
        (change.lsn.0, change.index, change.kind),
        (change.at_ms, change.producer.0, change.sequence),
        (change.key, change.event_time),
        &cells,
    )
}

fn line(
    (lsn, index, kind): (u64, u32, ChangeKind),
    (at, producer, sequence): (i64, u128, u64),
    (key, event_time): (&[u8], Option<i64>),
    cells: &[String],
) -> String {
    let (kind, at, cells) = (kind.as_str(), at - START, cells.join(" "));
    let time = event_time.map(|time| time - START);
    format!("{lsn}.{index} {kind} at {at} by {producer}:{sequence} {key:02x?} {time:?} [{cells}]")
}

fn show_cell(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Absent => "-".to_owned(),
        Cell::Null => "null".to_owned(),
        Cell::Value(value) => (*value).to_owned().to_string(),
    }
}

/// Writes, and notes what history must hold of it.
pub(crate) struct Writer<'d> {
    pub(crate) database: &'d Database<SimFs>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) producer: u128,
    pub(crate) sequence: u64,
    pub(crate) expected: Vec<String>,
}

impl<'d> Writer<'d> {
    pub(crate) fn new(place: &Place, database: &'d Database<SimFs>, producer: u128) -> Self {
        let clock = Arc::clone(&place.clock);
        Self { database, clock, producer, sequence: 0, expected: Vec::new() }
    }

    fn options(&mut self) -> WriteOptions {
        self.sequence += 1;
        let producer = ProducerId(self.producer);
        WriteOptions { producer, sequence: self.sequence, sync: None }
    }

    fn note(
        &mut self,
        written: &Written,
        (kind, at): (ChangeKind, i64),
        changes: &[(Vec<u8>, Option<i64>, Vec<String>)],
    ) {
        let numbers = (0_u32..).zip(changes);
        let accepted =
            numbers.filter(|(index, _)| written.rejects.iter().all(|it| it.index != *index));
        for (place, (index, (key, time, cells))) in (0..).zip(accepted) {
            let index = if kind == ChangeKind::Push { index } else { place };
            self.expected.push(line(
                (written.lsn.0, index, kind),
                (at, self.producer, self.sequence),
                (key, *time),
                cells,
            ));
        }
    }

    /// Pushes rows of text; `now` is what the stream's clock shows afterwards.
    pub(crate) fn push(&mut self, name: &str, rows: &[&[&str]], now: i64) -> Written {
        let options = self.options();
        let (stream, fields) = self.fields(name);
        let packed: Vec<_> = rows.iter().map(|row| pack(&fields, row)).collect();
        let events = packed.iter().map(|(row, _)| row.as_slice()).collect();
        let request = PushRequest { stream, fields: fields.len(), events };
        let written = self.database.push(&request, &options).expect("pushed");
        written.ticket.wait().expect("synced");
        let changes: Vec<_> = packed.into_iter().map(|(_, cells)| event(cells)).collect();
        self.note(&written, (ChangeKind::Push, now), &changes);
        written
    }

    pub(crate) fn retract(&mut self, name: &str, rows: &[&[&str]]) {
        let options = self.options();
        let (stream, fields) = self.fields(name);
        let packed: Vec<_> = rows.iter().map(|row| pack(&fields, row)).collect();
        let events = packed.iter().map(|(row, _)| row.as_slice()).collect();
        let request = RetractRequest { stream, fields: fields.len(), events };
        let written = self.database.retract(&request, &options).expect("retracted");
        written.ticket.wait().expect("synced");
        let changes: Vec<_> = packed.into_iter().map(|(_, cells)| event(cells)).collect();
        self.note(&written, (ChangeKind::Retract, self.now()), &changes);
    }

    /// Puts rows of text, each with its key and its time.
    pub(crate) fn put(&mut self, name: &str, rows: &[(&str, i64, &[&str])]) {
        let options = self.options();
        let (group, keys, fields) = self.group(name);
        let packed: Vec<_> = rows
            .iter()
            .map(|(key, time, row)| {
                let key = EntityKey::parse(key, &keys).expect("a key").as_bytes().to_vec();
                let (row, cells) = pack(&fields, row);
                (key, *time, row, cells)
            })
            .collect();
        let rows = packed.iter().map(|(key, time, row, _)| PutRowRequest {
            key,
            event_time: Some(*time),
            row,
        });
        let request = PutRequest { group, features: fields.len(), rows: rows.collect() };
        let written = self.database.put(&request, &options).expect("put");
        written.ticket.wait().expect("synced");
        let changes = packed.into_iter().map(|(key, time, _, cells)| (key, Some(time), cells));
        self.note(&written, (ChangeKind::Put, self.now()), &changes.collect::<Vec<_>>());
    }

    pub(crate) fn delete(&mut self, name: &str, texts: &[&str]) {
        let options = self.options();
        let (group, keys, _) = self.group(name);
        let keys: Vec<_> = texts
            .iter()
            .map(|text| EntityKey::parse(text, &keys).expect("a key").as_bytes().to_vec())
            .collect();
        let given: Vec<_> = keys.iter().map(Vec::as_slice).collect();
        let written = self.database.delete(group, &given, &options).expect("deleted");
        written.ticket.wait().expect("synced");
        let changes: Vec<_> = keys.into_iter().map(|key| (key, None, vec![])).collect();
        self.note(&written, (ChangeKind::Delete, self.now()), &changes);
    }

    fn now(&self) -> i64 {
        stdx::clock::Clock::wall_ms(&*self.clock)
    }

    fn fields(&self, name: &str) -> (usize, Vec<Field>) {
        let (_, definitions) = self.database.definitions();
        let (index, stream) = definitions.stream(name).expect("it is defined");
        (index, stream.fields.clone())
    }

    fn group(&self, name: &str) -> (usize, Vec<model::key::KeyType>, Vec<Field>) {
        let (_, definitions) = self.database.definitions();
        let (index, group) = definitions.group(name).expect("it is defined");
        let GroupKind::Rows(rows) = &group.kind else { panic!("{name} is no row group") };
        (index, definitions.entities[group.entity].key.clone(), rows.features.clone())
    }
}

/// An event as history has it: of a stream, what is not given is null.
fn event(cells: Vec<String>) -> (Vec<u8>, Option<i64>, Vec<String>) {
    let null = |cell: String| if cell == "-" { "null".to_owned() } else { cell };
    (vec![], None, cells.into_iter().map(null).collect())
}

/// Packs `cells`, written as text (`-` is absent), and shows them as history does.
fn pack(fields: &[Field], cells: &[&str]) -> (Vec<u8>, Vec<String>) {
    assert_eq!(fields.len(), cells.len());
    let values: Vec<_> = fields
        .iter()
        .zip(cells)
        .map(|(field, text)| match *text {
            "-" | "null" => None,
            text => Some(parse_value("cell", text, field.data_type).expect("a value")),
        })
        .collect();
    let cells: Vec<_> = values
        .iter()
        .zip(cells)
        .map(|(value, text)| match (value, *text) {
            (Some(value), _) => Cell::Value(value.borrow()),
            (None, "-") => Cell::Absent,
            (None, _) => Cell::Null,
        })
        .collect();
    let mut out = Vec::new();
    write_row(&mut out, fields, cells.iter().copied()).expect("the types are the fields'");
    (out, cells.iter().map(show_cell).collect())
}

/// Disk and history of `place` as they are now, in another place.
pub(crate) fn copy_of(place: &Place) -> Place {
    let copy = Place { fs: place.fs.fork(), ..Place::new() };
    copy_folder(&place.root(), &copy.root());
    copy
}

/// Merges until there is nothing to merge; how often that was.
pub(crate) fn merge_all(database: &Database<SimFs>, follower: &mut HistoryFollower) -> usize {
    let mut merges = 0;
    while let HistoryMerge::Merged = follower.merge(database, &mut || true).expect("there is room")
    {
        merges += 1;
    }
    merges
}

/// A copy of all files below `from`.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    let Ok(entries) = std::fs::read_dir(from) else { return };
    for entry in entries.map(|entry| entry.expect("listed")) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target);
        } else {
            std::fs::copy(&source, &target).expect("copied");
        }
    }
}
