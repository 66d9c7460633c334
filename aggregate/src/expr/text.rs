//! Functions of strings: patterns of `like`.

use model::expr::Function;

use super::DomainError;

/// `text like pattern`: `%` stands for any characters, `_` for one, `\` takes the next character as it is.
///
/// Greedy, with one place to come back to, after the last `%`: what an earlier `%` took never needs to change, since the
/// last one can take the rest. No recursion; at worst every place of the text is tried against what follows that `%`.
pub(super) fn like(text: &str, pattern: &str, ignores_case: bool) -> Result<bool, DomainError> {
    if Function::ends_in_escape(pattern) {
        return Err(DomainError::Escape);
    }
    let is_same = |a: char, b: char| a == b || (ignores_case && a.eq_ignore_ascii_case(&b));
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    // The pattern after the last `%`, and the text from where it was tried last.
    let mut last = None;
    loop {
        let is_match = match pattern.next() {
            Some('%') if pattern.as_str().is_empty() => return Ok(true),
            Some('%') => {
                last = Some((pattern.clone(), text.clone()));
                continue;
            }
            None if text.as_str().is_empty() => return Ok(true),
            None => false,
            Some(wanted) => {
                let literal = if wanted == '\\' { pattern.next() } else { None };
                // Coming back would leave even less text.
                let Some(given) = text.next() else { return Ok(false) };
                match literal {
                    Some(literal) => is_same(given, literal),
                    None => wanted == '_' || is_same(given, wanted),
                }
            }
        };
        if is_match {
            continue;
        }
        let Some((after, from)) = &mut last else { return Ok(false) };
        if from.next().is_none() {
            return Ok(false);
        }
        (text, pattern) = (from.clone(), after.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word by word.
    fn matches(text: &[char], pattern: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', rest @ ..] => (0..=text.len()).any(|taken| matches(&text[taken..], rest)),
            ['\\', literal, rest @ ..] => {
                text.first() == Some(literal) && matches(&text[1..], rest)
            }
            ['_', rest @ ..] => !text.is_empty() && matches(&text[1..], rest),
            [literal, rest @ ..] => text.first() == Some(literal) && matches(&text[1..], rest),
        }
    }

    #[test]
    fn short_patterns_match_what_the_definition_says() {
        let alphabet = ['a', 'é', '%', '_', '\\'];
        let seed = 11;
        let mut random = stdx::prng::Prng::new(seed);
        let mut draw = |most: u64| -> Vec<char> {
            let length = random.below(most);
            let mut letter = || usize::try_from(random.below(5)).map(|index| alphabet[index]);
            (0..length).map(|_| letter().expect("below 5")).collect()
        };
        let mut matched = 0;
        for _ in 0..200_000 {
            let (text, pattern) = (draw(7), draw(8));
            let strings = (text.iter().collect::<String>(), pattern.iter().collect::<String>());
            let found = like(&strings.0, &strings.1, false);
            let escaped = pattern.iter().rev().take_while(|c| **c == '\\').count() % 2 == 1;
            let expected =
                if escaped { Err(DomainError::Escape) } else { Ok(matches(&text, &pattern)) };
            assert_eq!(found, expected, "seed {seed}: {strings:?}");
            matched += usize::from(found == Ok(true));
        }
        assert!(matched > 10_000, "{matched}");
    }

    #[test]
    fn case_is_ignored_in_ascii_alone() {
        assert_eq!(like("ABc", "aB_", true), Ok(true));
        assert_eq!(like("ABc", "aB_", false), Ok(false));
        assert_eq!(like("É", "é", true), Ok(false));
        assert_eq!(like("a%B", r"A\%b", true), Ok(true));
    }

    #[test]
    fn many_wildcards_do_not_multiply() {
        let text = "a".repeat(20_000);
        let pattern = "%a".repeat(500) + "%b";
        assert_eq!(like(&text, &pattern, false), Ok(false));
    }
}
