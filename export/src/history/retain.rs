//! Which files go: those that are too old, and the oldest where there is too much.

use super::HistoryWriter;
use super::manifest::SourceHistory;
use super::source::HistorySource;
use crate::Error;

impl HistoryWriter {
    /// Drops files that have become too old at `wall_ms`, also when nothing new was written; open files stay open.
    ///
    /// # Errors
    /// [`Error::Io`]: the writer is to be opened anew.
    pub fn drop_old(&mut self, wall_ms: i64) -> Result<(), Error> {
        // The oldest of each alone says whether there is anything to do: this is asked ten times a second.
        let is_old = |(source, history): (&HistorySource, &SourceHistory)| {
            let oldest = self.oldest_ms(source, history, wall_ms);
            history.files.first().is_some_and(|file| Some(file.last_at_ms) < oldest)
        };
        if !self.manifest.sources.iter().any(is_old) {
            return Ok(());
        }
        let dropped = self.retire(wall_ms);
        self.write_manifest()?;
        self.remove(&dropped)
    }

    /// What was accepted before this time, in ms, is too old; `None`: nothing is.
    fn oldest_ms(
        &self,
        source: &HistorySource,
        history: &SourceHistory,
        wall_ms: i64,
    ) -> Option<i64> {
        let age_ms = history.limits.age_ms?;
        // Age is a matter of the clock that arrivals were read from.
        let now = if source.is_on_event_clock(&self.definitions) {
            history.files.iter().map(|file| file.last_at_ms).max().unwrap_or(wall_ms)
        } else {
            wall_ms
        };
        Some(now.saturating_sub(age_ms))
    }

    /// Takes files that are too old or too many out of the manifest; their paths.
    pub(super) fn retire(&mut self, wall_ms: i64) -> Vec<String> {
        let mut counts = Vec::new();
        for (source, history) in &self.manifest.sources {
            let oldest = self.oldest_ms(source, history, wall_ms);
            let mut bytes: u64 = history.files.iter().map(|file| file.bytes).sum();
            let last = history.files.len().saturating_sub(1);
            let mut count = 0;
            for (index, file) in history.files.iter().enumerate() {
                let is_old = oldest.is_some_and(|oldest| file.last_at_ms < oldest);
                // One file is kept, however small the limit.
                let is_much = index < last && history.limits.bytes.is_some_and(|max| bytes > max);
                if !is_old && !is_much {
                    break;
                }
                bytes -= file.bytes;
                count = index + 1;
            }
            counts.push(count);
        }
        let mut dropped = Vec::new();
        for (history, count) in self.manifest.sources.values_mut().zip(counts) {
            for file in history.files.drain(..count) {
                history.dropped_to = history.dropped_to.max(file.last_lsn);
                dropped.push(file.path);
            }
        }
        dropped
    }
}
