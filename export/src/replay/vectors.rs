//! What a replay gives: the rows of its spine, in their order, each with its vector.

use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use engine::replay::ReplayPlan;

use super::{BATCH_ROWS, ReplayCounts, Replayed, output::Output, spine::Spine};
use crate::{Error, file::TableReader};

/// The rows of a spine with their vectors, batch by batch.
pub struct Vectors<'p> {
    plan: &'p ReplayPlan,
    spine: Spine,
    output: Output,
    replayed: Replayed<'p>,
    /// The spine once more, and what it is called in messages.
    batches: Rebatched,
    name: PathBuf,
    next: usize,
    incomplete: u64,
}

impl<'p> Vectors<'p> {
    pub(super) fn new(
        plan: &'p ReplayPlan,
        replayed: Replayed<'p>,
        (spine, output): (Spine, Output),
        (name, reader): (PathBuf, TableReader),
    ) -> Self {
        let batches = Rebatched::new(reader);
        Self { plan, spine, output, replayed, batches, name, next: 0, incomplete: 0 }
    }

    /// Columns of the batches: the spine's, then features, then `history_incomplete`.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.output.schema()
    }

    /// Rows of all batches.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.replayed.rows() as u64
    }

    /// Of each stream, what became of its events.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, ReplayCounts)> {
        let name =
            |index| self.plan.stream(index).map_or_else(|_| String::new(), |s| s.name.to_string());
        self.replayed.counts.iter().map(|(index, counts)| (name(*index), *counts)).collect()
    }

    /// Rows so far whose windows reach back before there were events.
    #[must_use]
    pub fn incomplete(&self) -> u64 {
        self.incomplete
    }

    /// Bytes that did not fit into memory.
    #[must_use]
    pub fn spilled(&self) -> u64 {
        self.replayed.spilled
    }

    fn batch(&mut self, batch: usize) -> Result<RecordBatch, Error> {
        let rows = self.batches.next(BATCH_ROWS)?;
        let place = (self.name.as_path(), batch * BATCH_ROWS);
        let (bytes, ends) = self.spine.requests(self.plan, place, &rows)?;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let requests: Vec<&[u8]> =
            starts.zip(&ends).filter_map(|(start, end)| bytes.get(start..*end)).collect();
        let (columns, incomplete) = self.replayed.batch(batch, &requests)?;
        self.incomplete += incomplete.iter().filter(|incomplete| **incomplete).count() as u64;
        self.output.batch(&rows, &columns, incomplete)
    }
}

impl Iterator for Vectors<'_> {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next;
        self.next += 1;
        (batch < self.replayed.batches()).then(|| self.batch(batch))
    }
}

/// Batches of another size.
struct Rebatched {
    reader: TableReader,
    waiting: Vec<RecordBatch>,
}

impl Rebatched {
    fn new(reader: TableReader) -> Self {
        Self { reader, waiting: Vec::new() }
    }

    /// The next `rows` rows, fewer at the end.
    fn next(&mut self, rows: usize) -> Result<RecordBatch, Error> {
        let count =
            |waiting: &[RecordBatch]| waiting.iter().map(RecordBatch::num_rows).sum::<usize>();
        while count(&self.waiting) < rows {
            match self.reader.next() {
                Some(batch) => self.waiting.push(batch?),
                None => break,
            }
        }
        let mut all = concat_batches(&self.reader.schema(), &self.waiting)?;
        self.waiting.clear();
        if all.num_rows() > rows {
            self.waiting.push(all.slice(rows, all.num_rows() - rows));
            all = all.slice(0, rows);
        }
        Ok(all)
    }
}
