//! The tests of the tests: bugs that somebody could make are planted one by one, and the random lives of `crash_points` must
//! find each of them. `cargo test -p larder-storage --features mutants --test mutants -- --nocapture` prints how soon.
#![cfg(feature = "mutants")]

#[path = "harness/lives.rs"]
mod lives;

use std::panic::AssertUnwindSafe;

use lives::{Coverage, LIVES, run};
use stdx::mutant::{Mutant, plant};

/// Bugs of this crate that lives without damage to synced bytes can find.
const BUGS: [Mutant; 7] = [
    Mutant::AcknowledgeBeforeSync,
    Mutant::NoDirectorySync,
    Mutant::LogDeletedEarly,
    Mutant::RetryFailedSync,
    Mutant::TornTailNotCut,
    Mutant::NoBatchChecksum,
    Mutant::SnapshotNotSynced,
];

/// Each must be found within so many lives: six times the worst that was measured (740, for [`Mutant::TornTailNotCut`]).
const LIVES_MAX: u64 = 5_000;

/// Where the numbers of the seeds of each try begin.
const TRIES: [u64; 5] = [1, 1_000_000, 2_000_000, 3_000_000, 4_000_000];

/// Lives from the seed `first` on until one finds something wrong.
fn lives_until_found(first: u64) -> Option<u64> {
    let wrong = |seed: &u64| {
        let lived = AssertUnwindSafe(|| run(first + seed, &mut Coverage::default()));
        std::panic::catch_unwind(lived).is_err()
    };
    (0..LIVES_MAX / LIVES).find(wrong).map(|seed| (seed + 1) * LIVES)
}

#[test]
fn every_planted_bug_is_found() {
    // What is wrong is what is looked for: it need not be shown.
    std::panic::set_hook(Box::new(|_| ()));
    let mut missed = Vec::new();
    for mutant in BUGS {
        plant(Some(mutant));
        let mut found: Vec<_> = TRIES.map(lives_until_found).to_vec();
        found.sort_unstable();
        println!("{mutant:?}: found after {found:?} lives");
        if found.contains(&None) {
            missed.push(mutant);
        }
    }
    plant(None);
    let healthy = lives_until_found(TRIES[0]);
    let _default = std::panic::take_hook();
    assert_eq!(healthy, None, "without a bug nothing is found");
    let mut coverage = Coverage::default();
    (1..100).for_each(|seed| run(seed, &mut coverage));
    assert!(coverage.all().iter().all(|count| *count > 0), "{coverage:?}");
    assert!(missed.is_empty(), "not found: {missed:?}");
}
