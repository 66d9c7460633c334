//! Rule `header`: the first line of every Rust file is a `//!` that says what the file is for.

use crate::problem::Problem;
use crate::repository::Repository;

const REMEDY: &str = "Open the file with `//! ` and its one responsibility, before any attribute";

/// Files whose first line is something else.
pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let says_something = |text: &str| {
        let first = text.lines().next().unwrap_or("");
        first.strip_prefix("//! ").is_some_and(|about| !about.trim().is_empty())
    };
    repository
        .rust()
        .filter(|(file, _)| !says_something(&file.text))
        .map(|(file, _)| {
            Problem::new(&file.path, 1, "the file does not say what it is for", REMEDY)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        !check(&Repository::of(&[("a/src/b.rs", text)])).is_empty()
    }

    #[test]
    fn the_first_line_says_it() {
        assert!(!refused("//! One thing.\nfn a() {}\n"));
    }

    #[test]
    fn anything_before_it_or_nothing_in_it_is_refused() {
        for text in
            ["", "fn a() {}\n", "\n//! Late.\n", "#![cfg(loom)]\n//! Late.\n", "//!\n", "// No.\n"]
        {
            assert!(refused(text), "{text:?}");
        }
    }
}
