//! Rule `unsafe`: every unsafe block, impl and function is in the table of docs/unsafe.md, by file, with their number and the reason.

use std::collections::BTreeMap;

use crate::problem::Problem;
use crate::repository::Repository;
use crate::source::find_word;

/// The inventory.
const TABLE: &str = "docs/unsafe.md";

/// A row of the inventory.
struct Row<'a> {
    line: usize,
    count: &'a str,
    reason: &'a str,
}

/// Files whose number is another one than the table's, rows of files without any, and rows without a reason.
pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let table = repository.files().find(|file| file.path == TABLE);
    let rows = rows(table.map_or("", |file| &file.text));
    let mut problems = Vec::new();
    let mut found = BTreeMap::new();
    for (file, source) in repository.rust() {
        let places: Vec<_> = source
            .lines()
            .flat_map(|(number, line)| find_word(line, "unsafe").map(move |_| number))
            .collect();
        let Some(first) = places.first() else { continue };
        found.insert(file.path.as_str(), places.len());
        let is_listed = rows.get(file.path.as_str());
        if is_listed.is_none_or(|row| row.count.parse() != Ok(places.len())) {
            let what = format!("`unsafe` stands {} times in code here", places.len());
            let remedy = format!(
                "{TABLE} lists {}: look at each of them again, then write the number and the reason there",
                is_listed.map_or("none", |row| row.count)
            );
            problems.push(Problem::new(&file.path, *first, what, remedy));
        }
    }
    for (path, row) in &rows {
        if !found.contains_key(path) {
            let what = format!("{path} has no `unsafe` in its code");
            problems.push(Problem::new(TABLE, row.line, what, "Remove its row"));
        } else if row.reason.split_whitespace().count() < 3 {
            let what = format!("{path} is listed without a reason");
            problems.push(Problem::new(TABLE, row.line, what, "Say why there is no safe way"));
        }
    }
    problems
}

/// `| path | count | reason |`, by path.
fn rows(text: &str) -> BTreeMap<&str, Row<'_>> {
    let mut rows = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let mut cells = line.trim().trim_matches('|').split('|').map(str::trim);
        let (Some(path), Some(count), Some(reason)) = (cells.next(), cells.next(), cells.next())
        else {
            continue;
        };
        let path = path.trim_matches('`');
        if path.ends_with(".rs") {
            rows.insert(path, Row { line: index + 1, count, reason });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "//! Files.\nfn a() {\n    unsafe { b() }\n}\nunsafe fn b() {} // unsafe\n";

    fn found(table: &str) -> Vec<String> {
        let files = [("storage/src/fs/os.rs", CODE), (TABLE, table)];
        check(&Repository::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_inventory_that_is_right_passes() {
        assert_eq!(found("| `storage/src/fs/os.rs` | 2 | mapping needs it |\n"), [""; 0]);
    }

    #[test]
    fn a_file_that_is_not_listed_or_with_another_number_is_found() {
        let missing = found("# Unsafe\n");
        assert!(
            missing[0].starts_with("storage/src/fs/os.rs:3: ") && missing[0].contains("none"),
            "{missing:?}"
        );
        let more = found("| storage/src/fs/os.rs | 1 | mapping needs it |\n");
        assert!(more[0].contains("2 times") && more[0].contains("lists 1"), "{more:?}");
    }

    #[test]
    fn a_row_of_nothing_and_one_without_a_reason_are_found() {
        let table =
            "| `storage/src/fs/os.rs` | 2 | |\n| `model/src/key.rs` | 1 | a long reason |\n";
        let problems = found(table);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("docs/unsafe.md:2: model/src/key.rs"), "{problems:?}");
        assert!(problems[1].contains("docs/unsafe.md:1: "), "{problems:?}");
    }
}
