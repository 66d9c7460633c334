//! `log_reads` of a service: the part of the vectors that is kept, and perhaps how much of it.

use super::{
    Reader,
    document::{Item, Section},
};
use crate::definition::{History, ReadLog};

const WANTED: &str = "a part from 0 to 1, such as 0.001 for one vector of a thousand, \
                      or a table such as { rate = 0.001, age = \"30d\", size = \"1GiB\" }";

impl Reader<'_> {
    /// Absent and 0 are the same.
    pub(super) fn read_log(&mut self, section: &Section<'_>) -> Option<ReadLog> {
        let item = section.get("log_reads")?;
        if !item.is_table() {
            return self.sampled(item, History::default());
        }
        let table = item.section(&mut self.problems)?;
        table.check_keys(&mut self.problems, &["rate", "age", "size"], &[]);
        let kept = self.limits(&table);
        let rate = table.require(&mut self.problems, "rate", "the part of the vectors kept")?;
        self.sampled(rate, kept)
    }

    fn sampled(&mut self, item: &Item<'_>, mut kept: History) -> Option<ReadLog> {
        let rate = item.number(&mut self.problems, WANTED)?;
        if !(0.0..=1.0).contains(&rate) {
            item.refuse(&mut self.problems, format!("expected {WANTED}, got {rate}"));
            return None;
        }
        if kept == History::default() {
            kept.bytes = Some(ReadLog::BYTES_DEFAULT);
        }
        (rate > 0.0).then_some(ReadLog { rate, kept })
    }
}
