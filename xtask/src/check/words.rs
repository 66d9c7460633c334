//! Rule `words`: one word, one meaning, in code, comments and documents.

use crate::problem::Problem;
use crate::repository::Repository;

/// A word that misleads, and what to say instead.
struct Misleading {
    /// In lower case, with spaces between its parts.
    word: &'static str,
    /// Files that may use it, because they explain the trap.
    allowed: &'static [&'static str],
    remedy: &'static str,
}

const TABLE: &[Misleading] = &[Misleading {
    // Feast calls a stored group of features so, Hopsworks what a model reads.
    word: "feature view",
    allowed: &["docs/glossary.md", "xtask/src/check/words.rs"],
    remedy: "Say feature group for what is stored, feature service for what a model reads",
}];

/// Misleading words, however their parts are joined.
pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in repository.files() {
        for (index, line) in file.text.lines().enumerate() {
            let line = line.to_lowercase().replace(['_', '-'], " ");
            for misleading in TABLE {
                let joined = misleading.word.replace(' ', "");
                let said = line.contains(misleading.word) || line.contains(&joined);
                if said && !misleading.allowed.contains(&file.path.as_str()) {
                    let what = format!(
                        "\"{}\" means opposite things to different readers",
                        misleading.word
                    );
                    problems.push(Problem::new(&file.path, index + 1, what, misleading.remedy));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trap_is_found_in_every_spelling() {
        for text in ["Feature view", "feature_view", "FeatureView", "feature-views"] {
            let problems =
                check(&Repository::of(&[("docs/a.md", &format!("Intro\nThe {text}\n"))]));
            assert_eq!(problems.len(), 1, "{text}");
            assert_eq!(problems[0].line, 2, "{text}");
        }
    }

    #[test]
    fn who_explains_the_trap_may_name_it() {
        let text = "Never say feature view.\n";
        assert_eq!(check(&Repository::of(&[("docs/glossary.md", text)])), []);
    }

    #[test]
    fn the_words_on_their_own_are_fine() {
        let text = "a view of features, a feature vector\n";
        assert_eq!(check(&Repository::of(&[("docs/a.md", text)])), []);
    }
}
