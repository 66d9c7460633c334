//! `cargo xtask bench`: the benchmarks, whole or tiny, and the instructions of the six hottest paths against their bounds.
//!
//! ```text
//! (nothing)        every criterion benchmark, in full, linked as a release is
//! --smoke          each once, and the instructions: what CI runs
//! --instructions   the instructions alone; --record writes what was counted as the new bounds
//! ```

mod bounds;
mod instructions;

use std::path::Path;
use std::time::Duration;

use crate::cargo::Cargo;
use crate::error::Error;
use crate::repository;

/// Every benchmark in full.
const WHOLE: Cargo = Cargo::plain(&["bench", "--package", "larder-benches"]);
/// Every benchmark once, so that none rots: with the packages as the tests have compiled them.
const TINY: Cargo =
    Cargo::plain(&["bench", "--workspace", "--profile", "dev", "--bench", "*", "--", "--test"]);

/// See the module.
///
/// # Errors
/// [`Error::Usage`] for other words, else that of what failed; [`Error::Check`] for a path above its bound.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let root = repository::root()?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => WHOLE.run(&root),
        ["--smoke"] => smoke(&root, Duration::MAX),
        ["--instructions"] => instructions::check(&root),
        ["--instructions", "--record"] => instructions::record(&root),
        _ => Err(Error::Usage(format!("bench does not know {}", words.join(" ")))),
    }
}

/// Every benchmark once, at most `limit` for all of them, and the instructions where they can be counted.
///
/// # Errors
/// As [`run`], and [`Error::Hung`].
pub(crate) fn smoke(root: &Path, limit: Duration) -> Result<(), Error> {
    TINY.run_within(root, limit)?;
    instructions::check(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_are_refused_before_anything_runs() {
        for words in [&["--smok"][..], &["--record"], &["--instructions", "--smoke"]] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert!(matches!(run(&words), Err(Error::Usage(_))), "{words:?}");
        }
    }
}
