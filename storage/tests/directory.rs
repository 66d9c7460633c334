//! Files of a directory that went missing, came from elsewhere, were renamed, swapped, copied or cut: whatever it is, the start is
//! refused with the name of the file, and nothing is changed.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use storage::{
    Directory, Error, Lsn, SyncPolicy, Vfs, Wal, WalConfig,
    fs::{SimFs, VFile},
    snapshot::{SectionTag, SnapshotRef, SnapshotWriter},
};

const SECTION: SectionTag = SectionTag { kind: 1, shard: 0, group: 0 };

/// A small snapshot, whole but not yet counting.
fn snapshot(wal: &Wal<SimFs>) -> SnapshotRef {
    let directory = wal.directory();
    let number = directory.next_snapshot_number();
    let made = SnapshotWriter::create(directory.vfs(), number, directory.cluster(), 7);
    let mut out = made.expect("made");
    out.begin(SECTION);
    out.write(b"all there is").expect("written");
    out.end();
    out.finish().expect("finished")
}

/// Four segments and a snapshot; the first segment that a checkpoint made needless is gone.
fn directory(seed: u64) -> SimFs {
    let fs = SimFs::new();
    let config = WalConfig { seed, ..config(SyncPolicy::Always) };
    let (wal, ..) = open(&fs, &config).expect("opens");
    let payloads: Vec<_> = (0..100_u8).map(|number| vec![number; 200]).collect();
    append_each(&wal, &payloads.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let reference = snapshot(&wal);
    let second = wal.segments()[1].first_lsn;
    let removed = wal.directory().install(reference, second).expect("installed");
    assert_eq!(removed.segments, 1);
    wal.close().expect("closed");
    fs
}

fn segments(fs: &SimFs) -> Vec<String> {
    let names = fs.list().expect("listed");
    names.into_iter().filter(|name| name.ends_with(".log")).collect()
}

fn the_snapshot(fs: &SimFs) -> String {
    let mut names = fs.list().expect("listed").into_iter();
    names.find(|name| name.ends_with(".lsnap")).expect("there is one")
}

/// Everything on the disk.
fn all(fs: &SimFs) -> Vec<(String, Vec<u8>)> {
    fs.list().expect("listed").into_iter().map(|name| (name.clone(), fs.bytes(&name))).collect()
}

/// Puts the bytes of `name` in `from` under `to` in `fs`, whatever stood there.
fn put(fs: &SimFs, from: &SimFs, name: &str, to: &str) {
    if !fs.list().expect("listed").iter().any(|other| other == to) {
        drop(fs.create_new(to, 0).expect("made"));
    }
    let bytes = from.bytes(name);
    fs.damage(to, |content| content.clone_from(&bytes));
}

/// What was done to a directory, and the file that the refusal must name.
type Case = (&'static str, fn(&SimFs, &SimFs) -> String);

const CASES: [Case; 15] = [
    ("the first segment is removed", |fs, _| remove(fs, segments(fs)[0].clone())),
    ("a segment in the middle is removed", |fs, _| remove(fs, segments(fs)[1].clone())),
    ("the last segment is removed", |fs, _| remove(fs, segments(fs).pop().expect("some"))),
    ("the snapshot is removed", |fs, _| remove(fs, the_snapshot(fs))),
    ("the manifest is removed", |fs, _| remove(fs, "MANIFEST".to_owned())),
    ("a segment is renamed to look like a backup", |fs, _| {
        let name = segments(fs)[1].clone();
        let stray = format!("{name}.bak");
        fs.rename(&name, &stray).expect("renamed");
        stray
    }),
    ("the last segment is renamed to a later record", |fs, _| {
        let name = segments(fs).pop().expect("some");
        fs.rename(&name, "wal-00000000000000009999.log").expect("renamed");
        name
    }),
    ("two segments are swapped", |fs, _| {
        let (a, b) = (segments(fs)[1].clone(), segments(fs)[2].clone());
        let before = fs.fork();
        put(fs, &before, &a, &b);
        put(fs, &before, &b, &a);
        a
    }),
    ("a segment is copied behind the last", |fs, _| {
        let copy = "wal-00000000000000009999.log".to_owned();
        put(fs, &fs.fork(), &segments(fs)[1], &copy);
        copy
    }),
    ("a segment is copied into a gap", |fs, _| {
        let (first, copy) = (segments(fs)[0].clone(), "wal-00000000000000000030.log".to_owned());
        assert!(first < copy && copy < segments(fs)[1]);
        put(fs, &fs.fork(), &first, &copy);
        copy
    }),
    ("a segment comes from another database", |fs, other| {
        let name = segments(fs)[1].clone();
        put(fs, other, &name, &name);
        name
    }),
    ("the first segment comes from another database", |fs, other| {
        let name = segments(fs)[0].clone();
        put(fs, other, &name, &name);
        name
    }),
    ("a segment of another database lies below the first", |fs, other| {
        let name = "wal-00000000000000000001.log".to_owned();
        put(fs, other, &segments(other)[0], &name);
        name
    }),
    ("the last segment is cut in the space behind its batches", |fs, _| {
        let name = segments(fs).pop().expect("some");
        fs.damage(&name, |content| content.truncate(content.len() - 1));
        name
    }),
    ("the last segment is cut between two batches", |fs, _| {
        let name = segments(fs).pop().expect("some");
        fs.damage(&name, |content| content.truncate(4096 + 48 + 5 + 200));
        name
    }),
];

fn remove(fs: &SimFs, name: String) -> String {
    fs.remove(&name).expect("removed");
    name
}

#[test]
fn every_file_that_is_not_as_it_should_be_refuses_the_start_by_name() {
    let (fs, other) = (directory(1), directory(2));
    open(&fs.fork(), &config(SyncPolicy::Always)).expect("opens as it is");
    for (what, change) in CASES {
        let copy = fs.fork();
        let name = change(&copy, &other);
        let before = all(&copy);
        let error = open(&copy, &config(SyncPolicy::Always)).err();
        let error = error.unwrap_or_else(|| panic!("{what}: it opened"));
        assert!(error.to_string().contains(&name), "{what}: {name} is missing in: {error}");
        assert!(
            error.to_string().contains("Nothing was changed") || what.contains("backup"),
            "{error}"
        );
        assert_eq!(all(&copy), before, "{what}: a refused start changes nothing");
    }
}

#[test]
fn an_older_manifest_put_back_is_noticed() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    let old = fs.fork();
    append_each(&wal, &[&[1; 3000], &[2; 3000]]);
    drop(wal);
    put(&fs, &old, "MANIFEST", "MANIFEST");
    let error = open(&fs, &config(SyncPolicy::Always)).err().expect("refused");
    assert!(matches!(&error, Error::Unlisted { file } if *file == segments(&fs)[1]), "{error}");
}

#[test]
fn what_interrupted_work_left_behind_is_removed_once_all_is_good() {
    let fs = directory(1);
    let before = all(&fs);
    for name in ["wal-next", "snapshot-next", "MANIFEST.next"] {
        put(&fs, &fs.fork(), "MANIFEST", name);
    }
    // A snapshot that never counted, and a segment whose removal was interrupted.
    put(&fs, &fs.fork(), &the_snapshot(&fs), "snapshot-00000000000000000009.lsnap");
    drop(open(&fs, &config(SyncPolicy::Always)).expect("opens"));
    // The space for the segment to come is made anew when it is due.
    let names = |files: Vec<(String, Vec<u8>)>| -> Vec<String> {
        files.into_iter().map(|(name, _)| name).filter(|name| name != "wal-next").collect()
    };
    assert_eq!(names(all(&fs)), names(before));
    let directory = Directory::open(fs, 1).expect("opens");
    assert_eq!(directory.snapshot().map(|snapshot| snapshot.number), Some(1));
}

#[test]
fn a_new_segment_that_was_not_listed_when_the_power_went_is_no_damage() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[&[1; 3000]]);
    let before = fs.bytes("MANIFEST");
    wal.append(7, &[2; 3000]).expect("appended");
    // wal-next is there already: header, sync, MANIFEST.next made, written, synced, renamed, synced, and there it ends.
    fs.power_off_at(fs.operations() + 8);
    wal.step(storage::wal::Work::Write).expect_err("the power is gone");
    drop(wal);
    fs.kill();
    assert_eq!((segments(&fs).len(), fs.bytes("MANIFEST")), (2, before));
    let (wal, report, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!((records.len(), report.torn_tail), (1, None));
    append_each(&wal, &[&[3; 3000]]);
    wal.close().expect("closed");
    drop(wal);
    assert_eq!(open(&fs, &config(SyncPolicy::Always)).expect("opens").2.len(), 2);
}

