//! Rust source as the rules see it: comments gone, the insides of strings masked, line numbers kept.
//!
//! A small scanner rather than a parser: the rules ask about lines and words only, and it has to cope with files that do
//! not compile yet.

/// The lines of one Rust file, without its comments and with every character inside a string replaced by `_`.
#[derive(Debug)]
pub(crate) struct Source {
    lines: Vec<String>,
    tests_from: Option<usize>,
}

impl Source {
    /// Scans the text of a file.
    pub(crate) fn scan(text: &str) -> Self {
        let lines: Vec<String> =
            mask(text).lines().map(|line| line.trim_end().to_owned()).collect();
        let tests_from = trailing_tests(&lines);
        Self { lines, tests_from }
    }

    /// Lines with their numbers, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
    }

    /// Number of the line where the `#[cfg(test)] mod tests { … }` at the end of the file begins, if it ends with one.
    pub(crate) fn tests_from(&self) -> Option<usize> {
        self.tests_from.map(|index| index + 1)
    }

    /// Lines that hold code: not blank, not comment, not in the test module at the end.
    pub(crate) fn code_lines(&self) -> usize {
        let end = self.tests_from.unwrap_or(self.lines.len());
        self.lines[..end].iter().filter(|line| !line.trim().is_empty()).count()
    }
}

/// Every place where `word` stands in `line` as a whole identifier: what precedes it and what follows.
pub(crate) fn find_word<'a>(
    line: &'a str,
    word: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .map(|(at, found)| (&line[..at], &line[at + found.len()..]))
        .filter(move |(before, after)| !before.ends_with(is_name) && !after.starts_with(is_name))
}

/// The text with comments removed and string contents masked; line breaks stay where they are.
fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_name = false;
    while let Some(next) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            let length = block_comment(rest);
            masked.extend(rest[..length].chars().filter(|c| *c == '\n'));
            length
        } else if let Some((open, length)) = string(rest, in_name) {
            masked.push_str(&rest[..open]);
            masked.extend(
                rest[open..length].chars().map(|c| if c.is_whitespace() { c } else { '_' }),
            );
            length
        } else {
            masked.push(next);
            next.len_utf8()
        };
        in_name = taken == next.len_utf8() && (next.is_alphanumeric() || next == '_');
        rest = &rest[taken..];
    }
    masked
}

/// Length of the block comment that `rest` begins with; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// If `rest` begins with a string, raw string or character: where its contents begin, and its length.
/// `in_name` says that the character before belongs to a name, as in `for"`, where no prefix can begin.
fn string(rest: &str, in_name: bool) -> Option<(usize, usize)> {
    if rest.starts_with('"') {
        return Some((1, escaped(rest, 1, '"')));
    }
    if let Some(inner) = rest.strip_prefix('\'') {
        let mut characters = inner.chars();
        let first = characters.next()?;
        // A lifetime has no closing quote after its first character.
        let is_character = first == '\\' || characters.next() == Some('\'');
        return is_character.then(|| (1, escaped(rest, 1, '\'')));
    }
    if in_name {
        return None;
    }
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix)
            .is_some_and(|after| after.trim_start_matches('#').starts_with('"'))
    })?;
    let hashes = rest[prefix.len()..].bytes().take_while(|byte| *byte == b'#').count();
    let open = prefix.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    Some((open, rest[open..].find(&close).map_or(rest.len(), |at| open + at + close.len())))
}

/// Length of the literal that ends with the first `close` at or after `from` that no backslash escapes.
fn escaped(rest: &str, from: usize, close: char) -> usize {
    let mut after_backslash = false;
    for (at, c) in rest[from..].char_indices() {
        if !after_backslash && c == close {
            return from + at + c.len_utf8();
        }
        after_backslash = !after_backslash && c == '\\';
    }
    rest.len()
}

/// Index of the first line of the test module with which the file ends, its attributes included.
///
/// Relies on rustfmt: an item at the top level opens and closes in the first column.
fn trailing_tests(lines: &[String]) -> Option<usize> {
    let close = lines.iter().rposition(|line| !line.is_empty())?;
    let open = lines.iter().rposition(|line| line.starts_with("mod ") && line.ends_with('{'))?;
    let ends_the_file =
        lines[open..].iter().position(|line| line.starts_with('}'))? + open == close;
    let attributes = lines[..open].iter().rev().take_while(|line| line.starts_with("#[")).count();
    let start = open - attributes;
    let is_test =
        |line: &String| line.starts_with("#[cfg(") && find_word(line, "test").next().is_some();
    (ends_the_file && lines[start..open].iter().any(is_test)).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> Vec<String> {
        Source::scan(text).lines().map(|(_, line)| line.to_owned()).collect()
    }

    #[test]
    fn comments_disappear_and_lines_stay() {
        let text = "//! doc\nlet a = 1; // why\n/* one\n /* nested */ two */ let b = 2;\n";
        assert_eq!(masked(text), ["", "let a = 1;", "", " let b = 2;"]);
    }

    #[test]
    fn what_stands_in_a_string_is_masked() {
        let text = r#"call("// not \" a comment", x);"#;
        assert_eq!(masked(text), ["call(\"__ ___ __ _ ________, x);"]);
        assert_eq!(masked("let s = r#\"a \" b\"#;"), ["let s = r#\"_ _ ___;"]);
        assert_eq!(masked("let s = b\"x\ny\";"), ["let s = b\"_", "__;"]);
    }

    #[test]
    fn characters_are_not_lifetimes() {
        assert_eq!(masked("f::<'a>('\"', '\\'', 'x'); // c"), ["f::<'a>('__, '___, '__);"]);
    }

    #[test]
    fn words_are_found_whole_only() {
        assert_eq!(find_word("unsafe_code, unsafely, _unsafe", "unsafe").count(), 0);
        let found: Vec<_> = find_word("let x = unsafe { y };", "unsafe").collect();
        assert_eq!(found, [("let x = ", " { y };")]);
    }

    #[test]
    fn blanks_comments_and_the_tests_at_the_end_are_no_code() {
        let text =
            "//! doc\n\nfn a() {\n    b();\n}\n\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";
        let source = Source::scan(text);
        assert_eq!(source.code_lines(), 3);
        assert_eq!(source.tests_from(), Some(7));
    }

    #[test]
    fn a_test_module_in_the_middle_counts_as_code() {
        let text = "#[cfg(test)]\nmod tests {\n}\nfn a() {\n}\n";
        let source = Source::scan(text);
        assert_eq!(source.code_lines(), 5);
        assert_eq!(source.tests_from(), None);
    }

    #[test]
    fn a_module_that_is_not_for_tests_counts_as_code() {
        assert_eq!(Source::scan("mod sys {\n    fn a() {}\n}\n").code_lines(), 3);
    }

    #[test]
    fn tests_of_one_configuration_are_tests() {
        let text = "fn a() {}\n#[cfg(all(test, not(loom)))]\nmod tests {\n}\n";
        assert_eq!(Source::scan(text).code_lines(), 1);
    }

    #[test]
    fn an_unfinished_file_is_scanned_to_its_end() {
        for text in ["\"open", "/* open", "r#\"open", "'", "'\\", "br"] {
            let _ = Source::scan(text).code_lines();
        }
    }
}
