//! Rule `size`: a file can be read in one sitting, a crate root in one glance. (Functions: clippy's `too_many_lines`.)

use crate::problem::Problem;
use crate::repository::{File, Repository};
use crate::source::Source;

/// Code lines of a file: without blanks, comments and the test module at its end. In the code bases we learn from nine
/// files out of ten are shorter.
const FILE_LINES_MAX: usize = 400;

/// Lines of a crate root, documentation included: a charter and a map, no machinery.
const ROOT_LINES_MAX: usize = 150;

/// Files and crate roots that are too long.
pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    repository
        .rust()
        .flat_map(|(file, source)| [file_too_long(file, source), root_too_long(file, source)])
        .flatten()
        .collect()
}

fn file_too_long(file: &File, source: &Source) -> Option<Problem> {
    let lines = source.code_lines();
    (lines > FILE_LINES_MAX).then(|| {
        let what = format!("{lines} code lines, at most {FILE_LINES_MAX} are allowed");
        let remedy =
            "Split it by responsibility: a folder with the file's name, one concept a file";
        Problem::new(&file.path, 1, what, remedy)
    })
}

fn root_too_long(file: &File, source: &Source) -> Option<Problem> {
    let is_root = file.path.ends_with("/src/lib.rs");
    let lines = source.tests_from().map_or(file.text.lines().count(), |line| line - 1);
    (is_root && lines > ROOT_LINES_MAX).then(|| {
        let what = format!("a crate root of {lines} lines, at most {ROOT_LINES_MAX} are allowed");
        Problem::new(&file.path, 1, what, "Keep the charter and the map, move code to a module")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let problems = check(&Repository::of(&[(path, text)]));
        problems.iter().map(ToString::to_string).collect()
    }

    fn code(lines: usize) -> String {
        "//! Many.\n".to_owned() + &"a();\n".repeat(lines)
    }

    #[test]
    fn one_line_too_many_is_found_with_its_count() {
        assert_eq!(found("a/src/b.rs", &code(FILE_LINES_MAX)), [""; 0]);
        let problems = found("a/src/b.rs", &code(FILE_LINES_MAX + 1));
        assert!(problems[0].contains("a/src/b.rs:1: 401 code lines"), "{problems:?}");
    }

    #[test]
    fn files_under_tests_have_the_same_limit() {
        assert_eq!(found("a/tests/b.rs", &code(FILE_LINES_MAX + 1)).len(), 1);
    }

    #[test]
    fn blanks_comments_and_unit_tests_are_free() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    a();\n".repeat(500));
        let text = code(FILE_LINES_MAX) + &"\n// why\n/* why */\n".repeat(300) + &tests;
        assert_eq!(found("a/src/b.rs", &text), [""; 0]);
    }

    #[test]
    fn a_crate_root_is_short_with_its_documentation() {
        let root = "//! Map.\n".repeat(ROOT_LINES_MAX);
        assert_eq!(found("a/src/lib.rs", &root), [""; 0]);
        assert_eq!(found("a/src/lib.rs", &(root.clone() + "mod b;\n")).len(), 1);
        assert_eq!(found("a/src/b.rs", &(root + "fn a() {}\n")), [""; 0]);
    }
}