/// The last batches with the seal behind them, as zeros: to the log alone an end like any other.
#[test]
fn a_log_that_was_closed_and_has_lost_its_end_is_refused() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[&[1; 700], &[2; 700]]);
    let whole = fs.bytes(&segments(&fs)[0]).iter().rposition(|byte| *byte != 0).expect("written");
    append_each(&wal, &[&[3; 700]]);
    wal.close().expect("closed");
    drop(wal);
    let name = &segments(&fs)[0];
    let zeros = vec![0; fs.bytes(name).len() - whole - 1];
    fs.open(name).expect("opens").write_at(whole as u64 + 1, &zeros).expect("written");
    let error = open(&fs, &config(SyncPolicy::Always)).map(drop).expect_err("lost").to_string();
    assert!(error.contains(name) && error.contains("records 3 to 3"), "{error}");
    let found = storage::inspect::walk(&fs, &mut |_, _| ()).expect("read");
    let verdict = &found.segments[0].walked.verdict;
    assert!(matches!(verdict, storage::wal::Verdict::Corrupt { .. }), "{verdict:?}");
}

#[test]
fn a_full_disk_refuses_a_rotation_and_poisons_nothing() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[&[1; 3000]]);
    // The next segment has its space: what is missing is that of the manifest.
    fs.set_capacity(Some(2 * 8192 + 120));
    wal.append(7, &[2; 3000]).expect("appended");
    let error = wal.step(storage::wal::Work::Write).expect_err("no room");
    assert!(matches!(error, Error::Full(_)), "{error}");
    assert!(wal.poisoned().is_none());
    fs.set_capacity(None);
    wal.step(storage::wal::Work::Write).expect("there is room again");
    assert_eq!(wal.durable_lsn(), Lsn(2));
    drop(wal);
    assert_eq!(open(&fs, &config(SyncPolicy::Always)).expect("opens").2.len(), 2);
}

