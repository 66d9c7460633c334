//! A sync fails. Nothing that was not acknowledged by then ever is; what was is there after the restart; the next sync
//! "succeeding" changes nothing, because it is never tried.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use storage::{Error, SyncLevel, SyncPolicy, fs::SimFs, wal::Work};

#[test]
fn a_failed_sync_poisons_for_good() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[b"safe"]);
    let safe = wal.ticket(wal.appended_lsn(), None);
    safe.wait().expect("synced");
    fs.fail_at(fs.operations() + 2);
    let lsn = wal.append(7, b"lost").expect("appended");
    let ticket = wal.ticket(lsn, None);
    wal.step(Work::Write).expect_err("the sync fails");
    let error = ticket.wait().expect_err("not acknowledged");
    assert!(matches!(&error, Error::Poisoned(why) if why.contains("simulated")), "{error}");
    assert!(matches!(wal.append(7, b"more"), Err(Error::Poisoned(_))));
    assert!(matches!(wal.reserve(1), Err(Error::Poisoned(_))));
    safe.wait().expect("what was acknowledged stays so");
    assert!(wal.close().is_err(), "closing cannot pretend");
}

#[test]
fn more_than_the_policy_can_be_asked_and_nothing_is_promised_without_a_log() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Os)).expect("opens");
    let lsn = wal.append(7, b"x").expect("appended");
    wal.step(Work::Write).expect("written");
    assert_eq!(wal.ticket(lsn, None).wait().expect("written").level, SyncLevel::Written);
    assert!(wal.durable_lsn() < lsn);
    wal.step(Work::Sync).expect("synced");
    assert_eq!(
        wal.ticket(lsn, Some(SyncLevel::Durable)).wait().expect("synced").level,
        SyncLevel::Durable
    );
    let nothing = SimFs::new();
    let (wal, ..) = open(&nothing, &config(SyncPolicy::Memory)).expect("opens");
    let lsn = wal.append(7, b"x").expect("numbered");
    wal.ticket(lsn, None).wait().expect("memory is all that was promised");
    assert!(matches!(wal.ticket(lsn, Some(SyncLevel::Durable)).wait(), Err(Error::NoLog)));
    let error = open(&fs.fork(), &config(SyncPolicy::Memory)).err().expect("a log is there");
    assert!(error.to_string().contains("choose another directory"), "{error}");
}

#[test]
fn a_second_opener_is_refused() {
    let fs = SimFs::new();
    let (_wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    let error = open(&fs, &config(SyncPolicy::Always)).err().expect("locked");
    assert!(error.to_string().contains("in use by another larder process"), "{error}");
}
