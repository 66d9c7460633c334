//! A sync fails. Nothing that was not acknowledged by then ever is; what was is there after the restart; the next sync
//! "succeeding" changes nothing, because it is never tried.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use stdx::prng::Prng;
use storage::{Error, SyncLevel, SyncPolicy, WalConfig, fs::SimFs, wal::Work};

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
    assert!(error.to_string().contains("or another directory"), "{error}");
}

/// After a failed sync the system shows what the disk does not have, and the next sync of it succeeds without writing. A log
/// that is restarted by then must not build on it: were the record gone later, everything after it would be unreadable.
#[test]
fn a_restart_after_a_failed_sync_brings_to_the_disk_what_it_replays() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[b"safe"]);
    fs.fail_at(fs.operations() + 2);
    // Long enough for sectors of its own: what shares one with the next record would be synced with that.
    let in_memory_only = [2; 3000];
    wal.append(7, &in_memory_only).expect("appended");
    wal.step(Work::Write).expect_err("the sync fails");
    drop(wal);
    fs.kill();
    let (wal, _, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!(records.len(), 2, "the system still shows it");
    append_each(&wal, &[b"after the restart"]);
    wal.abandon();
    drop(wal);
    fs.crash(&mut Prng::new(1));
    let (_, _, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    let payloads: Vec<_> = records.iter().map(|(.., payload)| payload.as_slice()).collect();
    assert_eq!(payloads, [&b"safe"[..], &in_memory_only, b"after the restart"]);
}

/// Whoever closes a server whose disk is full must not wait for space for ever; whoever waits for a record must be told.
#[test]
fn closing_on_a_full_disk_ends_and_says_so() {
    let fs = SimFs::new();
    // A segment and a manifest.
    fs.set_capacity(Some(8192 + 120));
    let config = WalConfig { threaded: true, ..config(SyncPolicy::Always) };
    let (wal, ..) = open(&fs, &config).expect("opens");
    let lsn = wal.append(7, &[1; 6000]).expect("appended");
    let ticket = wal.ticket(lsn, None);
    let error = wal.close().expect_err("there was no room").to_string();
    assert!(error.contains("the disk is full"), "{error}");
    assert!(matches!(ticket.wait(), Err(Error::Poisoned(_))));
}
