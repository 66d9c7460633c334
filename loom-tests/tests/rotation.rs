//! The log goes on in a new segment while others append, and the power goes at any moment of it: whoever was told OK finds their
//! record when the directory is opened again, and records are numbered without a gap.
//!
//! All of it is real: the log, its flusher, the directory with its manifest, recovery; only the disk is simulated. A segment has
//! room for one record, so that the second one needs another: named, listed in the manifest, and only then written to.
#![cfg(loom)]

use loom::thread;
use loom_tests::{check, must_fail};
use stdx::{
    clock::ManualClock,
    mutant::{Mutant, plant},
    prng::Prng,
    sync::Arc,
};
use storage::{Directory, Lsn, SyncPolicy, Wal, WalConfig, fs::SimFs};

/// More than half of what a segment has room for.
const RECORD: [u8; 3000] = [7; 3000];

type Log = Wal<SimFs>;

/// Opens the log of `disk`; the numbers of its records.
fn open(disk: &SimFs) -> (Log, Vec<u64>) {
    let config = WalConfig {
        sync: SyncPolicy::Always,
        segment_bytes: 8192,
        threaded: false,
        ..WalConfig::default()
    };
    let clock = std::sync::Arc::new(ManualClock::at(0));
    let mut found = Vec::new();
    let directory = Directory::open(disk.clone(), 1).expect("the directory can be opened");
    let opened = Wal::open(&directory, config, clock, &mut |Lsn(lsn), _, payload| {
        assert_eq!(payload, RECORD, "record {lsn} is another");
        found.push(lsn);
        Ok(())
    });
    let (log, _) = opened.expect("what was acknowledged can be read");
    (log, found)
}

/// Appends a record; its number when it was acknowledged.
fn write(log: &Log) -> Option<u64> {
    let lsn = log.append(1, &RECORD).ok()?;
    log.ticket(lsn, None).wait().ok().map(|_| lsn.0)
}

/// Two writers and the flusher; the power goes when one of the writers has its answer, wherever the flusher is then. What is not
/// synced is kept, lost or garbled as `seed` says.
fn race(seed: u64) {
    check(move || {
        let disk = SimFs::new();
        let (log, _) = open(&disk);
        let log = Arc::new(log);
        let flushing = {
            let log = Arc::clone(&log);
            thread::spawn(move || log.run())
        };
        let other = {
            let log = Arc::clone(&log);
            thread::spawn(move || write(&log))
        };
        let acknowledged = write(&log);
        // From here on nothing reaches the disk.
        disk.power_off_at(1);
        let acknowledged = [acknowledged, other.join().expect("a writer ends")];
        log.abandon();
        flushing.join().expect("the flusher ends");
        drop(log);
        disk.crash(&mut Prng::new(seed));
        let (_, found) = open(&disk);
        for lsn in acknowledged.into_iter().flatten() {
            assert!(found.contains(&lsn), "record {lsn} was acknowledged and is lost");
        }
        assert!(found.iter().copied().eq(1..=found.len() as u64), "a gap: {found:?}");
    });
}

/// What unsynced bytes and names become.
const SEED: u64 = 3;

#[test]
fn a_power_cut_during_a_rotation_loses_nothing_acknowledged() {
    race(SEED);
}

#[test]
#[ignore = "a planted bug"]
fn the_directory_is_never_synced() {
    plant(Some(Mutant::NoDirectorySync));
    race(SEED);
}

#[test]
fn the_model_finds_a_directory_never_synced() {
    must_fail("the_directory_is_never_synced", "was acknowledged and is lost");
}

#[test]
#[ignore = "a planted bug"]
fn records_are_acknowledged_before_their_sync() {
    plant(Some(Mutant::AcknowledgeBeforeSync));
    race(SEED);
}

#[test]
fn the_model_finds_an_acknowledgement_before_its_sync() {
    must_fail("records_are_acknowledged_before_their_sync", "was acknowledged and is lost");
}
