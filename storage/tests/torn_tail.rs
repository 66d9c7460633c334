//! The power goes while a batch is being written. The next start finds half of it, cuts it off, says so, and goes on.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use storage::{
    Lsn, SyncPolicy, Vfs,
    fs::{SimFs, VFile},
    wal::Work,
};

/// The one segment of a small log.
const FIRST: &str = "wal-00000000000000000001.log";

#[test]
fn half_a_batch_is_cut_and_the_log_goes_on() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[b"one", b"two"]);
    wal.append(7, b"three").expect("appended");
    wal.abandon();
    drop(wal);
    // Garbage where the third batch would have been.
    let end = fs.bytes(FIRST).iter().rposition(|byte| *byte != 0).expect("not empty") + 1;
    fs.open(FIRST).expect("there").write_at(end as u64, b"LBAT half a batch").expect("written");
    let (wal, report, records) =
        open(&fs, &config(SyncPolicy::Always)).expect("a torn tail is normal");
    let torn = report.torn_tail.expect("reported");
    assert_eq!((torn.offset, torn.last_lsn), (end as u64, Lsn(2)));
    assert_eq!(records, [(1, 7, b"one".to_vec()), (2, 7, b"two".to_vec())]);
    assert_eq!(wal.append(7, b"four").expect("appended"), Lsn(3));
    wal.step(Work::Write).expect("written");
    drop(wal);
    let (_, report, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!((report.torn_tail, records.len()), (None, 3), "cut once, clean afterwards");
}

#[test]
fn a_segment_without_its_header_refuses_the_start() {
    let fs = SimFs::new();
    drop(open(&fs, &config(SyncPolicy::Always)).expect("opens"));
    fs.remove(FIRST).expect("removed");
    fs.create_new(FIRST, 0).expect("an empty file in its place");
    let error = open(&fs, &config(SyncPolicy::Always)).err().expect("refused").to_string();
    assert!(error.contains(FIRST) && error.contains("header is damaged or missing"), "{error}");
}
