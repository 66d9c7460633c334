//! A definitions file as spanned TOML: sections, typed access to their keys, and every problem with its line.

use std::ops::Range;

use toml::de::DeValue;

use crate::{Error, limits::PROBLEMS_LISTED_MAX, name::Name, nearest, time};

/// What is wrong with a file, by position.
#[derive(Debug)]
pub(super) struct Problems<'t> {
    file: &'t str,
    text: &'t str,
    found: Vec<(usize, String)>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// Notes that `what` (a dotted key) at byte `offset` is wrong.
    pub(super) fn add(&mut self, offset: usize, what: &str, message: impl std::fmt::Display) {
        self.found.push((offset, format!("{what}: {message}")));
    }

    /// How many there are so far: an object without new ones is good.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// `Ok` without problems; else the first ones in the file's order, each with file and line.
    ///
    /// # Errors
    /// [`Error::Definition`]
    pub(super) fn into_result(mut self) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|(offset, _)| *offset);
        let mut lines: Vec<_> = self
            .found
            .iter()
            .take(PROBLEMS_LISTED_MAX)
            .map(|(offset, message)| format!("{}:{}: {message}", self.file, self.line(*offset)))
            .collect();
        if let Some(more @ 1..) = self.found.len().checked_sub(PROBLEMS_LISTED_MAX) {
            lines.push(format!("{}: and {more} more problems", self.file));
        }
        Err(Error::Definition(lines.join("\n")))
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// A key of a file and its value.
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    /// Where it is: `group.card_profile.features.country`.
    pub(super) path: String,
    /// Its last part.
    pub(super) key: &'a str,
    /// Byte at which the key is written.
    pub(super) offset: usize,
    value: &'a DeValue<'a>,
    value_span: Range<usize>,
}

impl<'a> Item<'a> {
    /// Notes that this key is wrong.
    pub(super) fn refuse(&self, problems: &mut Problems<'_>, message: impl std::fmt::Display) {
        problems.add(self.offset, &self.path, message);
    }

    fn wanted(&self, problems: &mut Problems<'_>, wanted: &str) {
        self.refuse(problems, format!("expected {wanted}, got {}", kind_of(self.value)));
    }

    /// The value as text; `wanted` says what should stand there.
    pub(super) fn text(&self, problems: &mut Problems<'_>, wanted: &str) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wanted(problems, wanted);
        }
        text
    }

    /// The value as true or false.
    pub(super) fn boolean(&self, problems: &mut Problems<'_>) -> Option<bool> {
        self.boolean_or(problems, "true or false")
    }

    /// As [`Item::boolean`], where `wanted` says that something else may stand there too.
    pub(super) fn boolean_or(&self, problems: &mut Problems<'_>, wanted: &str) -> Option<bool> {
        let DeValue::Boolean(value) = self.value else {
            self.wanted(problems, wanted);
            return None;
        };
        Some(*value)
    }

    /// The value as a number; `wanted` says which.
    pub(super) fn number(&self, problems: &mut Problems<'_>, wanted: &str) -> Option<f64> {
        let text = match self.value {
            DeValue::Integer(number) => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => "",
        };
        // Digits may be grouped by underscores.
        let number = text.replace('_', "").parse().ok();
        if number.is_none() {
            self.wanted(problems, wanted);
        }
        number
    }

    /// True when a table stands there.
    pub(super) fn is_table(&self) -> bool {
        self.value.as_table().is_some()
    }

    /// The value as a list of texts; with `or_one`, one text is a list too.
    pub(super) fn texts(
        &self,
        problems: &mut Problems<'_>,
        wanted: &str,
        or_one: bool,
    ) -> Option<Vec<Item<'a>>> {
        let element = |value: &'a DeValue<'a>, span: Range<usize>| Item {
            path: self.path.clone(),
            key: self.key,
            offset: span.start,
            value,
            value_span: span,
        };
        if or_one && self.value.is_str() {
            return Some(vec![element(self.value, self.value_span.clone())]);
        }
        let Some(array) = self.value.as_array() else {
            self.wanted(problems, wanted);
            return None;
        };
        let items: Vec<_> = array.iter().map(|item| element(item.get_ref(), item.span())).collect();
        for item in items.iter().filter(|item| !item.value.is_str()) {
            item.wanted(problems, wanted);
        }
        items.iter().all(|item| item.value.is_str()).then_some(items)
    }

    /// The text of an element of [`Item::texts`].
    pub(super) fn as_text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    /// The value as a span of time, in ms.
    pub(super) fn span_ms(&self, problems: &mut Problems<'_>) -> Option<i64> {
        let text = self.text(problems, "a duration such as \"5m\"")?;
        time::parse_span(text).map_err(|error| self.refuse(problems, error)).ok()
    }

    /// The value as a table.
    pub(super) fn section(&self, problems: &mut Problems<'_>) -> Option<Section<'a>> {
        let Some(table) = self.value.as_table() else {
            self.wanted(problems, "a table");
            return None;
        };
        Some(Section::new(self.path.clone(), self.key, self.offset, table))
    }

    /// The key as a name.
    pub(super) fn name(&self, problems: &mut Problems<'_>) -> Option<Name> {
        Name::new(self.key).map_err(|error| self.refuse(problems, error)).ok()
    }
}

