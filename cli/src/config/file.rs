//! A configuration file: TOML, one key for each option of `larder serve`, no tables.

use model::nearest::hint;
use toml::de::{DeTable, DeValue};

use super::options;

/// A key of the file and its values, one unless it is a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) values: Vec<String>,
}

/// Reads `text`, called `file` in messages. What is wrong is added to `problems`, all of it.
pub(super) fn read(file: &str, text: &str, problems: &mut Vec<String>) -> Vec<Setting> {
    let line = |offset: usize| {
        1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
    };
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let line = error.span().map_or(1, |span| line(span.start));
            problems.push(format!("{file}:{line}: {}", error.message()));
            return Vec::new();
        }
    };
    let known = options::keys();
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut settings = Vec::new();
    for (key, value) in entries {
        let (name, line) = (key.get_ref().as_ref(), line(key.span().start));
        let mut refuse = |what: String| problems.push(format!("{file}:{line}: {name}: {what}"));
        if !known.iter().any(|known| known == name) {
            let hint = hint(name, known.iter().map(String::as_str));
            refuse(format!("there is no such option of larder serve{hint}"));
            continue;
        }
        let Some(values) = values(value.get_ref()) else {
            refuse("expected a string, a number, true, false or a list of them".to_owned());
            continue;
        };
        match options::refuse(name, &values) {
            Some(what) => refuse(what),
            None => settings.push(Setting { key: name.to_owned(), line, values }),
        }
    }
    settings
}

/// Values as the command line has them.
fn values(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| scalar(item.get_ref())).collect(),
        other => Some(vec![scalar(other)?]),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.as_ref().to_owned()),
        // Digits may be grouped by underscores.
        DeValue::Integer(number) => Some(number.as_str().replace('_', "")),
        DeValue::Float(number) => Some(number.as_str().replace('_', "")),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> (Vec<Setting>, Vec<String>) {
        let mut problems = Vec::new();
        (read("larder.toml", text, &mut problems), problems)
    }

    #[test]
    fn values_are_written_as_on_the_command_line() {
        let text = "threads = 4\n# more\nmax_memory = \"2GiB\"\naudit_reads = 0.5\n";
        let (settings, problems) = read_all(text);
        assert_eq!(problems, [""; 0]);
        let setting = |key: &str, line, value: &str| Setting {
            key: key.to_owned(),
            line,
            values: vec![value.to_owned()],
        };
        assert_eq!(
            settings,
            [
                setting("threads", 1, "4"),
                setting("max_memory", 3, "2GiB"),
                setting("audit_reads", 4, "0.5")
            ]
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_line() {
        let text = "thread = 4\n\nthreads = 0\nmax_memory = \"lots\"\nlisten = [1]\n[audit]\nx = 1\ndata = 1979-05-27\n";
        let (settings, problems) = read_all(text);
        assert_eq!(settings, []);
        let expected = [
            ("larder.toml:1: thread: ", "did you mean threads?"),
            ("larder.toml:3: threads: ", "1..=1024"),
            ("larder.toml:4: max_memory: ", "lots"),
            ("larder.toml:5: listen: ", "invalid"),
            ("larder.toml:6: audit: ", "expected a string"),
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, (start, what)) in problems.iter().zip(expected) {
            assert!(problem.starts_with(start) && problem.contains(what), "{problem}");
        }
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        let (_, problems) = read_all("threads = 4\nlisten = \n");
        assert!(problems[0].starts_with("larder.toml:2: "), "{problems:?}");
    }

    #[test]
    fn the_file_cannot_name_another_file() {
        let (_, problems) = read_all("config = \"other.toml\"\nhelp = true\n");
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
