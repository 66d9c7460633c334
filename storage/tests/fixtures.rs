//! Directories that release 0.1 wrote, opened by every later release. A fixture is never written again: a new format gets new ones.
//!
//! `v1`: three segments, the first of them removed by a checkpoint, closed. `v1-without-manifest`: as the log was before there were
//! manifests, two segments, not closed.

mod harness;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::{Opened, config, open_at};
use stdx::clock::ManualClock;
use storage::{
    Directory, Lsn, OsFs, SyncPolicy, Vfs,
    repair::copy_files,
    snapshot::{SectionTag, Snapshot, SnapshotWriter},
    wal::Work,
};

const SECTION: SectionTag = SectionTag { kind: 1, shard: 2, group: 3 };

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A copy of a fixture, so that opening it changes nothing here.
fn copy(name: &str) -> (tempfile::TempDir, OsFs) {
    let directory = tempfile::tempdir().expect("a directory");
    let fs = OsFs::open(directory.path()).expect("opens");
    let from = OsFs::open(&fixture(name)).expect("opens");
    assert!(copy_files(&from, &fs).expect("copied").files > 1, "the fixture is there");
    (directory, fs)
}

fn open(fs: &OsFs) -> Opened<OsFs> {
    let clock = Arc::new(ManualClock::at(0));
    open_at(fs, &config(SyncPolicy::Always), clock).expect("opens")
}

fn payload(lsn: u64) -> Vec<u8> {
    vec![u8::try_from(lsn).expect("few"); 1500]
}

fn append(wal: &storage::Wal<OsFs>, records: std::ops::RangeInclusive<u64>) {
    for lsn in records {
        wal.append(7, &payload(lsn)).expect("appended");
        wal.step(Work::Write).expect("written");
    }
}

fn expected(records: std::ops::RangeInclusive<u64>) -> Vec<(u64, u8, Vec<u8>)> {
    records.map(|lsn| (lsn, 7, payload(lsn))).collect()
}

#[test]
fn a_directory_of_format_1_opens() {
    let (_kept, fs) = copy("v1");
    let directory = Directory::open(fs.clone(), 99).expect("opens");
    let reference = directory.snapshot().expect("there is one");
    let snapshot = Snapshot::open(&fs, &reference, directory.cluster()).expect("opens");
    let section = snapshot.section(SECTION).expect("there is one");
    assert_eq!(section.bytes(0..section.len()).expect("undamaged"), b"what came before record 4");
    assert_eq!((directory.replay_from(), directory.next_snapshot_number()), (Lsn(4), 2));
    drop(directory);
    let (wal, report, records) = open(&fs);
    assert_eq!((records, report.torn_tail), (expected(3..=6), None));
    append(&wal, 7..=7);
}

#[test]
fn a_directory_of_the_time_before_manifests_opens_and_gets_one() {
    let (_kept, fs) = copy("v1-without-manifest");
    for records in [3, 4] {
        let (wal, _, found) = open(&fs);
        assert_eq!(found, expected(1..=records));
        append(&wal, records + 1..=records + 1);
        assert!(fs.list().expect("listed").iter().any(|name| name == "MANIFEST"));
    }
}

#[test]
#[ignore = "writes the fixtures anew: only for a new format, under new names"]
fn write() {
    let fs = OsFs::open(&fixture("v1")).expect("made");
    let (wal, ..) = open(&fs);
    append(&wal, 1..=6);
    let directory = wal.directory();
    let number = directory.next_snapshot_number();
    let mut out = SnapshotWriter::create(&fs, number, directory.cluster(), 7).expect("made");
    out.begin(SECTION);
    out.write(b"what came before record 4").expect("written");
    out.end();
    directory.install(out.finish().expect("finished"), Lsn(4)).expect("installed");
    wal.close().expect("closed");
    drop(wal);
    forget(&fs, &["LOCK", "wal-next"]);
    let fs = OsFs::open(&fixture("v1-without-manifest")).expect("made");
    let (wal, ..) = open(&fs);
    append(&wal, 1..=3);
    wal.abandon();
    forget(&fs, &["LOCK", "wal-next", "MANIFEST"]);
}

fn forget(fs: &OsFs, names: &[&str]) {
    for name in names {
        fs.remove(name).expect("removed");
    }
}
