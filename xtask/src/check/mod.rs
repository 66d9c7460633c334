//! `cargo xtask check`: a table of what is checked; prints every problem of every check, then fails if there was one.

mod confined;
mod edges;
mod forbidden;
mod header;
mod manifest;
mod packages;
mod size;
mod unsafe_code;
mod words;

use std::path::Path;

use crate::cargo::{self, Cargo};
use crate::error::Error;
use crate::problem::Problem;
use crate::report;
use crate::repository::{self, Repository};
use crate::select::select;

/// One thing that is checked.
struct Check {
    /// What it is called on the command line.
    name: &'static str,
    /// What it makes sure of.
    about: &'static str,
    /// How.
    by: By,
}

enum By {
    /// A function of the repository's files.
    Rule(fn(&Repository) -> Vec<Problem>),
    /// A cargo subcommand that a component of the toolchain brings.
    Tool { component: &'static str, cargo: Cargo },
}

/// Quick ones first: a rule is heard within a second, clippy compiles the workspace.
const CHECKS: &[Check] = &[
    Check {
        name: "edges",
        about: "crates depend only downwards, as drawn",
        by: By::Rule(edges::check),
    },
    Check {
        name: "packages",
        about: "heavy packages stay in the crates they belong to; every crate has the lints",
        by: By::Rule(packages::check),
    },
    Check {
        name: "confined",
        about: "unsafe and bincode stand only in the files that are named",
        by: By::Rule(confined::check),
    },
    Check {
        name: "unsafe",
        about: "all unsafe code is in docs/unsafe.md",
        by: By::Rule(unsafe_code::check),
    },
    Check { name: "size", about: "files can be read in one sitting", by: By::Rule(size::check) },
    Check { name: "header", about: "every file says what it is for", by: By::Rule(header::check) },
    Check {
        name: "forbidden",
        about: "no drawers for leftovers, no silent allow, no stub, no sleeping test",
        by: By::Rule(forbidden::check),
    },
    Check { name: "words", about: "one word, one meaning", by: By::Rule(words::check) },
    Check {
        name: "fmt",
        about: "rustfmt has nothing to change",
        by: By::Tool { component: "rustfmt", cargo: Cargo::plain(&["fmt", "--all", "--check"]) },
    },
    Check {
        name: "clippy",
        about: "no warning of the compiler or of clippy",
        by: By::Tool {
            component: "clippy",
            cargo: Cargo::plain(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ]),
        },
    },
];

/// Runs the checks that `arguments` names, or all of them; `--list` prints them instead.
///
/// # Errors
/// [`Error::Usage`] for a check that does not exist, [`Error::Check`] with how much was found.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    if arguments == ["--list"] {
        let rows: Vec<_> = CHECKS.iter().map(|check| (check.name, check.about)).collect();
        report::list(&rows);
        return Ok(());
    }
    let checks = select(CHECKS, |check| check.name, arguments)?;
    let root = repository::root()?;
    let repository = Repository::read(&root)?;
    let failures: Vec<String> =
        checks.iter().filter_map(|check| failure(check, &repository, &root)).collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::Check(failures.join(", ")))
}

/// Runs one check, prints what it found, and says in a few words how it failed.
fn failure(check: &Check, repository: &Repository, root: &Path) -> Option<String> {
    match &check.by {
        By::Rule(rule) => {
            let problems = rule(repository);
            for problem in &problems {
                report::data(&problem.to_string());
            }
            let count = problems.len();
            (count > 0).then(|| format!("{} ({count} problem{})", check.name, plural(count)))
        }
        By::Tool { component, cargo } => {
            let result = cargo::require(check.name, component).and_then(|()| cargo.run(root));
            result.err().map(|error| {
                report::progress(&error.to_string());
                check.name.to_owned()
            })
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each rule a file that breaks it: a rule that cannot fail is no rule.
    fn planted() -> Vec<(&'static str, &'static str, String)> {
        let package =
            |rest: &str| format!("[package]\nname = \"larder-engine\"\n[dependencies]\n{rest}\n");
        vec![
            ("edges", "engine/Cargo.toml", package("larder-server = {}")),
            ("packages", "engine/Cargo.toml", package("tokio = \"1\"")),
            ("confined", "model/src/key.rs", "//! Keys.\nfn a() { unsafe { b() } }\n".to_owned()),
            ("unsafe", "model/src/key.rs", "//! Keys.\nfn a() { unsafe { b() } }\n".to_owned()),
            ("size", "model/src/key.rs", "//! Keys.\n".to_owned() + &"a();\n".repeat(500)),
            ("header", "model/src/key.rs", "fn a() {}\n".to_owned()),
            ("forbidden", "model/src/key.rs", "//! Keys.\nuse crate::*;\n".to_owned()),
            ("words", "docs/intro.md", concat!("A feature", " view is\n").to_owned()),
        ]
    }

    #[test]
    fn every_rule_finds_what_breaks_it() {
        for check in CHECKS {
            let By::Rule(rule) = &check.by else { continue };
            let planted = planted().into_iter().find(|(name, ..)| *name == check.name);
            let (_, path, text) = planted.expect("a planted violation for every rule");
            let problems = rule(&Repository::of(&[(path, &text)]));
            assert!(!problems.is_empty(), "{} did not see {path}", check.name);
            assert!(problems.iter().all(|problem| problem.path == path), "{problems:?}");
            assert!(problems.iter().all(|problem| problem.line > 0), "{problems:?}");
        }
    }

    #[test]
    fn no_rule_complains_about_a_file_that_keeps_them() {
        let manifest = "[package]\nname = \"larder-engine\"\n[lints]\nworkspace = true\n[dependencies]\nlarder-model = {}\n";
        let good = Repository::of(&[
            ("engine/Cargo.toml", manifest),
            ("engine/src/lib.rs", "//! The engine.\n\npub mod shard;\n"),
            ("docs/intro.md", "# Intro\n"),
        ]);
        for check in CHECKS {
            if let By::Rule(rule) = &check.by {
                assert_eq!(rule(&good), [], "{}", check.name);
            }
        }
    }

    #[test]
    fn problems_are_counted_in_the_failure() {
        let check = CHECKS.iter().find(|check| check.name == "header").unwrap();
        let bad = Repository::of(&[("a/src/b.rs", "fn a() {}\n"), ("a/src/c.rs", "")]);
        assert_eq!(failure(check, &bad, Path::new(".")).unwrap(), "header (2 problems)");
    }
}
