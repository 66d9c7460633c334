//! Rule `forbidden`: names that invite leftovers, and code that hides a problem instead of solving it.

use crate::problem::Problem;
use crate::repository::{File, Repository};
use crate::source::{Source, find_word};

/// Modules that say nothing about what is in them collect what nobody wants to name.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "helper", "misc"];

const NAME_REMEDY: &str = "Name it after what it does, or put it beside its only user";

/// A piece of code that is refused wherever it stands.
struct Pattern {
    /// What a line must contain, without regard to spaces.
    code: &'static str,
    what: &'static str,
    remedy: &'static str,
}

const PATTERNS: &[Pattern] = &[
    Pattern {
        code: "usecrate::*",
        what: "`use crate::*` hides where names live",
        remedy: "Import the names that are used",
    },
    Pattern {
        code: "#[allow(",
        what: "a silent allow",
        remedy: "Write #[expect(lint, reason = \"…\")], which complains when it is needed no more",
    },
    Pattern {
        code: "#![allow(",
        what: "a silent allow for a whole file",
        remedy: "Write #[expect(lint, reason = \"…\")] at the place that needs it",
    },
    Pattern { code: "todo!(", what: "a stub", remedy: "Build it, or leave the operation out" },
    Pattern {
        code: "unimplemented!(",
        what: "a stub",
        remedy: "Build it, or leave the operation out",
    },
];

/// Everything that is refused by name.
pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (file, source) in repository.rust() {
        problems.extend(empty_path(file));
        for (number, line) in source.lines() {
            let found = empty_module(line)
                .or_else(|| pattern(line))
                .or_else(|| is_test_line(file, source, number).then(|| sleeping(line)).flatten());
            problems
                .extend(found.map(|(what, remedy)| Problem::new(&file.path, number, what, remedy)));
        }
    }
    problems
}

type Finding = (String, &'static str);

fn empty_path(file: &File) -> Option<Problem> {
    let mut parts = file.path.trim_end_matches(".rs").split('/');
    let name = parts.find(|part| EMPTY_NAMES.contains(part))?;
    Some(Problem::new(&file.path, 1, format!("a module called {name}"), NAME_REMEDY))
}

/// A module written inside another file; one with a file of its own is found by its path.
fn empty_module(line: &str) -> Option<Finding> {
    let declares = |name: &&&str| {
        find_word(line, name).any(|(before, after)| {
            before.trim_end().ends_with("mod") && after.trim_start().starts_with('{')
        })
    };
    let name = EMPTY_NAMES.iter().find(declares)?;
    Some((format!("a module called {name}"), NAME_REMEDY))
}

fn pattern(line: &str) -> Option<Finding> {
    let dense: String = line.chars().filter(|c| !c.is_whitespace()).collect();
    let found = PATTERNS.iter().find(|pattern| dense.contains(pattern.code))?;
    Some((found.what.to_owned(), found.remedy))
}

fn is_test_line(file: &File, source: &Source, number: usize) -> bool {
    file.is_test() || source.tests_from().is_some_and(|from| number >= from)
}

/// `thread::sleep`, `time::sleep`, either imported; a method called `sleep`, as of a clock set by hand, does not sleep.
fn sleeping(line: &str) -> Option<Finding> {
    let mut calls = ["sleep", "sleep_until"].into_iter().flat_map(|word| find_word(line, word));
    calls.find(|(before, _)| !before.ends_with('.'))?;
    Some(("a sleeping test".to_owned(), "Wait for the condition itself, or inject the time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Repository::of(&[(path, text)])).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn a_module_named_after_nothing_is_refused_as_file_folder_and_block() {
        assert_eq!(lines("engine/src/utils.rs", "//! U.\n"), [1]);
        assert_eq!(lines("cli/tests/common/mod.rs", "//! C.\n"), [1]);
        assert_eq!(lines("engine/src/a.rs", "//! A.\npub(crate) mod helpers {\n}\n"), [2]);
        assert_eq!(
            lines("engine/src/commons.rs", "//! Named after a place.\nmod helpers_of_none {}\n"),
            [0; 0]
        );
    }

    #[test]
    fn each_pattern_is_found_where_it_stands() {
        for code in [
            "use crate::*;",
            "pub(crate) use crate::*;",
            "#[allow(dead_code)]",
            "#![allow(dead_code)]",
            "# [ allow (dead_code)]",
            "fn a() { todo!() }",
            "    unimplemented!(\"soon\")",
        ] {
            assert_eq!(lines("engine/src/a.rs", &format!("//! A.\n\n{code}\n")), [3], "{code}");
        }
    }

    #[test]
    fn strings_and_comments_may_speak_of_anything() {
        let text =
            "//! No todo!() here.\n// #[allow(dead_code)]\nconst A: &str = \"use crate::*\";\n";
        assert_eq!(lines("engine/src/a.rs", text), [0; 0]);
    }

    #[test]
    fn a_test_that_sleeps_is_found_wherever_tests_stand() {
        let nap = "//! A.\nfn a() {\n    std::thread::sleep(d);\n}\n";
        assert_eq!(lines("engine/tests/a.rs", nap), [3]);
        assert_eq!(lines("engine/src/a.rs", nap), [0; 0]);
        let unit = "//! A.\n\n#[cfg(test)]\nmod tests {\n    use tokio::time::{self, sleep};\n}\n";
        assert_eq!(lines("engine/src/a.rs", unit), [5]);
    }

    #[test]
    fn a_clock_set_by_hand_may_sleep() {
        assert_eq!(lines("engine/tests/a.rs", "//! A.\nfn a() { clock.sleep(5) }\n"), [0; 0]);
    }
}
