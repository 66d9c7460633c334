//! Whether a history is what its manifest says: every file there, of its length and checksum, readable, with its changes in order.

use std::path::{Path, PathBuf};

use engine::Lsn;

use super::manifest::HistoryFile;
use super::reader::HistoryReader;
use super::writer::must_be_without_files;
use super::{MANIFEST, REFUSED, disk};
use crate::Error;

/// Something in a history that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryProblem {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryChecked {
    /// Files that the manifest lists.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Changes in them.
    pub rows: u64,
    /// All that is wrong.
    pub problems: Vec<HistoryProblem>,
}

/// Reads every byte of the history in the directory `root`, and changes none; `None` when there is no history.
///
/// # Errors
/// [`Error::Io`] when the directory itself cannot be read. What is damaged is among the problems.
pub fn check(root: &Path) -> Result<Option<HistoryChecked>, Error> {
    let mut checked = HistoryChecked::default();
    if disk::read_text(&root.join(MANIFEST))?.is_none() {
        return match must_be_without_files(root) {
            Ok(()) => Ok(None),
            Err(Error::File { path, what }) => {
                checked.problems.push(HistoryProblem { file: path, what });
                Ok(Some(checked))
            }
            Err(error) => Err(error),
        };
    }
    let refused = root.join(REFUSED);
    if let Some(what) = disk::read_text(&refused)? {
        checked.problems.push(HistoryProblem { file: refused, what });
    }
    let reader = match HistoryReader::open(root) {
        Ok(reader) => reader,
        Err(error) => {
            let problem = HistoryProblem { file: root.join(MANIFEST), what: error.to_string() };
            checked.problems.push(problem);
            return Ok(Some(checked));
        }
    };
    for source in reader.sources() {
        let history = reader.manifest().sources.get(source);
        let mut last = None;
        for file in history.iter().flat_map(|history| &history.files) {
            checked.files += 1;
            let path = root.join(&file.path);
            let found = (|| {
                let mut order = Order { last, file, rows: 0 };
                reader.file(source, file).try_for_each(|batch| {
                    batch?.for_each(&mut |change| order.next(&path, (change.lsn, change.index)))
                })?;
                checked.rows += order.rows;
                order.end(&path)
            })();
            // No record is in two files.
            last = Some((file.last_lsn, u32::MAX));
            checked.bytes += file.bytes;
            if let Err(error) = found {
                checked.problems.push(HistoryProblem { file: path, what: error.to_string() });
            }
        }
    }
    Ok(Some(checked))
}

/// Changes of a file, which ascend by record and place, no two the same.
struct Order<'f> {
    /// Record and place of the change before.
    last: Option<(Lsn, u32)>,
    file: &'f HistoryFile,
    rows: u64,
}

impl Order<'_> {
    fn next(&mut self, path: &Path, (lsn, index): (Lsn, u32)) -> Result<(), Error> {
        let (first, last) = (self.file.first_lsn, self.file.last_lsn);
        let row = Some((lsn, index));
        if row <= self.last || lsn < first || lsn > last || (self.rows == 0 && lsn != first) {
            let what = format!(
                "change {index} of record {lsn} stands where records {first} to {last} should ascend"
            );
            return Err(Error::file(path, what));
        }
        (self.last, self.rows) = (row, self.rows + 1);
        Ok(())
    }

    fn end(&self, path: &Path) -> Result<(), Error> {
        let last = self.last.map(|(lsn, _)| lsn);
        if (self.rows, last) == (self.file.rows, Some(self.file.last_lsn)) {
            return Ok(());
        }
        let (rows, all) = (self.rows, self.file.rows);
        Err(Error::file(path, format!("it has {rows} changes, the manifest says {all}")))
    }
}
