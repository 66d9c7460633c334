//! The tests of the tests: each bug that could make a snapshot lie, planted, is found by cutting the power or flipping a bit.
//! Run with `--features mutants`.
#![cfg(feature = "mutants")]

#[path = "harness/sections.rs"]
mod random;
#[path = "harness/snapshots.rs"]
mod snapshots;

use random::sections;
use snapshots::{CLUSTER, Sections, check, write};
use stdx::{
    mutant::{Mutant, plant},
    prng::Prng,
};
use storage::{fs::SimFs, snapshot::Snapshot};

const FILE: &str = "snapshot-00000000000000000007.lsnap";

/// Whether a power cut after a snapshot is called finished can leave another one than was written, or none.
fn a_crash_finds_it(expected: &Sections) -> bool {
    (0..50).any(|seed| {
        let fs = SimFs::new();
        let reference = write(&fs, 7, expected, 999).expect("there is room");
        fs.crash(&mut Prng::new(seed));
        check(&fs, &reference, expected).is_err()
    })
}

/// Whether a flipped bit can be read as if it were good.
fn a_flipped_bit_is_served(expected: &Sections) -> bool {
    let fs = SimFs::new();
    let reference = write(&fs, 7, expected, 999).expect("there is room");
    fs.flip_bit(FILE, (64 + 3) * 8);
    let snapshot = Snapshot::open(&fs, &reference, CLUSTER).expect("no table was touched");
    let section = snapshot.section(expected[0].0).expect("it is in the directory");
    section.bytes(0..section.len()).is_ok()
}

#[test]
fn every_planted_bug_of_snapshots_is_found() {
    let sections = sections(&mut Prng::new(1), &[100, 90_000]);
    plant(None);
    assert!(!a_crash_finds_it(&sections) && !a_flipped_bit_is_served(&sections));
    for mutant in [Mutant::SnapshotNotSynced, Mutant::NoDirectorySync] {
        plant(Some(mutant));
        assert!(a_crash_finds_it(&sections), "{mutant:?}");
    }
    plant(Some(Mutant::NoBlockChecksum));
    assert!(a_flipped_bit_is_served(&sections));
    plant(None);
}
