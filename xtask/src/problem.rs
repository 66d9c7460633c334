//! One violation of a rule: where it is, what it is, and what to do about it.

use std::fmt;

/// Prints as `file:line: what. remedy`, which editors and terminals turn into a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Path from the root of the repository, with `/` between its parts.
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// What was found, with names and numbers.
    pub(crate) what: String,
    /// What to do instead.
    pub(crate) remedy: String,
}

impl Problem {
    /// A problem at line `line` (from 1) of `path`.
    pub(crate) fn new(
        path: &str,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}. {}", self.path, self.line, self.what, self.remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_file_line_finding_and_remedy() {
        let problem = Problem::new("stdx/src/lib.rs", 7, "a heap of tabs", "Use spaces");
        assert_eq!(problem.to_string(), "stdx/src/lib.rs:7: a heap of tabs. Use spaces");
    }
}