/// A checkpoint fails at each of its operations in turn, by an error or a full disk: the log goes on, nothing that either
/// manifest needs is gone, and the next checkpoint comes to count.
#[test]
fn a_checkpoint_that_fails_leaves_everything_and_can_be_repeated() {
    let mut failed = 0;
    for operation in 1.. {
        let fs = SimFs::new();
        let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
        append_each(&wal, &[&[1; 3000], &[2; 3000], &[3; 3000]]);
        let reference = snapshot(&wal);
        let fails_at = fs.operations() + operation;
        fs.fail_at(fails_at);
        let installed = wal.directory().install(reference, Lsn(4));
        if fs.operations() < fails_at {
            break;
        }
        if installed.is_err() {
            failed += 1;
            assert_eq!(segments(&fs).len(), 3, "operation {operation}: nothing was removed");
        }
        assert!(wal.poisoned().is_none());
        append_each(&wal, &[b"more"]);
        let again = snapshot(&wal);
        assert!(again.number > reference.number, "no number is given twice");
        let removed = wal.directory().install(again, Lsn(5)).expect("nothing fails any more");
        assert!(removed.snapshots > 0 || installed.is_ok());
        assert_eq!((wal.segments().len(), segments(&fs).len()), (1, 1));
        assert_eq!(wal.bytes_since_checkpoint(), 0);
    }
    // A file made, written, synced and renamed, and the directory synced. What fails after that is tried again later.
    assert_eq!(failed, 5);
}