fn kind_of(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {text:?}"),
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A table of a file.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// Where it is: `group.card_profile`.
    pub(super) path: String,
    /// Its last part.
    pub(super) key: &'a str,
    /// Byte at which its key is written.
    pub(super) offset: usize,
    /// Its keys in the file's order.
    pub(super) items: Vec<Item<'a>>,
}

impl<'a> Section<'a> {
    /// The file's top level.
    pub(super) fn root(table: &'a toml::de::DeTable<'a>) -> Self {
        Self::new(String::new(), "", 0, table)
    }

    fn new(path: String, key: &'a str, offset: usize, table: &'a toml::de::DeTable<'a>) -> Self {
        let full =
            |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let mut items: Vec<_> = table
            .iter()
            .map(|(key, value)| Item {
                path: full(key.get_ref()),
                key: key.get_ref(),
                offset: key.span().start,
                value: value.get_ref(),
                value_span: value.span(),
            })
            .collect();
        // The parser's map is sorted by key; the order of a file is the user's.
        items.sort_by_key(|item| item.offset);
        Self { path, key, offset, items }
    }

    /// Notes every key that is not one of `allowed`, with its own reason when it is one of `misplaced`.
    pub(super) fn check_keys(
        &self,
        problems: &mut Problems<'_>,
        allowed: &[&str],
        misplaced: &[(&str, &str)],
    ) {
        for item in self.items.iter().filter(|item| !allowed.contains(&item.key)) {
            if let Some((_, why)) = misplaced.iter().find(|(key, _)| *key == item.key) {
                item.refuse(problems, why);
                continue;
            }
            let hint = nearest::hint(item.key, allowed.iter().copied());
            item.refuse(problems, format!("unknown key{hint}; allowed are {}", allowed.join(", ")));
        }
    }

    /// Notes that this table is wrong.
    pub(super) fn refuse(&self, problems: &mut Problems<'_>, message: impl std::fmt::Display) {
        problems.add(self.offset, &self.path, message);
    }

    /// The item called `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Item<'a>> {
        self.items.iter().find(|item| item.key == key)
    }

    /// The item called `key`, which must be there; `wanted` says what it is.
    pub(super) fn require(
        &self,
        problems: &mut Problems<'_>,
        key: &str,
        wanted: &str,
    ) -> Option<&Item<'a>> {
        let item = self.get(key);
        if item.is_none() {
            self.refuse(problems, format!("{key} is missing: {wanted}"));
        }
        item
    }

    /// The span of time called `key`; absent is `Some(None)`.
    pub(super) fn span_ms(&self, problems: &mut Problems<'_>, key: &str) -> Option<Option<i64>> {
        match self.get(key) {
            None => Some(None),
            Some(item) => item.span_ms(problems).map(Some),
        }
    }

    /// The table called `key`, empty when absent.
    pub(super) fn table(&self, problems: &mut Problems<'_>, key: &str) -> Vec<Item<'a>> {
        let section = self.get(key).and_then(|item| item.section(problems));
        section.map_or(Vec::new(), |section| section.items)
    }
}
