//! Acknowledged means synced: whatever the interleaving of writers and flusher, nobody is told OK before the sync that
//! covers their record has happened, and everybody is told something.
#![cfg(loom)]

use loom::thread;
use stdx::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use storage::{
    Lsn, SyncLevel,
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
    /// The planted bug: publishes the position before the sync.
    AcknowledgesFirst,
    /// The disk fails.
    Fails,
}

/// Writes until it was told to stop.
fn flusher(core: &GroupCommit, disk: &Disk, flush: Flush) {
    loop {
        match core.wait_for_work(std::time::Duration::ZERO) {
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
                }
            }
            Work::Sync | Work::Idle => {}
            Work::Close | Work::Stop => return,
        }
    }
}

/// Two writers and a flusher; each writer checks what it was told against the disk.
fn race(flush: Flush) {
    loom::model(move || {
        let core = Arc::new(GroupCommit::new(Lsn(0), 1 << 20));
        let disk = Arc::new(Disk::default());
        let writers: Vec<_> = (0..2_u8)
            .map(|writer| {
                let (core, disk) = (Arc::clone(&core), Arc::clone(&disk));
                thread::spawn(move || {
                    let Ok(lsn) = core.append(writer, b"") else { return };
                    let told = core.wait(lsn, SyncLevel::Durable);
                    if told.is_ok() {
                        let synced = disk.synced.load(Ordering::SeqCst);
                        assert!(synced >= lsn.0, "record {lsn} acknowledged, disk at {synced}");
                    }
                    assert_eq!(
                        told.is_ok(),
                        flush != Flush::Fails,
                        "a failed sync acknowledges nobody"
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
fn a_failing_disk_leaves_nobody_waiting() {
    race(Flush::Fails);
}
