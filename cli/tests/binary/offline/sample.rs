//! A data directory in several small segments, and what is done to its files.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one who breaks files behind the back of storage"
)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use engine::{Config, Database, OsFs, PutRequest, PutRowRequest, SyncPolicy, WriteOptions};
use model::{
    packed_row::{Cell, write_row},
    value::ValueRef,
};
use serde_json::Value as Json;
use stdx::clock::SystemClock;

use crate::harness::larder;

const DEFINITIONS: &str = "
[entity.user]
key = \"string\"
[group.profile]
entity = \"user\"
[group.profile.features]
note = \"string\"
visits = \"i64\"
";

/// Bytes of a segment: some twenty rows.
const SEGMENT_BYTES: u64 = 32 << 10;
/// Bytes of a note.
const NOTE_BYTES: usize = 1000;

/// A directory that goes when it is dropped.
pub(crate) struct Sample {
    directory: tempfile::TempDir,
}

impl Sample {
    /// Definitions and `rows` rows, each a record of its own: row `n` is record `n + 1`. With a checkpoint after so many of them.
    pub(crate) fn new(rows: u64, checkpoint_after: Option<u64>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let sample = Self { directory };
        let config =
            Config { sync: SyncPolicy::Always, segment_bytes: SEGMENT_BYTES, ..Config::default() };
        let files = OsFs::open(&sample.path()).expect("a directory");
        let database = Database::open(files, &config, Arc::new(SystemClock::new())).expect("opens");
        let applied = database.apply("f.toml", DEFINITIONS, false).expect("valid");
        applied.ticket.expect("new").wait().expect("synced");
        for row in 1..=rows {
            put(&database, row);
            if checkpoint_after == Some(row) {
                database.checkpoint(&mut |_| ()).expect("a checkpoint");
            }
        }
        database.close().expect("closed");
        // A copy: a process that another test starts at this moment holds the lock of this one until it has become another program.
        sample.copy()
    }

    /// The data directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Where it lies, alone.
    pub(crate) fn parent(&self) -> &Path {
        self.directory.path()
    }

    /// A copy to break.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        std::fs::create_dir(copy.path()).expect("made");
        for (name, bytes) in self.files() {
            std::fs::write(copy.path().join(name), bytes).expect("written");
        }
        copy
    }

    /// Name and bytes of every file with something in it.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.path())
    }

    /// The names of its segments, in order.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.files().into_keys().filter(|name| name.ends_with(".log")).collect()
    }

    /// The name of its snapshot.
    pub(crate) fn snapshot(&self) -> String {
        let mut names = self.files().into_keys();
        names.find(|name| name.ends_with(".lsnap")).expect("a snapshot")
    }

    /// Changes the bytes of a file.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path().join(name);
        let mut bytes = std::fs::read(&path).expect("the file is there");
        change(&mut bytes);
        std::fs::write(&path, bytes).expect("written");
    }

    /// Turns one bit of the byte at `at`.
    pub(crate) fn flip(&self, name: &str, at: usize) {
        self.change(name, |bytes| bytes[at] ^= 1);
    }

    /// Makes or replaces a file.
    pub(crate) fn put_file(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(name), bytes).expect("written");
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path().join(name)).expect("removed");
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path().join(from), self.path().join(to)).expect("renamed");
    }

    /// `larder check`: exit code and report.
    pub(crate) fn check(&self) -> (i32, Json) {
        let (code, out, _) = self.run("check", &["--format", "json"]);
        (code, serde_json::from_str(&out).unwrap_or(Json::Null))
    }

    /// The report of a directory that is whole.
    pub(crate) fn must_be_whole(&self) -> Json {
        let (code, report) = self.check();
        assert!(code == 0 && report["ok"] == true && report["starts"] == true, "{report}");
        report
    }

    /// `larder COMMAND DIR ARGS…`: exit code, standard output, standard error.
    pub(crate) fn run(&self, command: &str, args: &[&str]) -> (i32, String, String) {
        let directory = self.path().display().to_string();
        let args: Vec<&str> =
            [command, directory.as_str()].into_iter().chain(args.iter().copied()).collect();
        let output = larder("127.0.0.1:9", &args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }
}

/// Name and bytes of every file of a directory, but the lock and the space that is set aside for the next segment.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, std::fs::read(entry.path()).expect("a file"))
    };
    entries.map(file).filter(|(name, _)| name != "LOCK" && name != "wal-next").collect()
}

fn put(database: &Database<OsFs>, row: u64) {
    let (_, definitions) = database.definitions();
    let (group, definition) = definitions.group("profile").expect("defined");
    let note = format!("{row:0NOTE_BYTES$}");
    let visits = i64::try_from(row).expect("few rows");
    let cells = [Cell::Value(ValueRef::String(&note)), Cell::Value(ValueRef::I64(visits))];
    let mut packed = Vec::new();
    write_row(&mut packed, &definition.columns(), cells).expect("types match");
    let key = format!("u{row}");
    let rows = vec![PutRowRequest { key: key.as_bytes(), event_time: None, row: &packed }];
    let written = database.put(&PutRequest { group, features: 2, rows }, &WriteOptions::default());
    written.expect("taken").ticket.wait().expect("synced");
}
