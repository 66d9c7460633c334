//! The log outgrows a segment: records go on in the next, all are read back in order, and a missing or foreign segment is
//! noticed.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use storage::{Error, Lsn, SyncPolicy, Vfs, WalConfig, fs::SimFs, wal::Work};

fn three_segments() -> (SimFs, Vec<Vec<u8>>) {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    let payloads: Vec<_> = (0..100_u8).map(|number| vec![number; 100]).collect();
    append_each(&wal, &payloads.iter().map(Vec::as_slice).collect::<Vec<_>>());
    wal.close().expect("closed");
    assert!(segments(&fs).len() >= 3);
    (fs, payloads)
}

fn segments(fs: &SimFs) -> Vec<String> {
    let names = fs.list().expect("listed");
    names.into_iter().filter(|name| name.ends_with(".log")).collect()
}

#[test]
fn records_cross_segments_in_order() {
    let (fs, payloads) = three_segments();
    let (_, report, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!((report.records, report.torn_tail), (100, None));
    assert!(records.iter().map(|(.., payload)| payload).eq(&payloads));
}

#[test]
fn a_missing_segment_refuses_the_start() {
    let (fs, _) = three_segments();
    for name in segments(&fs) {
        let copy = fs.fork();
        copy.remove(&name).expect("removed");
        let error = open(&copy, &config(SyncPolicy::Always)).err().expect("refused");
        assert!(matches!(&error, Error::Missing { file, .. } if *file == name), "{error}");
    }
}

#[test]
fn a_record_larger_than_a_segment_gets_one_that_fits() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[b"small", &[9; 20_000], b"small"]);
    wal.close().expect("closed");
    drop(wal);
    let (_, _, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!(
        records.iter().map(|(.., payload)| payload.len()).collect::<Vec<_>>(),
        [5, 20_000, 5]
    );
}

#[test]
fn a_renamed_segment_refuses_the_start() {
    let (fs, _) = three_segments();
    fs.rename(&segments(&fs)[2], "wal-00000000000000000099.log.bak").expect("renamed");
    let error = open(&fs, &config(SyncPolicy::Always)).err().expect("refused");
    assert!(matches!(&error, Error::Stray { file } if file.ends_with(".bak")), "{error}");
}

#[test]
fn a_full_disk_refuses_writers_while_what_was_accepted_still_fits() {
    let fs = SimFs::new();
    fs.set_capacity(Some(8192 + 112 + 808));
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    wal.reserve(2000).expect("the segment is empty");
    wal.append(7, &[1; 2000]).expect("appended");
    wal.append(7, &[2; 500]).expect("appended");
    wal.step(Work::Write).expect("there is room in the open segment");
    assert_eq!(wal.durable_lsn(), wal.appended_lsn(), "accepted, hence written");
    let error = wal.reserve(10).expect_err("no room for the next segment").to_string();
    for part in ["wal-next needs 8192 bytes, 800 are free", "reads go on"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    fs.set_capacity(None);
    wal.step(Work::Idle).expect("space is looked for again");
    wal.reserve(10).expect("writes go on");
}

#[test]
fn a_record_above_the_limit_is_refused_before_anything_is_done() {
    let fs = SimFs::new();
    let config = WalConfig { record_bytes_max: 100, ..config(SyncPolicy::Always) };
    let (wal, ..) = open(&fs, &config).expect("opens");
    assert!(matches!(wal.reserve(101), Err(Error::TooLarge { bytes: 101, max: 100 })));
    assert!(matches!(wal.append(7, &[0; 101]), Err(Error::TooLarge { .. })));
    assert_eq!(wal.append(7, &[0; 100]).expect("at the limit"), Lsn(1));
}

#[test]
fn what_was_appended_to_a_full_disk_waits_for_space() {
    let fs = SimFs::new();
    fs.set_capacity(Some(9000));
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[&[1; 4000]]);
    wal.append(7, &[2; 4000]).expect("appended");
    let error = wal.step(Work::Write).expect_err("no room for a segment");
    assert!(error.to_string().contains("disk is full"), "{error}");
    assert!(matches!(wal.reserve(10), Err(Error::Full(_))), "refused before anything is done");
    assert!(wal.poisoned().is_none());
    fs.set_capacity(None);
    wal.step(Work::Write).expect("the waiting record is written");
    wal.reserve(10).expect("writes go on");
    wal.close().expect("closed");
    drop(wal);
    assert_eq!(open(&fs, &config(SyncPolicy::Always)).expect("opens").1.records, 2);
}
