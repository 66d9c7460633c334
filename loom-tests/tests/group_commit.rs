//! Acknowledged means synced: whatever the interleaving of writers and flusher, nobody is told OK before the sync that
//! covers their record has happened, and everybody is told something.
#![cfg(loom)]

use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use loom::thread;
use loom_tests::check;
use stdx::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use storage::{
    Error, Lsn, SyncLevel,
    wal::{GroupCommit, Work},
};

/// A disk that knows only up to which record it is synced.
#[derive(Default)]
struct Disk {
    synced: AtomicU64,
}

#[derive(Clone, Copy, PartialEq)]
enum Flush {
    Honest,
    /// A planted bug: publishes the position before the sync.
    AcknowledgesFirst,
    /// The disk fails.
    Fails,
    /// A planted bug: the disk fails, and the flusher ends without a word.
    FailsSilently,
    /// A planted bug: the disk fails, and the flusher tries again.
    FailsAndRetries,
}

/// Writes until it is told to stop.
fn flusher(core: &GroupCommit, disk: &Disk, flush: Flush) {
    loop {
        match core.wait_for_work(Duration::ZERO) {
            Work::Write => {
                let Some(taken) = core.take() else { continue };
                let last = taken.first_lsn + u64::from(taken.count) - 1;
                match flush {
                    Flush::Honest => {
                        disk.synced.store(last, Ordering::SeqCst);
                        core.synced(last);
                    }
                    Flush::AcknowledgesFirst => {
                        core.synced(last);
                        disk.synced.store(last, Ordering::SeqCst);
                    }
                    Flush::Fails => core.poison("the disk failed"),
                    Flush::FailsSilently => return,
                    Flush::FailsAndRetries => core.synced(last),
                }
            }
            Work::Sync | Work::Idle => {}
            Work::Close | Work::Stop => return,
        }
    }
}

/// Two writers and a flusher; each writer checks what it was told against the disk.
fn race(flush: Flush) {
    check(move || {
        let core = Arc::new(GroupCommit::new(Lsn(0), 1 << 20));
        let disk = Arc::new(Disk::default());
        let writers: Vec<_> = (0..2_u8)
            .map(|writer| {
                let (core, disk) = (Arc::clone(&core), Arc::clone(&disk));
                thread::spawn(move || {
                    let Ok(lsn) = core.append(writer, b"") else { return };
                    let told = core.wait(lsn, SyncLevel::Durable);
                    let synced = disk.synced.load(Ordering::SeqCst);
                    if told.is_ok() {
                        assert!(synced >= lsn.0, "record {lsn} acknowledged, disk at {synced}");
                    }
                    assert_eq!(
                        told.is_ok(),
                        flush != Flush::Fails,
                        "all are acknowledged, or nobody is after a failure"
                    );
                })
            })
            .collect();
        let flushing = {
            let (core, disk) = (Arc::clone(&core), Arc::clone(&disk));
            thread::spawn(move || flusher(&core, &disk, flush))
        };
        for writer in writers {
            writer.join().expect("a writer's assertions hold");
        }
        core.close();
        flushing.join().expect("the flusher ends");
    });
}

/// A writer that only asks, so that a model of somebody left waiting ends: once the flusher is gone there is an answer, and
/// who had asked before was woken.
fn told_after_failure(flush: Flush) {
    check(move || {
        let core = Arc::new(GroupCommit::new(Lsn(0), 1 << 20));
        let woken = std::sync::Arc::new(Woken::default());
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        let flushing = {
            let core = Arc::clone(&core);
            thread::spawn(move || flusher(&core, &Disk::default(), flush))
        };
        let lsn = core.append(1, b"").expect("open");
        let mut registered = None;
        let asked = core.poll(lsn, SyncLevel::Durable, &waker, &mut registered);
        flushing.join().expect("the flusher ends");
        if asked.is_pending() {
            assert!(woken.0.load(std::sync::atomic::Ordering::SeqCst), "record {lsn} still waits");
        }
        let told = core.poll(lsn, SyncLevel::Durable, &waker, &mut registered);
        assert!(matches!(told, Poll::Ready(Err(Error::Poisoned(_)))), "record {lsn} still waits");
    });
}

/// Remembers that it was woken. Not modelled: what it is asked for happens after a join.
#[derive(Default)]
struct Woken(std::sync::atomic::AtomicBool);

impl Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn an_acknowledgement_follows_its_sync() {
    race(Flush::Honest);
}

#[test]
#[should_panic(expected = "acknowledged, disk at")]
fn the_model_finds_an_acknowledgement_before_its_sync() {
    race(Flush::AcknowledgesFirst);
}

#[test]
fn a_failing_disk_acknowledges_nobody_and_leaves_nobody_waiting() {
    race(Flush::Fails);
}

#[test]
fn who_waits_for_a_failing_disk_is_told() {
    told_after_failure(Flush::Fails);
}

#[test]
#[should_panic(expected = "still waits")]
fn the_model_finds_a_failure_that_nobody_is_told_of() {
    told_after_failure(Flush::FailsSilently);
}

#[test]
#[should_panic(expected = "acknowledged, disk at")]
fn the_model_finds_an_acknowledgement_after_a_failure() {
    race(Flush::FailsAndRetries);
}
