//! The tests of the test: each bug that `stdx::mutant` lists is planted in turn, and the simulation must find it.
//! `LARDER_MUTANT` names one, to look for that alone.

#![cfg(feature = "mutants")]

use std::thread;

use sim::{LIVES, Options, run};
use stdx::mutant::{ALL, Mutant, plant};

/// Simulations until a bug must have been found.
const SEEDS_MAX: u64 = 4_000;
/// Independent searches for each bug.
const SEARCHES: u64 = 3;

/// Simulations from `first` on until one fails.
fn search(first: u64) -> Option<u64> {
    (0..SEEDS_MAX).find(|offset| run(first + offset, Options::default()).is_err()).map(|n| n + 1)
}

/// Lives until the planted bug was found, of each search.
fn search_all() -> Vec<Option<u64>> {
    thread::scope(|scope| {
        let start = |number| scope.spawn(move || search(1 + number * 10_000));
        let searches: Vec<_> = (0..SEARCHES).map(start).collect();
        let seeds = searches.into_iter().map(|search| search.join().expect("a search ends"));
        seeds.map(|seeds| seeds.map(|seeds| seeds * LIVES)).collect()
    })
}

#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    let only = std::env::var("LARDER_MUTANT").ok();
    let is_wanted =
        |mutant: &Mutant| only.as_ref().is_none_or(|name| *name == format!("{mutant:?}"));
    for mutant in ALL.into_iter().filter(is_wanted) {
        plant(Some(mutant));
        let mut lives = search_all();
        plant(None);
        lives.sort_unstable_by_key(|lives| lives.unwrap_or(u64::MAX));
        let shown: Vec<_> =
            lives.iter().map(|lives| lives.map_or("never".to_owned(), |n| n.to_string())).collect();
        println!("{mutant:?}: found within {} lives", shown.join(", "));
        if lives.contains(&None) {
            missed.push(mutant);
        }
    }
    assert_eq!(missed, Vec::<Mutant>::new(), "not found");
}
