//! `history` of a stream or row group: true, or how much is kept.

use super::{
    Reader,
    document::{Item, Section},
};
use crate::{definition::History, size};

/// Less than this is one file.
const BYTES_MIN: u64 = 1 << 20;

impl Reader<'_> {
    pub(super) fn history(&mut self, section: &Section<'_>) -> Option<History> {
        let item = section.get("history")?;
        if !item.is_table() {
            let wanted = "true, false or a table such as { age = \"400d\", size = \"50GiB\" }";
            return item.boolean_or(&mut self.problems, wanted)?.then(History::default);
        }
        let limits = item.section(&mut self.problems)?;
        limits.check_keys(&mut self.problems, &["age", "size"], &[]);
        Some(self.limits(&limits))
    }

    /// `age` and `size` of a table.
    pub(super) fn limits(&mut self, limits: &Section<'_>) -> History {
        let age_ms = limits.span_ms(&mut self.problems, "age").flatten();
        let bytes = limits.get("size").and_then(|item| self.history_bytes(item));
        History { age_ms, bytes }
    }

    fn history_bytes(&mut self, item: &Item<'_>) -> Option<u64> {
        let text = item.text(&mut self.problems, "a size such as \"50GiB\"")?;
        match size::parse(text) {
            Ok(bytes) if bytes >= BYTES_MIN => return Some(bytes),
            Ok(bytes) => {
                let least = size::format(BYTES_MIN);
                item.refuse(
                    &mut self.problems,
                    format!("{bytes} bytes are too little: give {least} or more"),
                );
            }
            Err(error) => item.refuse(&mut self.problems, error),
        }
        None
    }
}
