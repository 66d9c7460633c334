//! `benches/instructions.toml`: how many instructions each path needed when they were last recorded, and how much more is allowed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Where it lies.
pub(super) const PATH: &str = "benches/instructions.toml";
/// What the file says of itself, before its figures.
const HEAD: &str = "\
# Instructions of one request on each of the six hottest paths of the engine, counted by callgrind in the release profile linked as
# one unit of code. What they are: benches/examples/hot.rs. `cargo xtask bench --instructions` counts again and fails above
# figure + allowance; `--record` writes this file anew. A change that needs more on purpose records it and says why.
";

/// What is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// In percent of the figure.
    pub(super) allowed_above: u64,
    /// Path and instructions, in the order of the file.
    pub(super) figures: Vec<(String, u64)>,
}

impl Bounds {
    /// Reads the file of the repository at `root`.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Check`] when it makes no sense.
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        let path = file(root);
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Io { path, source })?;
        Self::parse(&text).ok_or_else(|| {
            let expected = "`allowed_above_percent = N` and a table [instructions] of path = N";
            Error::Check(format!("{PATH} does not hold {expected}"))
        })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    #[expect(clippy::disallowed_methods, reason = "a file of the repository, none of a database")]
    pub(super) fn write(&self, root: &Path) -> Result<(), Error> {
        let path = file(root);
        std::fs::write(&path, self.text()).map_err(|source| Error::Io { path, source })
    }

    fn parse(text: &str) -> Option<Self> {
        let table: toml::Table = text.parse().ok()?;
        let number = |value: &toml::Value| u64::try_from(value.as_integer()?).ok();
        let figures = table.get("instructions")?.as_table()?.iter();
        let figures = figures.map(|(path, value)| Some((path.clone(), number(value)?)));
        Some(Self {
            allowed_above: number(table.get("allowed_above_percent")?)?,
            figures: figures.collect::<Option<_>>()?,
        })
    }

    fn text(&self) -> String {
        let allowed = self.allowed_above;
        let mut text = format!("{HEAD}allowed_above_percent = {allowed}\n\n[instructions]\n");
        for (path, figure) in &self.figures {
            let _ = writeln!(text, "{path} = {}", grouped(*figure));
        }
        text
    }
}

fn file(root: &Path) -> PathBuf {
    root.join(PATH)
}

/// As TOML takes it: `12_345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let figures = vec![("a-path".to_owned(), 1_234_567), ("b".to_owned(), 99)];
        let bounds = Bounds { allowed_above: 10, figures };
        let text = bounds.text();
        assert!(text.contains("a-path = 1_234_567\n"), "{text}");
        assert_eq!(Bounds::parse(&text), Some(bounds));
        assert_eq!(Bounds::parse("[instructions]\na = -1\n"), None);
    }

    #[test]
    fn the_file_of_the_repository_makes_sense() {
        let root = crate::repository::root().expect("run by cargo");
        let bounds = Bounds::read(&root).expect("it is there");
        assert_eq!(bounds.figures.len(), 6, "the six hottest");
        let written = std::fs::read_to_string(file(&root)).expect("it is there");
        assert_eq!(written, bounds.text(), "as --record writes it");
    }
}
