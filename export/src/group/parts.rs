//! Writes one group as files of a bounded number of rows.

use engine::{Database, Vfs};

use super::table::GroupTable;
use super::{ExportedFile, Options, Progress, Tell};
use crate::Error;
use crate::file::{TableWriter, UnfinishedFolder};

/// Entities read under one lock of a shard: with many windows, a millisecond.
const STEP_ROWS: usize = 256;
/// Rows that are written together.
const BATCH_ROWS: usize = 1 << 16;
/// Bytes of values that are; a last row may pass it.
const BATCH_BYTES: usize = 32 << 20;
/// Times that a group is begun anew for statuses that came late, before it gets a column for each.
const ANEW_MAX: usize = 2;

/// Where from and where to.
pub(super) struct Parts<'a, V: Vfs> {
    pub(super) database: &'a Database<V>,
    pub(super) folder: &'a UnfinishedFolder,
    pub(super) options: &'a Options,
}

impl<V: Vfs> Parts<'_, V> {
    /// Writes all files of `table`. Which features need a column of statuses is not known before all was read: when one is
    /// missing, the group is begun anew with it.
    pub(super) fn write(
        &self,
        table: &mut GroupTable,
        progress: &mut Progress,
        tell: Tell<'_>,
    ) -> Result<Vec<ExportedFile>, Error> {
        let before = progress.clone();
        for attempt in 0.. {
            if let Some(files) = self.try_write(table, attempt >= ANEW_MAX, progress, tell)? {
                return Ok(files);
            }
            (progress.files, progress.bytes) = (before.files, before.bytes);
            progress.rows_total += progress.rows - before.rows;
        }
        Ok(Vec::new())
    }

    /// Nothing when the table has become wider.
    fn try_write(
        &self,
        table: &mut GroupTable,
        all: bool,
        progress: &mut Progress,
        tell: Tell<'_>,
    ) -> Result<Option<Vec<ExportedFile>>, Error> {
        let directory = self.folder.fresh(&table.name)?;
        let mut files = Vec::new();
        let mut part: Option<TableWriter> = None;
        let mut next = table.dump.start(0).page.next;
        while next.is_some() {
            let room = self.options.part_rows.max(1) - part.as_ref().map_or(0, TableWriter::rows);
            let rows = usize::try_from(room).unwrap_or(usize::MAX).min(BATCH_ROWS);
            let mut chunk = table.dump.start(rows);
            chunk.page.next = next;
            self.fill(table, rows, &mut chunk)?;
            next = chunk.page.next;
            if table.widen(&chunk, all) {
                return Ok(None);
            }
            if chunk.page.keys.is_empty() && part.is_none() && !files.is_empty() {
                break;
            }
            let mut writer = match part.take() {
                Some(writer) => writer,
                None => {
                    let name = format!("part-{:05}.{}", files.len(), self.options.format);
                    let (path, schema) = (directory.join(name), table.schema().clone());
                    TableWriter::create(&path, self.options.format, schema)?
                }
            };
            if !chunk.page.keys.is_empty() {
                writer.write(&table.batch(&chunk)?)?;
            }
            progress.rows += chunk.page.keys.len() as u64;
            if next.is_none() || writer.rows() >= self.options.part_rows {
                let file = finish(writer, &table.name, files.len(), self.options)?;
                (progress.files, progress.bytes) =
                    (progress.files + 1, progress.bytes + file.bytes);
                files.push(file);
            } else {
                part = Some(writer);
            }
            tell(progress)?;
        }
        Ok(Some(files))
    }

    /// The next rows, step by step: whoever waits for a shard waits for one step.
    fn fill(
        &self,
        table: &GroupTable,
        rows: usize,
        chunk: &mut engine::DumpChunk,
    ) -> Result<(), Error> {
        let bytes = |chunk: &engine::DumpChunk| -> usize {
            let columns = chunk.page.columns.iter().chain(&chunk.sketches);
            columns.map(|column| column.data().len()).sum()
        };
        while chunk.page.next.is_some()
            && chunk.page.keys.len() < rows
            && bytes(chunk) < BATCH_BYTES
        {
            let step = STEP_ROWS.min(rows - chunk.page.keys.len());
            self.database.dump_more(&table.dump, (step, BATCH_BYTES), chunk)?;
        }
        Ok(())
    }
}

fn finish(
    writer: TableWriter,
    group: &str,
    number: usize,
    options: &Options,
) -> Result<ExportedFile, Error> {
    let written = writer.finish()?;
    Ok(ExportedFile {
        group: group.to_owned(),
        path: format!("{group}/part-{number:05}.{}", options.format),
        rows: written.rows,
        bytes: written.bytes,
        checksum: written.checksum,
    })
}
