//! Rule `confined`: a few words of code stand only in the files that are named here.

use crate::problem::Problem;
use crate::repository::Repository;
use crate::source::find_word;

/// A word and the only files whose code may contain it.
struct Confined {
    word: &'static str,
    files: &'static [&'static str],
    remedy: &'static str,
}

const TABLE: &[Confined] = &[
    Confined {
        word: "unsafe",
        files: &[
            "storage/src/fs/os.rs",
            "aggregate/tests/expression_allocates_nothing.rs",
            "tests/src/power.rs",
            "engine/tests/allocator/mod.rs",
        ],
        remedy: "Find a safe way; if there is none, name the file in xtask/src/check/confined.rs and prove each block",
    },
    Confined {
        // Unmaintained: deny.toml says why it is there at all.
        word: "bincode",
        files: &["engine/src/catalog/codec.rs"],
        remedy: "Lay the bytes out by hand with stdx::cursor, documented in docs/formats",
    },
];

/// Confined words elsewhere, and permissions that nobody uses any more.
pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    TABLE.iter().flat_map(|confined| check_word(repository, confined)).collect()
}

fn check_word(repository: &Repository, confined: &Confined) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (file, source) in repository.rust() {
        let hits: Vec<usize> = source
            .lines()
            .filter(|(_, line)| find_word(line, confined.word).next().is_some())
            .map(|(number, _)| number)
            .collect();
        if !confined.files.contains(&file.path.as_str()) {
            let what = format!("`{}` outside {}", confined.word, confined.files.join(", "));
            problems.extend(
                hits.iter().map(|line| Problem::new(&file.path, *line, &what, confined.remedy)),
            );
        } else if hits.is_empty() {
            let what = format!("the file may use `{}` and does not", confined.word);
            let remedy = "Take it off the list in xtask/src/check/confined.rs";
            problems.push(Problem::new(&file.path, 1, what, remedy));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Repository::of(&[(path, text)])).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn a_confined_word_is_found_where_it_stands() {
        let text = "//! Bytes.\nfn a() {}\nunsafe fn b() {}\n";
        assert_eq!(lines("storage/src/wal/batch.rs", text), [3]);
        assert_eq!(lines("engine/src/apply.rs", "//! A.\nuse bincode::encode_to_vec;\n"), [2]);
    }

    #[test]
    fn a_named_file_may_use_its_word_and_no_other() {
        let text = "//! Files.\nunsafe fn b() {}\n";
        assert_eq!(lines("storage/src/fs/os.rs", text), [0; 0]);
        assert_eq!(lines("engine/src/catalog/codec.rs", text), [2, 1]);
    }

    #[test]
    fn a_permission_that_is_not_used_is_taken_back() {
        assert_eq!(lines("storage/src/fs/os.rs", "//! Files, safely.\nfn a() {}\n"), [1]);
    }

    #[test]
    fn comments_strings_and_longer_names_do_not_count() {
        let text =
            "//! No unsafe here.\n#[expect(unsafe_code)]\nfn a() { b(\"unsafe\") } // unsafe\n";
        assert_eq!(lines("model/src/key.rs", text), [0; 0]);
    }
}
