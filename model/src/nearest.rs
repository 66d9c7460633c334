//! The name somebody probably meant: hints in error messages.

/// The candidate that differs from `name` by the fewest edits, when that is few enough to be a slip of the hand.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = ((name.chars().count() + 1) / 3).min(3);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean x?)`, or nothing.
#[must_use]
pub fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or(String::new(), |found| format!(" (did you mean {found}?)"))
}

/// How many names a message lists before it says how many more there are.
const LISTED_MAX: usize = 24;

/// Names joined by commas, the first [`LISTED_MAX`] of them.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let shown = names.get(..LISTED_MAX).unwrap_or(&names).join(", ");
    match names.len().saturating_sub(LISTED_MAX) {
        0 if names.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Levenshtein's edit distance: insertions, deletions and replacements of characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *above;
            left = replaced.min(left + 1).min(diagonal + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_name_and_strangers_do_not() {
        let names = ["amount", "merchant", "event_time"];
        assert_eq!(nearest("amuont", names), Some("amount"));
        assert_eq!(nearest("event_tme", names), Some("event_time"));
        assert_eq!(nearest("card", names), None);
        assert_eq!([distance("", "abc"), distance("kitten", "sitting")], [3, 3]);
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list([]), "none");
        assert_eq!(list(["a", "b"]), "a, b");
        assert!(list(std::iter::repeat_n("x", 30)).ends_with("x and 6 more"));
    }
}
